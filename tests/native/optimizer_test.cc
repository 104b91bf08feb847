#include "kernels/optimizer.h"

#include "kernels/optimizer_naive.h"
#include "support.h"

namespace gatun::test {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

const std::vector<int64_t> kCounts = {0, 1, 3, 15, 16, 63, 64, 65, 1000, 16384, 16385, 100001};

TEST(Optimizer, NormAgreesWithNaive) {
  SerialLauncher launcher(2);
  for_each_simd_level([&](const char*) {
    for (const int64_t n : kCounts) {
      SCOPED_TRACE(n);
      Array<float> x = random_array<float>({n}), y({}, 7);
      kernels::norm(launcher, y.tensor(), x.tensor());
      // Squares of f32 are exact in f64; what is left is the rounding to f32.
      const double expected = std::sqrt(kernels::naive::sum_squares(x.data(), n));
      EXPECT_NEAR(y[0], expected, 1e-7 * expected);
    }
  });
}

// Squares that overflow f32, or vanish in it.
TEST(Optimizer, NormOfVeryLargeAndSmallValues) {
  for_each_simd_level([](const char*) {
    SerialLauncher launcher;
    for (const float size : {1e30f, 1e-30f}) {
      for (const int64_t n : {1, 100, 103}) {  // whole vectors, and what is left of them
        Array<float> x({n}, size), y({});
        kernels::norm(launcher, y.tensor(), x.tensor());
        EXPECT_NEAR(y[0] / size, std::sqrt(static_cast<double>(n)), 1e-6) << n << " elements";
      }
    }
  });
}

TEST(Optimizer, ClipAgreesWithNaive) {
  SerialLauncher launcher(2);
  for_each_simd_level([&](const char*) {
    for (const int64_t n : kCounts) {
      for (const float length : {10.0f, 1.0f, 0.5f, 0.0f, kNaN, kInfinity}) {
        SCOPED_TRACE(testing::Message() << n << " elements, norm " << length);
        Array<float> x = random_array<float>({n}), y({n}, 7), expected({n}), norm({}, length);
        kernels::clip_by_norm(launcher, y.tensor(), x.tensor(), norm.tensor(), 1);
        kernels::naive::scale(expected.data(), x.data(), n, length == 10 ? 0.1 : 1);
        expect_close(y, expected, 1.3e-7, 0);  // the factor and the product round
        kernels::clip_by_norm(launcher, x.tensor(), x.tensor(), norm.tensor(), 1);
        expect_same_bits(x, y);
      }
    }
  });
}

const std::vector<kernels::SgdRule> kRules = {
    {0, 0, 0, false},           {0, 0, 0.01, false},       {0.9, 0, 0, false},
    {0.9, 0, 0.01, false},      {0.9, 0, 0.01, true},      {0.9, 0.3, 0.01, false},
    {0.5, 0.25, 0.01, true},    {0, 0, 0.01, false, true}, {0.9, 0.3, 0.01, false, true},
    {0.9, 0, 0.01, true, true},
};

TEST(Optimizer, SgdStepAgreesWithNaive) {
  SerialLauncher launcher(2);
  for_each_simd_level([&](const char*) {
    for (const int64_t n : kCounts) {
      for (const kernels::SgdRule& rule : kRules) {
        Array<float> p = random_array<float>({n}, 1), v = random_array<float>({n}, 2);
        Array<float> g = random_array<float>({n}, 3), rate({}, 0.1f);
        Array<float> new_p({n}, 7), new_v({n}, 7), expected_p({n}), expected_v({n}, 7);
        const bool with_momentum = rule.momentum > 0;
        const Tensor to_velocity = new_v.tensor(), velocity = v.tensor();
        kernels::sgd_step(launcher, new_p.tensor(), with_momentum ? &to_velocity : nullptr,
                          p.tensor(), with_momentum ? &velocity : nullptr, g.tensor(),
                          rate.tensor(), rule);
        kernels::naive::sgd_step(expected_p.data(), with_momentum ? expected_v.data() : nullptr,
                                 p.data(), with_momentum ? v.data() : nullptr, g.data(), n, rate[0],
                                 rule);
        // Up to four roundings of values up to 2.
        expect_close(new_p, expected_p, 0, 4e-7);
        expect_close(new_v, expected_v, 0, 4e-7);
      }
    }
  });
}

const std::vector<kernels::AdamRule> kAdamRules = {
    {0.9, 0.999, 1e-8, 0, false},
    {0.9, 0.99, 1e-3, 0.1, false},
    {0.5, 0.9, 1e-6, 0.1, true},
    {0, 0, 1e-3, 0, false},
};

TEST(Optimizer, AdamStepAgreesWithNaive) {
  SerialLauncher launcher(2);
  for_each_simd_level([&](const char*) {
    for (const int64_t n : kCounts) {
      for (const kernels::AdamRule& rule : kAdamRules) {
        Array<float> p = random_array<float>({n}, 1), m = random_array<float>({n}, 2);
        Array<float> v = random_array<float>({n}, 3), g = random_array<float>({n}, 4);
        for (int64_t i = 0; i < n; ++i) v[i] *= v[i];
        Array<float> rate({}, 0.01f), new_p({n}, 7), new_m({n}, 7), new_v({n}, 7);
        Array<float> expected_p({n}), expected_m({n}), expected_v({n});
        Array<int64_t> step({}, int64_t{6});
        kernels::adam_step(launcher, new_p.tensor(), new_m.tensor(), new_v.tensor(), p.tensor(),
                           m.tensor(), v.tensor(), g.tensor(), rate.tensor(), step.tensor(), rule);
        kernels::naive::adam_step<float>({expected_p.data(), expected_m.data(), expected_v.data(),
                                          p.data(), m.data(), v.data(), g.data()},
                                         0, n, kernels::AdamFactors(rule, rate[0], step[0]));
        // Up to four roundings of values up to 2; the direction may be large where v is small.
        expect_close(new_m, expected_m, 0, 4e-7);
        expect_close(new_v, expected_v, 0, 4e-7);
        for (int64_t i = 0; i < n; ++i) {
          const double moved = std::abs(static_cast<double>(expected_p[i]) - p[i]);
          ASSERT_NEAR(new_p[i], expected_p[i], 4e-7 + 2e-6 * moved) << "element " << i;
        }
      }
    }
  });
}

// Gaps of a slab, and parameters that no gradient reaches.
TEST(Optimizer, AdamLeavesWhatHasNoGradient) {
  SerialLauncher launcher;
  for_each_simd_level([&](const char*) {
    Array<float> p({40}, 3.0f), m({40}), v({40}), g({40}), rate({}, 0.1f);
    Array<int64_t> step({});
    kernels::adam_step(launcher, p.tensor(), m.tensor(), v.tensor(), p.tensor(), m.tensor(),
                       v.tensor(), g.tensor(), rate.tensor(), step.tensor(),
                       {0.9, 0.999, 1e-60, 0, false});
    expect_same_bits(p, Array<float>({40}, 3.0f));
  });
}

// ---- Through the C ABI

// Five steps of the formulas of Kingma and Ba, and of Loshchilov and Hutter, on one parameter.
TEST(Optimizer, AdamStepsFollowTheirFormulas) {
  TestDevice device;
  for (const kernels::AdamRule& rule : kAdamRules) {
    SCOPED_TRACE(testing::Message() << "beta1 " << rule.beta1 << ", beta2 " << rule.beta2
                                    << ", decoupled " << rule.decoupled);
    TestTensor<double> p(device, Array<double>({1}, 1.5)), m(device, Dims{1}), v(device, Dims{1});
    TestTensor<double> g(device, Dims{1}), rate(device, Dims{});
    TestTensor<int64_t> step(device, Dims{});
    double parameter = 1.5, first = 0, second = 0;
    int64_t done = 0;
    for (const double gradient : {0.3, -0.7, 0.2, 0.0, 1e-3}) {
      const double lr = 0.1 / (1 + static_cast<double>(done));
      g.write(Array<double>({1}, gradient));
      rate.write(Array<double>({}, lr));
      step.write(Array<int64_t>({}, done));
      ASSERT_OK(gt_adam_step(device.stream(), p, m, v, p, m, v, g, rate, step, rule.beta1,
                             rule.beta2, rule.epsilon, rule.weight_decay, rule.decoupled));
      ++done;
      const double d = gradient + (rule.decoupled ? 0 : rule.weight_decay * parameter);
      first = rule.beta1 * first + (1 - rule.beta1) * d;
      second = rule.beta2 * second + (1 - rule.beta2) * d * d;
      if (rule.decoupled) parameter -= lr * rule.weight_decay * parameter;
      const double m_hat = first / (1 - std::pow(rule.beta1, done));
      const double v_hat = second / (1 - std::pow(rule.beta2, done));
      parameter -= lr * m_hat / (std::sqrt(v_hat) + rule.epsilon);
      EXPECT_NEAR(p.read()[0], parameter, 1e-14);
      EXPECT_DOUBLE_EQ(m.read()[0], first);
      EXPECT_DOUBLE_EQ(v.read()[0], second);
    }
  }
}

// Three steps of PyTorch's formulas, written out for each rule on one parameter.
TEST(Optimizer, SgdStepsFollowPyTorch) {
  TestDevice device;
  for (const kernels::SgdRule& rule : kRules) {
    SCOPED_TRACE(testing::Message()
                 << "momentum " << rule.momentum << ", dampening " << rule.dampening
                 << ", weight decay " << rule.weight_decay << ", nesterov " << rule.nesterov
                 << ", rate in velocity " << rule.rate_in_velocity);
    const bool with_momentum = rule.momentum > 0;
    TestTensor<double> p(device, Array<double>({1}, 1.5)), v(device, Dims{1}), g(device, Dims{1});
    TestTensor<double> rate(device, Dims{});
    double parameter = 1.5, buffer = 0;
    for (const double gradient : {0.3, -0.7, 0.2}) {
      const double lr = 0.1 + gradient;
      g.write(Array<double>({1}, gradient));
      rate.write(Array<double>({}, lr));
      ASSERT_OK(gt_sgd_step(device.stream(), p, with_momentum ? v : gt_tensor{}, p,
                            with_momentum ? v : gt_tensor{}, g, rate, rule.momentum, rule.dampening,
                            rule.weight_decay, rule.nesterov, rule.rate_in_velocity));
      double d = gradient + rule.weight_decay * parameter;
      if (rule.rate_in_velocity) d *= lr;
      if (with_momentum) {
        buffer = rule.momentum * buffer + (1 - rule.dampening) * d;
        d = rule.nesterov ? d + rule.momentum * buffer : buffer;
        EXPECT_DOUBLE_EQ(v.read()[0], buffer);
      }
      parameter -= rule.rate_in_velocity ? d : lr * d;
      EXPECT_DOUBLE_EQ(p.read()[0], parameter);
    }
  }
}

// With a constant gradient of 1, momentum 0.9 and rate 0.01 the step tends to -0.1, ten times one
// without momentum.
TEST(Optimizer, MomentumReachesItsTerminalStep) {
  TestDevice device;
  TestTensor<float> p(device, Dims{1}), v(device, Dims{1}), g(device, Array<float>({1}, 1.0f));
  TestTensor<float> rate(device, Array<float>({}, 0.01f));
  float before = 0, after = 0;
  for (int i = 0; i < 200; ++i) {
    before = p.read()[0];
    ASSERT_OK(gt_sgd_step(device.stream(), p, v, p, v, g, rate, 0.9, 0, 0, 0, 0));
    after = p.read()[0];
  }
  EXPECT_NEAR(after - before, -0.1, 1e-5);
}

TEST(Optimizer, ScalarsAreReadWhenTheProgramRuns) {
  TestDevice device;
  const gt_stream s = device.stream();
  TestTensor<float> p(device, Array<float>({2}, {1, 2})), g(device, Array<float>({2}, {3, 4}));
  TestTensor<float> rate(device, Dims{}), length(device, Dims{});
  gt_program program = nullptr;
  ASSERT_OK(gt_stream_begin_recording(s));
  ASSERT_OK(gt_norm(s, length, g));
  ASSERT_OK(gt_clip_by_norm(s, g, g, length, 1));
  ASSERT_OK(gt_sgd_step(s, p, nullptr, p, nullptr, g, rate, 0, 0, 0, 0, 0));
  ASSERT_OK(gt_stream_end_recording(&program, s));
  rate.write(Array<float>({}, 1.0f));
  ASSERT_OK(gt_program_run(program));
  EXPECT_EQ(length.read()[0], 5);
  expect_close(p.read(), Array<float>({2}, {0.4f, 1.2f}), 1e-6, 0);
  rate.write(Array<float>({}, 0.0f));
  ASSERT_OK(gt_program_run(program));
  expect_close(p.read(), Array<float>({2}, {0.4f, 1.2f}), 1e-6, 0);
  gt_program_destroy(program);
}

// The rows [3,4] and [0.3,0.4] against limits 1, and against half a reference's norm.
TEST(Optimizer, ClipRowsScalesEachRowThatIsTooLong) {
  TestDevice device;
  const gt_stream s = device.stream();
  TestTensor<double> x(device, Array<double>({2, 2}, {3, 4, 0.3, 0.4})), y(device, Dims{2, 2});
  TestTensor<double> like(device, Array<double>({2, 2}, {0, 4, 0.1, 0}));
  ASSERT_OK(gt_clip_rows(s, y, x, nullptr, 1, 0));
  expect_close(y.read(), Array<double>({2, 2}, {0.6, 0.8, 0.3, 0.4}), 1e-15, 0);
  ASSERT_OK(gt_clip_rows(s, y, x, like, 0.5, 0.2));  // limits 2 and 0.1
  expect_close(y.read(), Array<double>({2, 2}, {1.2, 1.6, 0.06, 0.08}), 1e-15, 0);
  ASSERT_OK(gt_clip_rows(s, x, x, like, 0.5, 0.2));
  expect_same_bits(x.read(), y.read());
  like.write(Array<double>({2, 2}, {0, 4, 0.1, NAN}));  // no limit: the row stays
  x.write(Array<double>({2, 2}, {3, 4, 0.3, 0.4}));
  ASSERT_OK(gt_clip_rows(s, y, x, like, 0.5, 0.2));
  expect_close(y.read(), Array<double>({2, 2}, {1.2, 1.6, 0.3, 0.4}), 1e-15, 0);
}

TEST(Optimizer, ClipRowsAgreesWithF64) {
  TestDevice device;
  for (const Dims& dims :
       {Dims{1, 1}, Dims{3, 1}, Dims{7, 33}, Dims{0, 5}, Dims{5, 0}, Dims{3, 20000}}) {
    Array<float> x = random_array<float>(dims, 1), like = random_array<float>(dims, 2);
    if (x.count() > 2) x[1] = kInfinity;
    Array<double> wide(dims), wide_like(dims);
    for (int64_t i = 0; i < x.count(); ++i) {
      wide[i] = x[i];
      wide_like[i] = like[i];
    }
    TestTensor<float> a(device, x), b(device, like), y(device, dims);
    TestTensor<double> wide_a(device, wide), wide_b(device, wide_like), wide_y(device, dims);
    ASSERT_OK(gt_clip_rows(device.stream(), y, a, b, 0.5, 1e-3));
    ASSERT_OK(gt_clip_rows(device.stream(), wide_y, wide_a, wide_b, 0.5, 1e-3));
    const Array<float> found = y.read();
    const Array<double> expected = wide_y.read();
    for (int64_t i = 0; i < x.count(); ++i) {
      if (std::isinf(expected[i])) {
        EXPECT_EQ(found[i], expected[i]);
      } else {
        EXPECT_NEAR(found[i], expected[i], 3e-7 * std::abs(expected[i]));
      }
    }
  }
}

TEST(Optimizer, LerpAgreesWithNaive) {
  SerialLauncher launcher(2);
  for_each_simd_level([&](const char*) {
    for (const int64_t n : kCounts) {
      Array<float> a = random_array<float>({n}, 1), b = random_array<float>({n}, 2);
      Array<float> weight({}, 0.3f), y({n}, 7), expected({n});
      kernels::lerp(launcher, y.tensor(), a.tensor(), b.tensor(), weight.tensor());
      kernels::naive::lerp(expected.data(), a.data(), b.data(), n, weight[0]);
      expect_close(y, expected, 0, 3e-7);
      kernels::lerp(launcher, a.tensor(), a.tensor(), b.tensor(), weight.tensor());
      expect_same_bits(a, y);
    }
  });
}

TEST(Optimizer, InPlaceAndForEveryNumberOfThreads) {
  const Dims dims{50001};
  std::vector<Array<float>> first;
  for (const int threads : {1, 2, 3}) {
    TestDevice device(threads);
    const gt_stream s = device.stream();
    TestTensor<float> p(device, random_array<float>(dims, 1)), new_p(device, dims);
    TestTensor<float> v(device, random_array<float>(dims, 2)), new_v(device, dims);
    TestTensor<float> g(device, random_array<float>(dims, 3)), clipped(device, dims);
    TestTensor<float> rate(device, Array<float>({}, 0.1f)), length(device, Dims{});
    ASSERT_OK(gt_norm(s, length, g));
    ASSERT_OK(gt_clip_by_norm(s, clipped, g, length, 0.5));
    ASSERT_OK(gt_clip_by_norm(s, g, g, length, 0.5));
    expect_same_bits(g.read(), clipped.read());
    ASSERT_OK(gt_sgd_step(s, new_p, new_v, p, v, g, rate, 0.9, 0, 1e-4, 1, 0));
    ASSERT_OK(gt_sgd_step(s, p, v, p, v, g, rate, 0.9, 0, 1e-4, 1, 0));
    expect_same_bits(p.read(), new_p.read());
    expect_same_bits(v.read(), new_v.read());
    TestTensor<float> m(device, random_array<float>(dims, 4)), new_m(device, dims);
    TestTensor<int64_t> step(device, Array<int64_t>({}, int64_t{2}));
    v.write(Array<float>(dims, 0.5f));
    ASSERT_OK(
        gt_adam_step(s, new_p, new_m, new_v, p, m, v, g, rate, step, 0.9, 0.999, 1e-8, 0.1, 1));
    ASSERT_OK(gt_adam_step(s, p, m, v, p, m, v, g, rate, step, 0.9, 0.999, 1e-8, 0.1, 1));
    expect_same_bits(p.read(), new_p.read());
    expect_same_bits(m.read(), new_m.read());
    expect_same_bits(v.read(), new_v.read());
    const std::vector<Array<float>> all = {length.read(), g.read(), p.read(), v.read(), m.read()};
    if (first.empty()) first = all;
    for (size_t i = 0; i < all.size(); ++i) expect_same_bits(all[i], first[i]);
  }
}

TEST(Optimizer, RefusesWhatItsContractDoesNotAllow) {
  TestDevice device;
  const gt_stream s = device.stream();
  TestTensor<float> p(device, Dims{4}), v(device, Dims{4}), g(device, Dims{4}),
      few(device, Dims{3});
  TestTensor<float> scalar(device, Dims{});
  TestTensor<double> wide(device, Dims{});
  const auto refused = [](gt_status status, const char* part) {
    EXPECT_REFUSED(status, GT_INVALID_ARGUMENT, part);
  };
  refused(gt_norm(s, p, g), "[norm] norm must be f32 ()");
  refused(gt_norm(s, wide, g), "dtypes differ");
  refused(gt_norm(s, scalar, scalar), "norm and x share memory");
  refused(gt_clip_by_norm(s, p, g, scalar, 0), "[clip_by_norm] max_norm must be positive");
  refused(gt_clip_by_norm(s, p, g, scalar, NAN), "max_norm must be positive");
  refused(gt_clip_by_norm(s, p, g, p, 1), "norm must be f32 ()");
  refused(gt_clip_by_norm(s, p, few, scalar, 1), "shapes differ: y is f32 (4), x is f32 (3)");

  const auto sgd = [&](gt_tensor new_v, gt_tensor old_v, gt_tensor gradient, gt_tensor rate,
                       double momentum, double dampening, double decay, int32_t nesterov) {
    return gt_sgd_step(s, p, new_v, p, old_v, gradient, rate, momentum, dampening, decay, nesterov,
                       0);
  };
  refused(sgd(v, v, few, scalar, 0.9, 0, 0, 0), "[sgd_step] shapes differ: gradient is f32 (3)");
  refused(sgd(v, v, g, p, 0.9, 0, 0, 0), "learning_rate must be f32 ()");
  refused(sgd(v, v, g, wide, 0.9, 0, 0, 0), "learning_rate is f64 ()");
  refused(sgd(v, v, g, scalar, -1, 0, 0, 0), "momentum must be finite and not negative");
  refused(sgd(v, v, g, scalar, 0.9, NAN, 0, 0), "dampening must be finite");
  refused(sgd(v, v, g, scalar, 0.9, 0, INFINITY, 0), "weight_decay must be finite");
  refused(sgd(v, v, g, scalar, 0.9, 0, 0, 2), "nesterov must be 0 or 1");
  refused(sgd(v, nullptr, g, scalar, 0.9, 0, 0, 0), "velocity must not be NULL");
  refused(sgd(nullptr, v, g, scalar, 0.9, 0, 0, 0), "new_velocity must not be NULL");
  refused(sgd(v, v, g, scalar, 0, 0, 0, 0), "new_velocity must be NULL");
  refused(sgd(nullptr, nullptr, g, scalar, 0, 0, 0, 1), "nesterov needs momentum");
  refused(sgd(g, v, g, scalar, 0.9, 0, 0, 0), "new_velocity and gradient share memory");

  TestTensor<float> rows(device, Dims{2, 2}), to(device, Dims{2, 2});
  refused(gt_clip_rows(s, p, g, nullptr, 1, 0), "[clip_rows] x must have rank 2");
  refused(gt_clip_rows(s, to, rows, nullptr, 0, 0), "ratio must be positive and finite, but is 0");
  refused(gt_clip_rows(s, to, rows, nullptr, 1, -1), "floor must be finite and not negative");
  refused(gt_clip_rows(s, to, rows, g, 1, 0), "shapes differ: reference is f32 (4)");
  refused(gt_clip_rows(s, to, rows, to, 1, 0), "y and reference share memory");
  refused(gt_lerp(s, p, v, few, scalar), "[lerp] shapes differ: b is f32 (3)");
  refused(gt_lerp(s, p, v, g, g), "weight must be f32 ()");
  refused(gt_lerp(s, p, v, p, scalar), "y and b share memory");

  TestTensor<float> m(device, Dims{4});
  TestTensor<int64_t> step(device, Dims{});
  const auto adam = [&](gt_tensor new_m, gt_tensor gradient, gt_tensor number, double beta1,
                        double beta2, double epsilon, double decay, int32_t decoupled) {
    return gt_adam_step(s, p, new_m, v, p, m, v, gradient, scalar, number, beta1, beta2, epsilon,
                        decay, decoupled);
  };
  refused(adam(m, few, step, 0.9, 0.99, 1, 0, 0), "[adam_step] shapes differ: gradient is f32 (3)");
  refused(adam(m, g, scalar, 0.9, 0.99, 1, 0, 0), "step must be i64, but is f32 ()");
  refused(adam(m, g, step, 1, 0.99, 1, 0, 0), "beta1 must be in [0, 1), but is 1");
  refused(adam(m, g, step, 0.9, -1, 1, 0, 0), "beta2 must be in [0, 1), but is -1");
  refused(adam(m, g, step, 0.9, 0.99, 0, 0, 0), "epsilon must be positive and finite, but is 0");
  refused(adam(m, g, step, 0.9, 0.99, 1, NAN, 0), "weight_decay must be finite");
  refused(adam(m, g, step, 0.9, 0.99, 1, 0, 2), "decoupled must be 0 or 1");
  refused(adam(nullptr, g, step, 0.9, 0.99, 1, 0, 0), "new_m is NULL");
  refused(adam(g, g, step, 0.9, 0.99, 1, 0, 0), "new_m and gradient share memory");
}

}  // namespace
}  // namespace gatun::test
