#include <array>

#include "abi/handles.h"
#include "core/device.h"
#include "core/frames.h"

namespace gatun {
void issue(const char* op, gt_stream stream, std::span<const gt_tensor> outputs,
           std::span<const gt_tensor> inputs, const std::function<void(Launcher&)>& body) {
  Stream& to = *check_handle(op, "stream", stream)->stream;
  constexpr size_t kMostOperands = 64;
  std::array<Use, kMostOperands> uses;
  size_t count = 0;
  if (outputs.size() + inputs.size() > kMostOperands) {
    fail(GT_INTERNAL, "[", op, "] has more than ", kMostOperands, " operands");
  }
  const auto add = [&](gt_tensor handle, bool written) {
    if (handle == nullptr) return;
    const std::shared_ptr<Buffer>& buffer = check_handle(op, "a tensor", handle)->buffer;
    require(buffer->device() == to.device(), "[", op, "] a tensor ", handle->view,
            " is not on the stream's device");
    uses[count++] = {&buffer, &handle->view, written};
  };
  for (const gt_tensor output : outputs) add(output, true);
  for (const gt_tensor input : inputs) add(input, false);
  for (auto a = outputs.begin(); a != outputs.end(); ++a) {
    for (auto b = a + 1; b != outputs.end(); ++b) {
      if (*a == nullptr || *b == nullptr) continue;
      require(!overlap((*a)->view, (*b)->view), "[", op, "] two outputs, ", (*a)->view, " and ",
              (*b)->view, ", share memory");
    }
  }
  to.issue(op, {uses.data(), count}, body);
}

}  // namespace gatun

using namespace gatun;

gt_status gt_stream_create(gt_stream* out, gt_device device) {
  return guard([&] {
    constexpr auto op = "stream_create";
    check_out(op, "out", out);
    check_handle(op, "device", device);
    *out = new gt_stream_s{.stream = device->device->open_stream()};
  });
}

void gt_stream_destroy(gt_stream stream) { destroy_handle(stream); }

gt_status gt_stream_synchronize(gt_stream stream) {
  return guard(
      [&] { check_handle("stream_synchronize", "stream", stream)->stream->synchronize(); });
}

gt_status gt_stream_begin_recording(gt_stream stream) {
  return guard(
      [&] { check_handle("stream_begin_recording", "stream", stream)->stream->begin_recording(); });
}

gt_status gt_stream_end_recording(gt_program* out, gt_stream stream) {
  return guard([&] {
    constexpr auto op = "stream_end_recording";
    check_out(op, "out", out);
    check_handle(op, "stream", stream);
    *out = new gt_program_s{.program = stream->stream->end_recording()};
  });
}

gt_status gt_stream_hold(gt_stream stream, gt_tensor held) {
  return guard([&] {
    constexpr auto op = "stream_hold";
    Stream& to = *check_handle(op, "stream", stream)->stream;
    const Tensor& view = tensor(op, "tensor", held);
    require(held->buffer->device() == to.device(), "[", op, "] the tensor ", view,
            " is not on the stream's device");
    to.hold({&held->buffer, &view, false});
  });
}

gt_status gt_stream_set_products(gt_stream stream, int32_t products) {
  return guard([&] {
    constexpr auto op = "stream_set_products";
    Stream& to = *check_handle(op, "stream", stream)->stream;
    require(products == GT_PRODUCTS_F32 || products == GT_PRODUCTS_TF32, "[", op,
            "] products must be 0 or 1, but is ", products);
    to.multiply_in(static_cast<Products>(products));
  });
}

gt_status gt_stream_set_frames(gt_stream stream, gt_buffer current, gt_buffer frames) {
  return guard([&] {
    constexpr auto op = "stream_set_frames";
    Stream& to = *check_handle(op, "stream", stream)->stream;
    const std::shared_ptr<Buffer>& one = check_handle(op, "current", current)->buffer;
    const std::shared_ptr<Buffer>& all = check_handle(op, "frames", frames)->buffer;
    require(one->device() == to.device() && all->device() == to.device(), "[", op,
            "] current and frames must be on the stream's device");
    to.set_frames(std::make_unique<Frames>(op, one, all));
  });
}

gt_status gt_program_run(gt_program program) {
  return guard([&] { check_handle("program_run", "program", program)->program->run(); });
}

gt_status gt_program_feed(gt_program program, int64_t first, int64_t count) {
  return guard(
      [&] { check_handle("program_feed", "program", program)->program->feed(first, count); });
}

gt_status gt_program_start(gt_program program, int64_t first, int64_t count) {
  return guard(
      [&] { check_handle("program_start", "program", program)->program->start(first, count); });
}

gt_status gt_program_wait(gt_program program) {
  return guard([&] { check_handle("program_wait", "program", program)->program->wait(); });
}

gt_status gt_program_refresh(gt_program program) {
  return guard([&] { check_handle("program_refresh", "program", program)->program->refresh(); });
}

gt_status gt_program_instructions(gt_program program, int64_t* out_count) {
  return guard([&] {
    constexpr auto op = "program_instructions";
    check_handle(op, "program", program);
    check_out(op, "out_count", out_count);
    *out_count = program->program->instructions();
  });
}

void gt_program_destroy(gt_program program) { destroy_handle(program); }
