#include "kernels/adaptive.h"

#include "kernels/adaptive_naive.h"
#include "support.h"

namespace gatun::test {
namespace {

using kernels::AdaptiveKind;
using kernels::AdaptiveRule;

const std::vector<AdaptiveRule> kRules = {
    {AdaptiveKind::AMSGRAD, 0.9, 0.99, 1e-6, 0.1, false},
    {AdaptiveKind::AMSGRAD, 0.9, 0.99, 1e-6, 0.1, true},
    {AdaptiveKind::NADAM, 0.9, 0.999, 1e-6, 0, false},
    {AdaptiveKind::NADAM, 0.5, 0.9, 1e-6, 0.1, true},
    {AdaptiveKind::ADAGRAD, 0, 0, 1e-6, 0.1, false},
    {AdaptiveKind::RMSPROP, 0, 0.99, 1e-6, 0.1, false},
    {AdaptiveKind::ADAGRAD, 0, 0, 1e-6, 0.1, true},
    {AdaptiveKind::RMSPROP, 0, 0.99, 1e-6, 0.1, true},
    {AdaptiveKind::RMSPROP, 0.9, 0.99, 1e-6, 0, false},
    {AdaptiveKind::RMSPROP, 0.9, 0.99, 1e-6, 0.1, true},
    {AdaptiveKind::LION, 0.9, 0.99, 1e-6, 0.1, true},
};

std::string name_of(const AdaptiveRule& rule) {
  return "rule " + std::to_string(static_cast<int>(rule.kind)) + ", beta1 " +
         std::to_string(rule.beta1);
}

TEST(Adaptive, AgreesWithNaive) {
  SerialLauncher launcher(2);
  for_each_simd_level([&](const char*) {
    for (const int64_t n : {0, 1, 3, 15, 16, 65, 16385, 100001}) {
      for (const AdaptiveRule& rule : kRules) {
        SCOPED_TRACE(name_of(rule) + ", " + std::to_string(n) + " elements");
        Array<float> p = random_array<float>({n}, 1), m = random_array<float>({n}, 2);
        Array<float> v = random_array<float>({n}, 3), w = random_array<float>({n}, 4);
        Array<float> g = random_array<float>({n}, 5), rate({}, 0.01f);
        for (int64_t i = 0; i < n; ++i) {
          v[i] *= v[i];
          w[i] *= w[i];
        }
        Array<int64_t> step({}, int64_t{6});
        Array<float> new_p({n}, 7), new_m({n}, 7), new_v({n}, 7), new_w({n}, 7);
        Array<float> to_p({n}, 7), to_m({n}, 7), to_v({n}, 7), to_w({n}, 7);
        const Tensor tensors[] = {new_p.tensor(), new_m.tensor(), new_v.tensor(),
                                  new_w.tensor(), p.tensor(),     m.tensor(),
                                  v.tensor(),     w.tensor(),     g.tensor()};
        const auto kept = [](bool is, const Tensor& t) { return is ? &t : nullptr; };
        const bool has_m = rule.has_m(), has_v = rule.has_v(), has_w = rule.has_greatest();
        kernels::adaptive_step(launcher,
                               {&tensors[0], kept(has_m, tensors[1]), kept(has_v, tensors[2]),
                                kept(has_w, tensors[3]), &tensors[4], kept(has_m, tensors[5]),
                                kept(has_v, tensors[6]), kept(has_w, tensors[7]), &tensors[8]},
                               rate.tensor(), step.tensor(), rule);
        const auto data = [](bool is, Array<float>& a) { return is ? a.data() : nullptr; };
        kernels::naive::adaptive_step<float>(
            {to_p.data(), data(has_m, to_m), data(has_v, to_v), data(has_w, to_w), p.data(),
             data(has_m, m), data(has_v, v), data(has_w, w), g.data()},
            0, n, rule.kind, kernels::AdaptiveFactors(rule, rate[0], step[0]));
        expect_close(new_v, to_v, 0, 4e-7);  // up to four roundings of values up to 2
        expect_close(new_w, to_w, 0, 4e-7);
        for (int64_t i = 0; i < n; ++i) {
          // The direction may be large where v is small, and Lion's sign may turn where its sum is
          // a rounding away from 0.
          const double moved = std::abs(static_cast<double>(to_p[i]) - p[i]);
          if (rule.kind == AdaptiveKind::LION && std::abs(0.9 * m[i] + 0.1 * (g[i])) < 1e-6) {
            continue;
          }
          ASSERT_NEAR(new_m[i], to_m[i], 4e-7 + 2e-6 * std::abs(to_m[i])) << "element " << i;
          ASSERT_NEAR(new_p[i], to_p[i], 4e-7 + 2e-6 * moved) << "element " << i;
        }
      }
    }
  });
}

// What has no gradient stays where it is: the gaps of a slab.
TEST(Adaptive, LeavesWhatHasNoGradient) {
  TestDevice device;
  for (const AdaptiveRule& rule : kRules) {
    SCOPED_TRACE(name_of(rule));
    const Dims dims{40};
    TestTensor<float> p(device, dims), m(device, dims), v(device, dims), w(device, dims);
    TestTensor<float> g(device, dims), rate(device, Array<float>({}, 0.1f));
    TestTensor<int64_t> step(device, Dims{});
    gt_tensor of_m = rule.has_m() ? m : gt_tensor{}, of_v = rule.has_v() ? v : gt_tensor{},
              of_w = rule.has_greatest() ? w : gt_tensor{};
    ASSERT_OK(gt_adaptive_step(device.stream(), p, of_m, of_v, of_w, p, of_m, of_v, of_w, g, rate,
                               step, static_cast<int32_t>(rule.kind), rule.beta1, rule.beta2, 1e-60,
                               rule.weight_decay, rule.decoupled));
    for (const auto* t : {&p, &m, &v, &w}) expect_same_bits(t->read(), Array<float>(dims));
  }
}

// A gradient that is NaN shows in its parameter and in the states that it enters, and in no other.
TEST(Adaptive, KeepsNaN) {
  for_each_simd_level([](const char*) {
    for (const AdaptiveRule& rule : kRules) {
      SCOPED_TRACE(name_of(rule));
      const int64_t n = 21;
      Array<float> p({n}, 1), m({n}, 0.5f), v({n}, 0.5f), w({n}, 2), g({n}, 0.1f), rate({}, 0.1f);
      Array<int64_t> step({}, int64_t{3});
      for (const int64_t i : {2, 20}) g[i] = std::numeric_limits<float>::quiet_NaN();
      const Tensor states[] = {m.tensor(), v.tensor(), w.tensor()}, parameter = p.tensor(),
                   gradient = g.tensor();
      const Tensor *of_m = rule.has_m() ? &states[0] : nullptr,
                   *of_v = rule.has_v() ? &states[1] : nullptr,
                   *of_w = rule.has_greatest() ? &states[2] : nullptr;
      SerialLauncher launcher;
      kernels::adaptive_step(
          launcher, {&parameter, of_m, of_v, of_w, &parameter, of_m, of_v, of_w, &gradient},
          rate.tensor(), step.tensor(), rule);
      for (int64_t i = 0; i < n; ++i) {
        const bool ruined = i == 2 || i == 20;
        EXPECT_EQ(std::isnan(p[i]), ruined) << i;
        EXPECT_EQ(std::isnan(m[i]), ruined && rule.has_m()) << i;
        EXPECT_EQ(std::isnan(v[i]), ruined && rule.has_v()) << i;
        EXPECT_EQ(std::isnan(w[i]), ruined && rule.has_greatest()) << i;
      }
    }
  });
}

// Ten steps of each published formula on one parameter, in f64. NAdam's product of momenta is
// multiplied step by step here.
TEST(Adaptive, StepsFollowTheirFormulas) {
  TestDevice device;
  for (const AdaptiveRule& rule : kRules) {
    SCOPED_TRACE(name_of(rule));
    TestTensor<double> p(device, Array<double>({1}, 1.5)), m(device, Dims{1}), v(device, Dims{1});
    TestTensor<double> w(device, Dims{1}), g(device, Dims{1}), rate(device, Dims{});
    TestTensor<int64_t> step(device, Dims{});
    gt_tensor of_m = rule.has_m() ? m : gt_tensor{}, of_v = rule.has_v() ? v : gt_tensor{},
              of_w = rule.has_greatest() ? w : gt_tensor{};
    const double b1 = rule.beta1, b2 = rule.beta2;
    double x = 1.5, first = 0, second = 0, greatest = 0, product = 1;
    for (int t = 1; t <= 10; ++t) {
      const double lr = 0.1 / t, gradient = std::sin(3.0 * t) * x;
      g.write(Array<double>({1}, gradient));
      rate.write(Array<double>({}, lr));
      step.write(Array<int64_t>({}, int64_t{t - 1}));
      ASSERT_OK(gt_adaptive_step(device.stream(), p, of_m, of_v, of_w, p, of_m, of_v, of_w, g, rate,
                                 step, static_cast<int32_t>(rule.kind), b1, b2, rule.epsilon,
                                 rule.weight_decay, rule.decoupled));
      const double d = gradient + (rule.decoupled ? 0 : rule.weight_decay * x);
      if (rule.decoupled) x -= lr * rule.weight_decay * x;
      const double correction = 1 - std::pow(b2, t);
      switch (rule.kind) {
        case AdaptiveKind::AMSGRAD:
          first = b1 * first + (1 - b1) * d;
          second = b2 * second + (1 - b2) * d * d;
          greatest = std::max(greatest, second);
          x -= lr * first / (1 - std::pow(b1, t)) /
               (std::sqrt(greatest / correction) + rule.epsilon);
          break;
        case AdaptiveKind::NADAM: {
          const double now = b1 * (1 - 0.5 * std::pow(0.96, 0.004 * t));
          const double next = b1 * (1 - 0.5 * std::pow(0.96, 0.004 * (t + 1)));
          product *= now;
          first = b1 * first + (1 - b1) * d;
          second = b2 * second + (1 - b2) * d * d;
          const double root = std::sqrt(second / correction) + rule.epsilon;
          x -= lr * (1 - now) / (1 - product) * d / root;
          x -= lr * next / (1 - product * next) * first / root;
          break;
        }
        case AdaptiveKind::ADAGRAD:
          second += d * d;
          x -= lr * d / (std::sqrt(second) + rule.epsilon);
          break;
        case AdaptiveKind::RMSPROP: {
          second = b2 * second + (1 - b2) * d * d;
          const double q = d / (std::sqrt(second) + rule.epsilon);
          first = b1 * first + q;
          x -= lr * (b1 > 0 ? first : q);
          break;
        }
        case AdaptiveKind::LION: {
          const double mix = b1 * first + (1 - b1) * d;
          x -= lr * ((mix > 0) - (mix < 0));
          first = b2 * first + (1 - b2) * d;
          break;
        }
      }
      ASSERT_NEAR(p.read()[0], x, 1e-13) << "step " << t;
    }
  }
}

// The learning rate's sign counts, though Lion's step has one of its own.
TEST(Adaptive, LionGoesUphillAtANegativeRate) {
  for_each_simd_level([](const char*) {
    const int64_t n = 21;
    Array<float> p({n}, 1), m({n}), g({n}, 0.1f), rate({}, -0.5f);
    for (int64_t i = 0; i < n; i += 2) g[i] = -0.1f;
    Array<int64_t> step({});
    const Tensor parameter = p.tensor(), state = m.tensor(), gradient = g.tensor();
    SerialLauncher launcher;
    kernels::adaptive_step(
        launcher,
        {&parameter, &state, nullptr, nullptr, &parameter, &state, nullptr, nullptr, &gradient},
        rate.tensor(), step.tensor(), {AdaptiveKind::LION, 0.9, 0.99, 1e-8, 0, false});
    for (int64_t i = 0; i < n; ++i) EXPECT_EQ(p[i], i % 2 == 0 ? 0.5f : 1.5f) << i;
  });
}

// A state that is NaN is not forgotten for a number.
TEST(Adaptive, AmsgradsGreatestSquareStaysNaN) {
  for_each_simd_level([](const char*) {
    const int64_t n = 21;
    Array<float> p({n}, 1), m({n}), v({n}, 0.5f), w({n}, 2), g({n}, 0.1f), rate({}, 0.1f);
    Array<int64_t> step({});
    for (const int64_t i : {2, 20}) w[i] = std::numeric_limits<float>::quiet_NaN();
    const Tensor of_p = p.tensor(), of_m = m.tensor(), of_v = v.tensor(), of_w = w.tensor(),
                 gradient = g.tensor();
    SerialLauncher launcher;
    kernels::adaptive_step(
        launcher, {&of_p, &of_m, &of_v, &of_w, &of_p, &of_m, &of_v, &of_w, &gradient},
        rate.tensor(), step.tensor(), {AdaptiveKind::AMSGRAD, 0.9, 0.99, 1e-8, 0, false});
    for (int64_t i = 0; i < n; ++i) {
      EXPECT_EQ(std::isnan(w[i]), i == 2 || i == 20) << i;
      EXPECT_EQ(std::isnan(p[i]), i == 2 || i == 20) << i;
    }
  });
}

// The closed form of the product of NAdam's momenta, far out, where the loop is long.
TEST(Adaptive, NadamsProductOfMomentaHoldsAfterManySteps) {
  const AdaptiveRule rule = {AdaptiveKind::NADAM, 0.9999, 0.999, 1e-8, 0, false};
  double product = 1;
  int64_t t = 0;
  for (const int64_t last : {1, 2, 10, 100, 1000}) {
    for (; t < last; ++t) {
      product *= 0.9999 * (1 - 0.5 * std::pow(0.96, 0.004 * static_cast<double>(t + 1)));
    }
    const double now = 0.9999 * (1 - 0.5 * std::pow(0.96, 0.004 * static_cast<double>(t)));
    const kernels::AdaptiveFactors factors(rule, 1, t - 1);
    EXPECT_NEAR(factors.rate_d, (1 - now) / (1 - product), 1e-12) << "step " << t;
  }
}

TEST(Adaptive, InPlaceAndForEveryNumberOfThreads) {
  const Dims dims{50001};
  for (const AdaptiveRule& rule : kRules) {
    SCOPED_TRACE(name_of(rule));
    std::vector<Array<float>> first;
    for (const int threads : {1, 2, 3}) {
      TestDevice device(threads);
      Array<float> square = random_array<float>(dims, 3);
      for (int64_t i = 0; i < square.count(); ++i) square[i] *= square[i];
      TestTensor<float> p(device, random_array<float>(dims, 1)), new_p(device, dims);
      TestTensor<float> m(device, random_array<float>(dims, 2)), new_m(device, dims);
      TestTensor<float> v(device, square), new_v(device, dims);
      TestTensor<float> w(device, square), new_w(device, dims);
      TestTensor<float> g(device, random_array<float>(dims, 4));
      TestTensor<float> rate(device, Array<float>({}, 0.1f));
      TestTensor<int64_t> step(device, Array<int64_t>({}, int64_t{2}));
      const auto run = [&](gt_tensor to_p, gt_tensor to_m, gt_tensor to_v, gt_tensor to_w) {
        const auto kept = [](bool is, gt_tensor t) { return is ? t : nullptr; };
        const bool has_m = rule.has_m(), has_v = rule.has_v(), has_w = rule.has_greatest();
        ASSERT_OK(gt_adaptive_step(device.stream(), to_p, kept(has_m, to_m), kept(has_v, to_v),
                                   kept(has_w, to_w), p, kept(has_m, m), kept(has_v, v),
                                   kept(has_w, w), g, rate, step, static_cast<int32_t>(rule.kind),
                                   rule.beta1, rule.beta2, rule.epsilon, rule.weight_decay,
                                   rule.decoupled));
      };
      run(new_p, new_m, new_v, new_w);
      run(p, m, v, w);
      expect_same_bits(p.read(), new_p.read());
      if (rule.has_m()) expect_same_bits(m.read(), new_m.read());
      if (rule.has_v()) expect_same_bits(v.read(), new_v.read());
      if (rule.has_greatest()) expect_same_bits(w.read(), new_w.read());
      const std::vector<Array<float>> all = {p.read(), m.read(), v.read(), w.read()};
      if (first.empty()) first = all;
      for (size_t i = 0; i < all.size(); ++i) expect_same_bits(all[i], first[i]);
    }
  }
}

TEST(Adaptive, RefusesWhatItsContractDoesNotAllow) {
  TestDevice device;
  TestTensor<float> p(device, Dims{4}), m(device, Dims{4}), v(device, Dims{4}), w(device, Dims{4});
  TestTensor<float> g(device, Dims{4}), few(device, Dims{3}), rate(device, Dims{});
  TestTensor<int64_t> step(device, Dims{});
  const auto refused = [&](gt_tensor of_m, gt_tensor of_v, gt_tensor of_w, gt_tensor gradient,
                           gt_tensor number, int32_t rule, double beta1, double beta2,
                           double epsilon, double decay, int32_t decoupled, const char* part) {
    EXPECT_REFUSED(
        gt_adaptive_step(device.stream(), p, of_m, of_v, of_w, p, of_m, of_v, of_w, gradient, rate,
                         number, rule, beta1, beta2, epsilon, decay, decoupled),
        GT_INVALID_ARGUMENT, part);
  };
  const int32_t amsgrad = GT_ADAPTIVE_AMSGRAD, adagrad = GT_ADAPTIVE_ADAGRAD;
  refused(m, v, w, few, step, amsgrad, 0.9, 0.99, 1, 0, 0,
          "[adaptive_step] shapes differ: gradient is f32 (3)");
  refused(m, v, w, g, rate, amsgrad, 0.9, 0.99, 1, 0, 0, "step must be i64, but is f32 ()");
  refused(m, v, w, g, step, 5, 0.9, 0.99, 1, 0, 0, "there is no rule 5");
  refused(m, v, w, g, step, amsgrad, 1, 0.99, 1, 0, 0, "beta1 must be in [0, 1), but is 1");
  refused(m, v, w, g, step, amsgrad, 0.9, -1, 1, 0, 0, "beta2 must be in [0, 1), but is -1");
  refused(m, v, w, g, step, amsgrad, 0.9, 0.99, 0, 0, 0, "epsilon must be positive");
  refused(m, v, w, g, step, amsgrad, 0.9, 0.99, 1, NAN, 0, "weight_decay must be finite");
  refused(m, v, w, g, step, amsgrad, 0.9, 0.99, 1, 0, 2, "decoupled must be 0 or 1");
  refused(nullptr, v, w, g, step, amsgrad, 0.9, 0.99, 1, 0, 0, "new_m must not be NULL");
  refused(m, v, nullptr, g, step, amsgrad, 0.9, 0.99, 1, 0, 0, "new_greatest must not be NULL");
  refused(m, v, nullptr, g, step, adagrad, 0.9, 0.99, 1, 0, 0, "for rule 2 new_m must be NULL");
  refused(nullptr, v, w, g, step, adagrad, 0.9, 0.99, 1, 0, 0, "new_greatest must be NULL");
  refused(m, v, nullptr, g, step, GT_ADAPTIVE_LION, 0.9, 0.99, 1, 0, 0, "new_v must be NULL");
  refused(g, v, w, g, step, amsgrad, 0.9, 0.99, 1, 0, 0, "new_m and gradient share memory");
  EXPECT_REFUSED(gt_adaptive_step(device.stream(), p, m, v, nullptr, p, v, m, nullptr, g, rate,
                                  step, GT_ADAPTIVE_NADAM, 0.9, 0.99, 1, 0, 0),
                 GT_INVALID_ARGUMENT, "share memory");
}

}  // namespace
}  // namespace gatun::test
