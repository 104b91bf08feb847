// Programs that run on frames: steps in one call are the same steps one by one, on every device and
// in every order that a GPU may do its copies in.
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "allocations.h"
#include "cuda_support.h"
#include "gatun.h"
#include "support.h"

namespace gatun::test {
namespace {

constexpr int64_t kWidth = 37, kRows = 5, kBatch = 3;

// What a step takes and gives, as it lies in memory.
struct Frame {
  int32_t rows[kBatch];
  float rate;
  int64_t step;
  float loss;
  float untouched;
  float greatest;
  float untouched_too;
};

// A training step in small: it gathers a batch, drops some of it, adds it to parameters, sums
// these up and finds the greatest.
class Step {
 public:
  Step(const TestDevice& device, gt_buffer operands)
      : table_(device, random_array<float>({kRows, kWidth}, 1)),
        batch_(device, Dims{kBatch, kWidth}),
        parameters_(device, random_array<float>({kBatch, kWidth}, 2)) {
    const gt_tensor rows = view(operands, offsetof(Frame, rows), GT_I32, {kBatch});
    const gt_tensor rate = view(operands, offsetof(Frame, rate), GT_F32, {});
    const gt_tensor step = view(operands, offsetof(Frame, step), GT_I64, {});
    const gt_tensor loss = view(operands, offsetof(Frame, loss), GT_F32, {1, 1});
    const gt_tensor greatest = view(operands, offsetof(Frame, greatest), GT_F32, {1, 1});
    gt_stream stream = device.stream();
    EXPECT_OK(gt_gather_rows(stream, batch_, table_, rows));
    EXPECT_OK(gt_dropout(stream, batch_, batch_, step, 0.3, 11, 1));
    EXPECT_OK(gt_binary(stream, batch_, batch_, rate, GT_BINARY_MULTIPLY));
    EXPECT_OK(gt_binary(stream, parameters_, parameters_, batch_, GT_BINARY_ADD));
    EXPECT_OK(gt_reduce(stream, loss, parameters_, GT_REDUCE_SUM, 3));
    EXPECT_OK(gt_reduce(stream, greatest, parameters_, GT_REDUCE_MAX, 3));
    EXPECT_OK(gt_stream_end_recording(&program, stream));
  }
  ~Step() {
    gt_program_destroy(program);
    for (const gt_tensor view : views_) gt_tensor_destroy(view);
  }
  Step(const Step&) = delete;

  Array<float> parameters() const { return parameters_.read(); }

  gt_program program = nullptr;

 private:
  gt_tensor view(gt_buffer buffer, int64_t offset, int32_t dtype, const Dims& dims) {
    EXPECT_OK(gt_tensor_create(&views_.emplace_back(), buffer, offset, dtype,
                               static_cast<int32_t>(dims.size()), dims.data()));
    return views_.back();
  }

