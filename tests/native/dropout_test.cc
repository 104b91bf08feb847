#include "kernels/dropout.h"

#include "core/philox.h"
#include "kernels/dropout_naive.h"
#include "kernels/dropout_simd.h"
#include "support.h"

namespace gatun::test {
namespace {

constexpr int64_t kSeed = 0x0123456789abcdef;
constexpr int32_t kLayer = -7;  // all 32 bits count

TEST(Dropout, AgreesWithNaiveBitForBit) {
  SerialLauncher launcher(2);
  for_each_simd_level([&](const char*) {
    for (const int64_t n : {0, 1, 7, 8, 9, 127, 128, 129, 1000, 16384, 16385, 40000}) {
      for (const double p : {0.0, 0.1, 0.5, 0.999, 0.9999999}) {
        SCOPED_TRACE(testing::Message() << n << " elements, p = " << p);
        Array<float> x = random_array<float>({n}), y({n}, 7), expected({n});
        Array<int64_t> step({}, 123456);
        const Tensor counter = step.tensor();
        kernels::dropout(launcher, y.tensor(), x.tensor(), &counter, p, kSeed, kLayer);
        const kernels::DropoutRule rule(p, kSeed, 123456, kLayer);
        kernels::naive::dropout(expected.data(), x.data(), 0, n, rule);
        expect_same_bits(y, expected);
      }
    }
  });
}

// Blocks whose index needs more than 32 bits, as in a tensor of 2^35 elements.
TEST(Dropout, CountsBlocksIn64Bits) {
  const int64_t begin = (int64_t{1} << 35) + kernels::kDropoutGroup, n = 500;
  const auto whole = [&](float* part) {  // the start of a tensor of which this part is given
    return reinterpret_cast<float*>(reinterpret_cast<uintptr_t>(part) - begin * sizeof(float));
  };
  Array<float> x({n}, 1), y({n}), expected({n});
  const kernels::DropoutRule rule(0.5, kSeed, 1, kLayer);
  for (int64_t i = 0; i < n; ++i) {
    const auto block = philox_block(rule.seed, rule.stream, (begin + i) / 8);
    expected[i] = (block[i % 8 / 2] >> (16 * (i % 2)) & 0xffff) >= 32768 ? 2 : 0;
  }
  for_each_simd_level([&](const char*) {
    for (const bool stream : {false, true}) {  // what is stored past the caches is the same
      kernels::dropout_range(whole(y.data()), whole(x.data()), begin, begin + n, stream, rule);
      expect_same_bits(y, expected);
    }
  });
}

// The rule written out from the contract for the first block.
TEST(Dropout, FollowsTheContract) {
  TestDevice device;
  for (const double p : {0.25, 0.5}) {
    TestTensor<double> x(device, Array<double>({8}, {1, 2, 3, 4, 5, 6, 7, 8}));
    TestTensor<double> y(device, Dims{8});
    TestTensor<int64_t> step(device, Array<int64_t>({}, 5));
    ASSERT_OK(gt_dropout(device.stream(), y, x, step, p, kSeed, 3));
    const PhiloxBlock words = philox4x32({0, 0, 3, 5}, {0x89abcdef, 0x01234567});
    for (int i = 0; i < 8; ++i) {
      const uint32_t number = i % 2 == 0 ? words[i / 2] & 0xffff : words[i / 2] >> 16;
      EXPECT_EQ(y.read()[i], number >= 65536 * p ? (i + 1) * (1 / (1 - p)) : 0) << i;
    }
  }
}

TEST(Dropout, KeepsTheMean) {
  TestDevice device;
  constexpr int64_t n = 1 << 20;
  TestTensor<float> x(device, Array<float>({n}, 1.0f)), y(device, Dims{n});
  for (const double p : {0.1, 0.5, 0.9}) {
    ASSERT_OK(gt_dropout(device.stream(), y, x, nullptr, p, 1, 2));
    const Array<float> values = y.read();
    const double mean = std::accumulate(values.data(), values.data() + n, 0.0) / n;
    EXPECT_NEAR(mean, 1, 5 * std::sqrt(p / (1 - p) / n));  // five standard deviations
  }
}

TEST(Dropout, ReadsTheStepWhenItRuns) {
  TestDevice device;
  const Array<float> ones({1000}, 1.0f);
  TestTensor<float> x(device, ones), y(device, Dims{1000}), eager(device, Dims{1000});
  TestTensor<int64_t> step(device, Dims{});
  gt_program program = nullptr;
  ASSERT_OK(gt_stream_begin_recording(device.stream()));
  ASSERT_OK(gt_dropout(device.stream(), y, x, step, 0.5, kSeed, kLayer));
  ASSERT_OK(gt_stream_end_recording(&program, device.stream()));
  std::vector<Array<float>> masks;
  for (const int64_t at : {int64_t{0}, int64_t{1}, int64_t{0x89abcdef}}) {
    step.write(Array<int64_t>({}, at));
    ASSERT_OK(gt_program_run(program));
    ASSERT_OK(gt_dropout(device.stream(), eager, x, step, 0.5, kSeed, kLayer));
    expect_same_bits(y.read(), eager.read());
    masks.push_back(y.read());
  }
  gt_program_destroy(program);
  EXPECT_NE(masks[0].to_vector(), masks[1].to_vector());
  EXPECT_NE(masks[1].to_vector(), masks[2].to_vector());
}

TEST(Dropout, InPlaceAndForEveryNumberOfThreads) {
  const Array<float> values = random_array<float>({300, 301});
  Array<float> first({300, 301});
  for (const int threads : {1, 2, 3}) {
    TestDevice device(threads);
    TestTensor<float> x(device, values), y(device, values.dims());
    ASSERT_OK(gt_dropout(device.stream(), y, x, nullptr, 0.3, 9, 1));
    ASSERT_OK(gt_dropout(device.stream(), x, x, nullptr, 0.3, 9, 1));
    expect_same_bits(x.read(), y.read());
    if (threads == 1) first = y.read();
    expect_same_bits(y.read(), first);
  }
}

TEST(Dropout, RefusesWhatItsContractDoesNotAllow) {
  TestDevice device;
  const gt_stream s = device.stream();
  TestTensor<float> x(device, Dims{4}), y(device, Dims{4}), short_one(device, Dims{3});
  TestTensor<int64_t> steps(device, Dims{1});
  TestTensor<int32_t> narrow(device, Dims{});
  const auto refused = [](gt_status status, const char* part) {
    EXPECT_REFUSED(status, GT_INVALID_ARGUMENT, part);
  };
  refused(gt_dropout(s, y, x, nullptr, 1, 0, 0), "[dropout] drop_probability must be at least 0");
  refused(gt_dropout(s, y, x, nullptr, -0.1, 0, 0), "but is -0.1");
  refused(gt_dropout(s, y, x, nullptr, NAN, 0, 0), "drop_probability");
  refused(gt_dropout(s, y, short_one, nullptr, 0.5, 0, 0), "shapes differ: y is f32 (4)");
  refused(gt_dropout(s, y, x, steps, 0.5, 0, 0), "step must be i64 ()");
  refused(gt_dropout(s, y, x, narrow, 0.5, 0, 0), "step must be i64");
  refused(gt_dropout(s, y, nullptr, nullptr, 0.5, 0, 0), "x is NULL");
}

}  // namespace
}  // namespace gatun::test