  TestTensor<float> table_, batch_, parameters_;
  std::vector<gt_tensor> views_;
};

void fill(Frame& frame, int64_t number) {
  for (int64_t i = 0; i < kBatch; ++i) frame.rows[i] = static_cast<int32_t>((number + i) % kRows);
  frame.rate = 0.1f / static_cast<float>(1 + number);
  frame.step = number;
  frame.loss = frame.greatest = -1;
  frame.untouched = static_cast<float>(number);
  frame.untouched_too = static_cast<float>(-number);
}

struct Result {
  std::vector<float> given;  // loss and greatest parameter of each step
  std::vector<float> parameters;
  bool operator==(const Result&) const = default;
};

// One step a call, each from the same staging memory.
Result one_by_one(const TestDevice& device, int64_t steps) {
  gt_buffer buffer;
  void* data;
  EXPECT_OK(gt_buffer_create(&buffer, device.device(), sizeof(Frame), GT_MEMORY_STAGING));
  EXPECT_OK(gt_buffer_map(&data, buffer));
  EXPECT_OK(gt_stream_begin_recording(device.stream()));
  const Step step(device, buffer);
  auto& frame = *static_cast<Frame*>(data);
  Result result;
  for (int64_t i = 0; i < steps; ++i) {
    fill(frame, i);
    EXPECT_OK(gt_program_run(step.program));
    result.given.insert(result.given.end(), {frame.loss, frame.greatest});
  }
  result.parameters = step.parameters().to_vector();
  gt_buffer_destroy(buffer);
  return result;
}

class FramedStep {
 public:
  FramedStep(const TestDevice& device, int64_t count) {
    EXPECT_OK(gt_buffer_create(&current_, device.device(), sizeof(Frame), GT_MEMORY_DEVICE));
    EXPECT_OK(gt_buffer_create(&all_, device.device(), count * static_cast<int64_t>(sizeof(Frame)),
                               GT_MEMORY_STAGING));
    void* data;
    EXPECT_OK(gt_buffer_map(&data, all_));
    frames = static_cast<Frame*>(data);
    EXPECT_OK(gt_stream_begin_recording(device.stream()));
    EXPECT_OK(gt_stream_set_frames(device.stream(), current_, all_));
    step_ = std::make_unique<Step>(device, current_);
    program = step_->program;
  }
  ~FramedStep() {
    step_.reset();
    gt_buffer_destroy(all_);
    gt_buffer_destroy(current_);
  }
  Array<float> parameters() const { return step_->parameters(); }

  Frame* frames;
  gt_program program;

 private:
  gt_buffer current_ = nullptr, all_ = nullptr;
  std::unique_ptr<Step> step_;
};

// `steps` steps, `most` in a call, the next call's being filled and fed while the former runs. What
// was not the program's to write is as it was.
Result by_calls(const TestDevice& device, int64_t steps, int64_t most) {
  const FramedStep step(device, 2 * most);
  const auto prepare = [&](int64_t first, int64_t number) {
    const int64_t count = std::min(most, steps - number);
    for (int64_t i = 0; i < count; ++i) fill(step.frames[first + i], number + i);
    if (count > 0) {
      EXPECT_OK(gt_program_feed(step.program, first, count));
    }
    return count;
  };
  Result result;
  int64_t first = 0, count = prepare(0, 0);
  for (int64_t number = 0; number < steps;) {
    EXPECT_OK(gt_program_start(step.program, first, count));
    const int64_t other = most - first;
    const int64_t next = prepare(other, number + count);
    EXPECT_OK(gt_program_wait(step.program));
    for (int64_t i = 0; i < count; ++i) {
      const Frame& frame = step.frames[first + i];
      result.given.insert(result.given.end(), {frame.loss, frame.greatest});
      Frame expected;
      fill(expected, number + i);
      expected.loss = frame.loss;
      expected.greatest = frame.greatest;
      EXPECT_EQ(std::memcmp(&frame, &expected, sizeof(Frame)), 0) << number + i;
    }
    number += count;
    first = other;
    count = next;
  }
  result.parameters = step.parameters().to_vector();
  return result;
}

void expect_same_steps(const TestDevice& device) {
  const Result expected = one_by_one(device, 11);
  for (const int64_t most : {1, 3, 4, 11, 20}) {
    EXPECT_EQ(by_calls(device, 11, most), expected) << most << " steps a call";
  }
}

TEST(Frames, GiveTheStepsOneByOneOnTheCpu) { expect_same_steps(TestDevice(2)); }

using CudaFrames = CudaTest;

TEST_F(CudaFrames, GiveTheStepsOneByOne) { expect_same_steps(*cuda); }

TEST_F(CudaFrames, GiveTheStepsOneByOneWhenCopiesComeEarly) {
  if (is_gpu(*cuda)) GTEST_SKIP() << "a GPU has its own order";
  expect_same_steps(*open_emulated("GATUN_EMULATED_COPIES", "early"));
}

TEST_F(CudaFrames, AreWrongWhenAWaitIsForgotten) {
  if (is_gpu(*cuda)) GTEST_SKIP() << "no GPU forgets for a test";
  const auto forgetful = open_emulated("GATUN_EMULATED_FORGETS", "join");
  EXPECT_NE(by_calls(*forgetful, 11, 3), one_by_one(*cuda, 11));
}

// The device's stream zeroes memory, and copies beside it must not be earlier.
TEST_F(CudaFrames, ComeAfterTheirMemoryIsZeroed) {
  const auto early = open_emulated("GATUN_EMULATED_COPIES", "early");
  gt_buffer current, all;
  void* data;
  ASSERT_OK(gt_buffer_create(&current, early->device(), 64, GT_MEMORY_DEVICE));
  ASSERT_OK(gt_buffer_create(&all, early->device(), 64, GT_MEMORY_STAGING));
  ASSERT_OK(gt_buffer_map(&data, all));
  gt_tensor x, y;
  ASSERT_OK(gt_tensor_create(&x, current, 0, GT_F32, 0, nullptr));
  ASSERT_OK(gt_tensor_create(&y, current, 32, GT_F32, 0, nullptr));
  ASSERT_OK(gt_stream_begin_recording(early->stream()));
  ASSERT_OK(gt_stream_set_frames(early->stream(), current, all));
  ASSERT_OK(gt_affine(early->stream(), y, x, 2, 1));
  gt_program program;
  ASSERT_OK(gt_stream_end_recording(&program, early->stream()));
  auto* const floats = static_cast<float*>(data);
  floats[0] = 3;
  ASSERT_OK(gt_program_feed(program, 0, 1));
  ASSERT_OK(gt_program_start(program, 0, 1));
  ASSERT_OK(gt_program_wait(program));
  EXPECT_EQ(floats[8], 7);
  gt_program_destroy(program);
  gt_tensor_destroy(x);
  gt_tensor_destroy(y);
  gt_buffer_destroy(current);
  gt_buffer_destroy(all);
}

TEST_F(CudaFrames, TellTheFailureWhenWaitedFor) {
  if (is_gpu(*cuda)) GTEST_SKIP() << "no GPU is broken for a test";
  const auto failing = open_emulated("GATUN_EMULATED_FAILURE", "2");  // the first ends a recording
  gt_buffer current, all;
  ASSERT_OK(gt_buffer_create(&current, failing->device(), 64, GT_MEMORY_DEVICE));
  ASSERT_OK(gt_buffer_create(&all, failing->device(), 128, GT_MEMORY_STAGING));
  ASSERT_OK(gt_stream_begin_recording(failing->stream()));
  ASSERT_OK(gt_stream_set_frames(failing->stream(), current, all));
  gt_program program;
  ASSERT_OK(gt_stream_end_recording(&program, failing->stream()));
  ASSERT_OK(gt_program_feed(program, 0, 2));
  ASSERT_OK(gt_program_start(program, 0, 2));
  EXPECT_REFUSED(gt_program_wait(program), GT_DEVICE_FAILURE, "[program_wait] cuda 0");
  EXPECT_REFUSED(gt_program_feed(program, 0, 2), GT_DEVICE_FAILURE, "is closed since it failed");
  gt_program_destroy(program);
  gt_buffer_destroy(current);
  gt_buffer_destroy(all);
}

void expect_order_of_calls(const TestDevice& device) {
  const FramedStep step(device, 4);
  gt_program program = step.program;
  for (int64_t i = 0; i < 4; ++i) fill(step.frames[i], i);
  EXPECT_REFUSED(gt_program_start(program, 0, 1), GT_INVALID_ARGUMENT,
                 "[program_start] frame 0 was not fed since it ran last");
  EXPECT_OK(gt_program_wait(program));  // for nothing
  EXPECT_OK(gt_program_feed(program, 0, 2));
  EXPECT_REFUSED(gt_program_start(program, 0, 3), GT_INVALID_ARGUMENT, "frame 2 was not fed");
  EXPECT_OK(gt_program_start(program, 0, 2));
  EXPECT_REFUSED(gt_program_start(program, 0, 2), GT_INVALID_ARGUMENT,
                 "[program_start] the program was started: wait for it first");
  EXPECT_REFUSED(gt_program_run(program), GT_INVALID_ARGUMENT,
                 "[program_run] the program was started: wait for it first");
  EXPECT_REFUSED(gt_program_feed(program, 1, 2), GT_INVALID_ARGUMENT,
                 "[program_feed] of 2 frames from 1 on, some run now");
  EXPECT_OK(gt_program_feed(program, 2, 2));
  EXPECT_OK(gt_program_wait(program));
  EXPECT_REFUSED(gt_program_start(program, 1, 1), GT_INVALID_ARGUMENT, "frame 1 was not fed");
  EXPECT_OK(gt_program_start(program, 2, 2));
  EXPECT_OK(gt_program_wait(program));
  EXPECT_OK(gt_program_feed(program, 0, 4));  // those that ran among them
  const std::pair<int64_t, int64_t> bad[] = {{-1, 1}, {0, 0}, {0, 5}, {4, 1}, {3, INT64_MAX}};
  for (const auto& [first, count] : bad) {
    const std::string text = " frames from " + std::to_string(first) + " on are not some of 4";
    EXPECT_REFUSED(gt_program_feed(program, first, count), GT_INVALID_ARGUMENT, text);
    EXPECT_REFUSED(gt_program_start(program, first, count), GT_INVALID_ARGUMENT, text);
  }
}

TEST(Frames, RefuseCallsOutOfTurnOnTheCpu) { expect_order_of_calls(TestDevice(1)); }
TEST_F(CudaFrames, RefuseCallsOutOfTurn) { expect_order_of_calls(*cuda); }

// Runs on what is in the current frame, as any program does.
TEST(Frames, LeaveAPlainRunToTheCurrentFrame) {
  const TestDevice device(2);
  const Result expected = one_by_one(device, 1);
  gt_buffer current, all;
  ASSERT_OK(gt_buffer_create(&current, device.device(), sizeof(Frame), GT_MEMORY_DEVICE));
  ASSERT_OK(gt_buffer_create(&all, device.device(), sizeof(Frame), GT_MEMORY_STAGING));
  ASSERT_OK(gt_stream_begin_recording(device.stream()));
  ASSERT_OK(gt_stream_set_frames(device.stream(), current, all));
  const Step step(device, current);
  Frame frame;
  fill(frame, 0);
  ASSERT_OK(gt_buffer_write(current, 0, &frame, sizeof(frame)));
  ASSERT_OK(gt_program_run(step.program));
  ASSERT_OK(gt_buffer_read(current, 0, &frame, sizeof(frame)));
  EXPECT_EQ(frame.loss, expected.given[0]);
  gt_buffer_destroy(current);
  gt_buffer_destroy(all);
}

TEST(Frames, AllocateNothingOnTheCpu) {
  const TestDevice device(2);
  const FramedStep step(device, 4);
  for (int64_t i = 0; i < 4; ++i) fill(step.frames[i], i);
  const auto run = [&] {
    EXPECT_EQ(gt_program_feed(step.program, 0, 4), GT_OK);
    EXPECT_EQ(gt_program_start(step.program, 0, 4), GT_OK);
    EXPECT_EQ(gt_program_wait(step.program), GT_OK);
  };
  run();  // starts the threads
  const int64_t before = heap_allocations;
  for (int i = 0; i < 10; ++i) run();
  EXPECT_EQ(heap_allocations, before);
}

// Memory is the program's until its last copy is done.
TEST_F(CudaFrames, MayBeDestroyedWhileTheyRun) {
  const FramedStep step(*cuda, 2);
  for (int64_t i = 0; i < 2; ++i) fill(step.frames[i], i);
  EXPECT_OK(gt_program_feed(step.program, 0, 2));
  EXPECT_OK(gt_program_start(step.program, 0, 1));
}

void expect_refusals(const TestDevice& device) {
  gt_buffer one, three, half, staged;
  ASSERT_OK(gt_buffer_create(&one, device.device(), 64, GT_MEMORY_DEVICE));
  ASSERT_OK(gt_buffer_create(&three, device.device(), 192, GT_MEMORY_STAGING));
  ASSERT_OK(gt_buffer_create(&half, device.device(), 96, GT_MEMORY_STAGING));
  ASSERT_OK(gt_buffer_create(&staged, device.device(), 64, GT_MEMORY_STAGING));
  gt_stream stream = device.stream();
  EXPECT_REFUSED(gt_stream_set_frames(stream, one, three), GT_INVALID_ARGUMENT,
                 "[stream_set_frames] to be called while the stream records");
  ASSERT_OK(gt_stream_begin_recording(stream));
  EXPECT_REFUSED(gt_stream_set_frames(stream, staged, three), GT_INVALID_ARGUMENT,
                 "current must be device memory");
  EXPECT_REFUSED(gt_stream_set_frames(stream, one, one), GT_INVALID_ARGUMENT,
                 "frames must be staging memory");
  EXPECT_REFUSED(gt_stream_set_frames(stream, one, half), GT_INVALID_ARGUMENT,
                 "frames of 96 bytes are not some of the current one's 64");
  EXPECT_REFUSED(gt_stream_set_frames(stream, one, nullptr), GT_INVALID_ARGUMENT, "frames is NULL");
  const TestDevice other(1);
  gt_buffer elsewhere;
  ASSERT_OK(gt_buffer_create(&elsewhere, other.device(), 64, GT_MEMORY_DEVICE));
  EXPECT_REFUSED(gt_stream_set_frames(stream, elsewhere, three), GT_INVALID_ARGUMENT,
                 "must be on the stream's device");
  ASSERT_OK(gt_stream_set_frames(stream, one, three));
  const int64_t dims[] = {4};
  gt_tensor inside;
  ASSERT_OK(gt_tensor_create(&inside, three, 0, GT_F32, 1, dims));
  EXPECT_REFUSED(gt_fill(stream, inside, 1), GT_INVALID_ARGUMENT,
                 "[fill] the operand f32 (4) lies in the frames");
  TestTensor<float> x(device, Dims{4});
  ASSERT_OK(gt_fill(stream, x, 1));
  EXPECT_REFUSED(gt_stream_set_frames(stream, one, three), GT_INVALID_ARGUMENT,
                 "before an instruction");
  gt_program program;
  ASSERT_OK(gt_stream_end_recording(&program, stream));
  gt_program_destroy(program);
  // The next recording has none.
  ASSERT_OK(gt_stream_begin_recording(stream));
  ASSERT_OK(gt_fill(stream, inside, 1));
  ASSERT_OK(gt_stream_end_recording(&program, stream));
  EXPECT_REFUSED(gt_program_feed(program, 0, 1), GT_INVALID_ARGUMENT,
                 "[program_feed] the program was recorded without frames");
  EXPECT_REFUSED(gt_program_start(program, 0, 1), GT_INVALID_ARGUMENT, "without frames");
  EXPECT_REFUSED(gt_program_wait(program), GT_INVALID_ARGUMENT, "without frames");
  gt_program_destroy(program);
  gt_tensor_destroy(inside);
  for (const gt_buffer buffer : {one, three, half, staged, elsewhere}) gt_buffer_destroy(buffer);
}

TEST(Frames, RefuseWhatDoesNotFitOnTheCpu) { expect_refusals(TestDevice(1)); }
TEST_F(CudaFrames, RefuseWhatDoesNotFit) { expect_refusals(*cuda); }

}  // namespace
}  // namespace gatun::test
