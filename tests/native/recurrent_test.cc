#include "kernels/recurrent.h"

#include <optional>

#include "kernels/recurrent_naive.h"
#include "support.h"

namespace gatun::test {
namespace {

using kernels::Cell;
using kernels::Direction;
using kernels::Sequence;

constexpr Cell kCells[] = {Cell::TANH,  Cell::RELU,        Cell::SIGMOID,
                           Cell::UGRNN, Cell::GRU,         Cell::GRU_RESET_BEFORE,
                           Cell::LSTM,  Cell::INTERSECTION};

// A layer with all its operands. `extras`: with first states, mask, keep and bias.
struct Layer {
  Sequence s;
  bool extras;
  Dims steps(int64_t values) const { return {s.steps, s.batch, s.directions() * values * s.units}; }
  Dims states() const { return {s.directions(), s.batch, s.units}; }
  Dims matrix() const { return {s.directions() * s.form().gates * s.units, s.units}; }
  Dims gates() const { return {s.directions() * s.form().gates * s.units}; }

  Array<float> x, skip, weights, bias, gain, first, first_cell, mask, keep;
  Array<float> y, last, last_cell, saved;
  Array<float> dy, dlast, dlast_cell;
  Array<float> dx, dskip, dweights, dbias, dgain, dfirst, dfirst_cell;

  Layer(const Sequence& sequence, bool with_extras)
      : s(sequence),
        extras(with_extras),
        x(random_array<float>(steps(s.form().gates), 1, -2, 2)),
        skip(random_array<float>({s.steps, s.batch, s.units}, 2)),
        weights(random_array<float>(matrix(), 3, -scale(), scale())),
        bias(random_array<float>({s.directions() * s.units}, 4)),
        gain(random_array<float>(gates(), 12)),
        first(random_array<float>(states(), 5)),
        first_cell(random_array<float>(states(), 6)),
        mask({s.steps, s.batch}),
        keep(states()),
        y(steps(1), 7),
        last(states(), 7),
        last_cell(states(), 7),
        saved(steps(s.saved()), 7),
        dy(random_array<float>(steps(1), 8)),
        dlast(random_array<float>(states(), 9)),
        dlast_cell(random_array<float>(states(), 10)),
        dx(steps(s.form().gates), 7),
        dskip({s.steps, s.batch, s.units}, 7),
        dweights(matrix(), 7),
        dbias({s.directions() * s.units}, 7),
        dgain(gates(), 7),
        dfirst(states(), 7),
        dfirst_cell(states(), 7) {
    std::mt19937 random(11);
    for (int64_t i = 0; i < mask.count(); ++i) mask[i] = random() % 4 == 0 ? 0 : 1;
    for (int64_t i = 0; i < keep.count(); ++i) keep[i] = random() % 3 == 0 ? 0 : 1.5f;
  }

  // Weights whose sums are of the order of 1.
  double scale() const { return 1.7 / std::sqrt(static_cast<double>(s.units)); }

  kernels::RecurrentOperands<float> operands(bool saves = true) {
    const auto form = s.form();
    return {.y = y.data(),
            .last = last.data(),
            .last_cell = form.has_cell ? last_cell.data() : nullptr,
            .saved = saves && s.saved() > 0 ? saved.data() : nullptr,
            .x = x.data(),
            .skip = form.has_skip ? skip.data() : nullptr,
            .weights = weights.data(),
            .bias = extras && form.has_bias ? bias.data() : nullptr,
            .gain = s.normalised ? gain.data() : nullptr,
            .first = extras ? first.data() : nullptr,
            .first_cell = extras && form.has_cell ? first_cell.data() : nullptr,
            .mask = extras ? mask.data() : nullptr,
            .keep = extras ? keep.data() : nullptr};
  }

  kernels::RecurrentGradients<float> gradients() {
    const auto form = s.form();
    return {.dx = dx.data(),
            .dskip = form.has_skip ? dskip.data() : nullptr,
            .dweights = dweights.data(),
            .dbias = extras && form.has_bias ? dbias.data() : nullptr,
            .dgain = s.normalised ? dgain.data() : nullptr,
            .dfirst = extras ? dfirst.data() : nullptr,
            .dfirst_cell = extras && form.has_cell ? dfirst_cell.data() : nullptr,
            .dy = dy.data(),
            .dlast = extras ? dlast.data() : nullptr,
            .dlast_cell = extras && form.has_cell ? dlast_cell.data() : nullptr,
            .y = y.data(),
            .saved = s.saved() > 0 ? saved.data() : nullptr,
            .skip = form.has_skip ? skip.data() : nullptr,
            .weights = weights.data(),
            .gain = s.normalised ? gain.data() : nullptr,
            .first = extras ? first.data() : nullptr,
            .first_cell = extras && form.has_cell ? first_cell.data() : nullptr,
            .mask = extras ? mask.data() : nullptr,
            .keep = extras ? keep.data() : nullptr};
  }
};

// Of layer norms: so much that no sequence whose products happen to be equal is blown up.
constexpr double kEpsilon = 1e-2;

std::vector<Sequence> sequences(Cell cell) {
  std::vector<Sequence> all = {
      {cell, Direction::FORWARD, 1, 1, 1},   {cell, Direction::FORWARD, 5, 3, 7},
      {cell, Direction::REVERSE, 4, 9, 16},  {cell, Direction::BOTH, 6, 5, 33},
      {cell, Direction::FORWARD, 2, 13, 40}, {cell, Direction::BOTH, 1, 2, 5},
      {cell, Direction::FORWARD, 9, 150, 8}, {cell, Direction::BOTH, 3, 0, 4},
      {cell, Direction::REVERSE, 0, 3, 5},   {cell, Direction::FORWARD, 3, 2, 0}};
  const size_t plain = all.size();
  for (size_t i = 0; i < plain; ++i) {
    all.push_back(all[i]);
    all.back().normalised = true;
    all.back().epsilon = kEpsilon;
  }
  return all;
}

TEST(Recurrent, AgreesWithNaive) {
  for_each_simd_level([&](const char*) {
    for (const Cell cell : kCells) {
      for (const Sequence& s : sequences(cell)) {
        for (const bool extras : {false, true}) {
          SCOPED_TRACE(testing::Message() << "cell " << static_cast<int>(cell) << ", T " << s.steps
                                          << ", B " << s.batch << ", H " << s.units << ", extras "
                                          << extras << ", norm " << s.normalised);
          SerialLauncher launcher(3);
          Layer expected(s, extras), actual(s, extras);
          kernels::naive::recurrent(s, expected.operands());
          kernels::run_sequence(launcher, s, actual.operands());
          // Some units in the last place of values about 1, carried on through the steps.
          expect_close(actual.y, expected.y, 1e-5, 1e-5);
          expect_close(actual.last, expected.last, 1e-5, 1e-5);
          expect_close(actual.last_cell, expected.last_cell, 1e-5, 1e-5);
          expect_close(actual.saved, expected.saved, 1e-5, 1e-5);

          Layer inference(s, extras);
          kernels::run_sequence(launcher, s, inference.operands(false));
          expect_same_bits(inference.y, actual.y);
          expect_same_bits(inference.last, actual.last);

          actual.y = expected.y;
          actual.saved = expected.saved;
          kernels::naive::recurrent_backward(s, expected.gradients());
          kernels::run_sequence_backward(launcher, s, actual.gradients());
          expect_close(actual.dx, expected.dx, 1e-5, 1e-5);
          expect_close(actual.dfirst, expected.dfirst, 1e-5, 1e-5);
          expect_close(actual.dfirst_cell, expected.dfirst_cell, 1e-5, 1e-5);
          if (s.steps > 0 || s.form().has_skip) {
            expect_close(actual.dskip, expected.dskip, 1e-5, 1e-5);
          }
          // Sums over steps and sequences.
          const double sums = 1e-6 * std::sqrt(1.0 + static_cast<double>(s.steps * s.batch)) * 4;
          expect_close(actual.dweights, expected.dweights, 1e-5, sums + 1e-5);
          expect_close(actual.dbias, expected.dbias, 1e-5, sums + 1e-5);
          expect_close(actual.dgain, expected.dgain, 1e-5, sums + 1e-5);
        }
      }
    }
  });
}

// ---- Through the C ABI

struct Results {
  std::vector<Array<float>> all;
};

Results run(int threads, Cell cell, Direction direction, bool normalised, int64_t T, int64_t B,
            int64_t H) {
  const Sequence s{cell, direction, T, B, H, normalised, kEpsilon};
  Layer layer(s, true);
  const auto form = s.form();
  TestDevice device(threads);
  const gt_stream stream = device.stream();
  TestTensor<float> x(device, layer.x), weights(device, layer.weights), skip(device, layer.skip);
  TestTensor<float> bias(device, layer.bias), gain(device, layer.gain);
  TestTensor<float> dgain(device, layer.dgain);
  TestTensor<float> first(device, layer.first), c(device, layer.first_cell);
  TestTensor<float> mask(device, layer.mask), keep(device, layer.keep);
  TestTensor<float> y(device, layer.y), last(device, layer.last), last_c(device, layer.last_cell);
  TestTensor<float> saved(device, layer.saved), dy(device, layer.dy), dlast(device, layer.dlast);
  TestTensor<float> dlast_c(device, layer.dlast_cell), dx(device, layer.dx);
  TestTensor<float> dskip(device, layer.dskip), dweights(device, layer.dweights);
  TestTensor<float> dbias(device, layer.dbias), dfirst(device, layer.dfirst);
  TestTensor<float> dfirst_c(device, layer.dfirst_cell);
  const auto when = [](bool there, const TestTensor<float>& t) -> gt_tensor {
    return there ? static_cast<gt_tensor>(t) : nullptr;
  };
  const auto code = static_cast<int32_t>(cell), way = static_cast<int32_t>(direction);
  EXPECT_OK(gt_recurrent(stream, y, last, when(form.has_cell, last_c), when(s.saved() > 0, saved),
                         x, when(form.has_skip, skip), weights, when(form.has_bias, bias),
                         when(normalised, gain), first, when(form.has_cell, c), mask, keep, code,
                         way, kEpsilon));
  EXPECT_OK(gt_recurrent_backward(stream, dx, when(form.has_skip, dskip), dweights,
                                  when(form.has_bias, dbias), when(normalised, dgain), dfirst,
                                  when(form.has_cell, dfirst_c), dy, dlast,
                                  when(form.has_cell, dlast_c), y, when(s.saved() > 0, saved),
                                  when(form.has_skip, skip), weights, when(normalised, gain), first,
                                  when(form.has_cell, c), mask, keep, code, way, kEpsilon));
  return {{y.read(), last.read(), last_c.read(), saved.read(), dx.read(), dskip.read(),
           dweights.read(), dbias.read(), dgain.read(), dfirst.read(), dfirst_c.read()}};
}

TEST(Recurrent, SameBitsForEveryNumberOfThreads) {
  for (const Cell cell : kCells) {
    for (const Direction direction : {Direction::FORWARD, Direction::BOTH}) {
      for (const bool normalised : {false, true}) {
        const Results one = run(1, cell, direction, normalised, 7, 37, 48);
        for (const int threads : {2, 3, 8}) {
          const Results more = run(threads, cell, direction, normalised, 7, 37, 48);
          for (size_t i = 0; i < one.all.size(); ++i) expect_same_bits(more.all[i], one.all[i]);
        }
      }
    }
  }
}

// What does not start from a number stays visible.
TEST(Recurrent, NaNStaysNaN) {
  for_each_simd_level([](const char*) {
    for (const Cell cell : kCells) {
      SerialLauncher launcher;
      const Sequence s{cell, Direction::FORWARD, 3, 1, 9};
      Layer layer(s, false);
      for (int64_t i = 0; i < layer.x.count(); ++i) layer.x[i] = std::nanf("");
      kernels::run_sequence(launcher, s, layer.operands());
      for (int64_t i = 0; i < s.units; ++i) EXPECT_TRUE(std::isnan(layer.last[i])) << i;
    }
  });
}

// The lecture's step (reference value R9): biases are subtracted there, so x = W input - B.
TEST(Recurrent, UgrnnAndVanillaStepOfTheLecture) {
  TestDevice device;
  const gt_stream s = device.stream();
  // [R; G] stacked: W^hR, W^hG; x = 0.7 W^x - B.
  TestTensor<double> weights(device, Array<double>({4, 2}, {0.5, -0.25, 0.1, 0.2, 0.3, 0, 0, 0.3}));
  TestTensor<double> x(device,
                       Array<double>({1, 1, 4}, {0.7 - 0.1, -0.7 + 0.1, 0.35 + 1, 0.35 - 1}));
  TestTensor<double> first(device, Array<double>({1, 1, 2}, {0.2, -0.4}));
  TestTensor<double> y(device, Dims{1, 1, 2}), last(device, Dims{1, 1, 2}),
      saved(device, Dims{1, 1, 4});
  ASSERT_OK(gt_recurrent(s, y, last, nullptr, saved, x, nullptr, weights, nullptr, nullptr, first,
                         nullptr, nullptr, nullptr, GT_CELL_UGRNN, GT_DIRECTION_FORWARD, 0));
  expect_close(y.read(), Array<double>({1, 1, 2}, {0.29105982, -0.52191512}), 0, 5e-9);
  expect_close(saved.read(),
               Array<double>({1, 1, 4}, {0.66403677, -0.57836341, 0.80376594, 0.31647911}), 0,
               5e-9);
  TestTensor<double> only(device, Array<double>({2, 2}, {0.5, -0.25, 0.1, 0.2}));
  TestTensor<double> sums(device, Array<double>({1, 1, 2}, {0.7 - 0.1, -0.7 + 0.1}));
  ASSERT_OK(gt_recurrent(s, y, last, nullptr, nullptr, sums, nullptr, only, nullptr, nullptr, first,
                         nullptr, nullptr, nullptr, GT_CELL_SIGMOID, GT_DIRECTION_FORWARD, 0));
  expect_close(last.read(), Array<double>({1, 1, 2}, {0.68997448, 0.34073961}), 0, 5e-9);
}

TEST(Recurrent, RefusesWhatItsContractDoesNotAllow) {
  TestDevice device;
  const gt_stream s = device.stream();
  TestTensor<float> y(device, Dims{3, 2, 4}), last(device, Dims{1, 2, 4});
  TestTensor<float> saved(device, Dims{3, 2, 16}), x(device, Dims{3, 2, 12});
  TestTensor<float> weights(device, Dims{12, 4}), other(device, Dims{2, 2, 4});
  TestTensor<float> gain(device, Dims{12}), more(device, Dims{3, 2, 28});
  const auto gru = [&](gt_tensor to, gt_tensor end, gt_tensor kept, gt_tensor from, gt_tensor u,
                       gt_tensor cell = nullptr, int32_t kind = GT_CELL_GRU,
                       int32_t direction = GT_DIRECTION_FORWARD, gt_tensor norm = nullptr,
                       double epsilon = 0) {
    return gt_recurrent(s, to, end, nullptr, kept, from, nullptr, u, nullptr, norm, nullptr, cell,
                        nullptr, nullptr, kind, direction, epsilon);
  };
  const auto refused = [](gt_status status, const char* part) {
    EXPECT_REFUSED(status, GT_INVALID_ARGUMENT, part);
  };
  ASSERT_OK(gru(y, last, saved, x, weights));
  refused(gru(y, last, saved, x, weights, nullptr, 8), "unknown cell 8");
  refused(gru(y, last, saved, x, weights, nullptr, GT_CELL_GRU, 3), "unknown direction 3");
  refused(gru(y, last, saved, y, weights), "x must be f32 (3, 2, 12)");
  refused(gru(y, other, saved, x, weights), "last must be f32 (1, 2, 4), but is f32 (2, 2, 4)");
  refused(gru(y, last, x, x, weights), "saved must be f32 (3, 2, 16)");
  refused(gru(y, last, saved, x, x), "weights must be");
  refused(gru(y, last, saved, x, weights, last), "first_cell must be NULL for this cell");
  refused(gru(y, last, saved, x, weights, nullptr, GT_CELL_LSTM), "last_cell is NULL");
  refused(gru(y, nullptr, saved, x, weights), "last is NULL");
  const auto normalised = [&](gt_tensor kept, gt_tensor norm, double epsilon) {
    return gru(y, last, kept, x, weights, nullptr, GT_CELL_GRU, GT_DIRECTION_FORWARD, norm,
               epsilon);
  };
  ASSERT_OK(normalised(more, gain, 1e-5));
  refused(normalised(more, last, 1e-5), "gain must be f32 (12)");
  refused(normalised(saved, gain, 1e-5), "saved must be f32 (3, 2, 28)");
  refused(normalised(more, gain, 0), "epsilon must be positive and finite, but is 0");
}

TEST(Gather, RowsAndTheirSums) {
  for (const int threads : {1, 2}) {
    TestDevice device(threads);
    const gt_stream s = device.stream();
    TestTensor<float> table(device, random_array<float>({5, 130}, 1)), y(device, Dims{7, 130});
    TestTensor<float> sums(device, Dims{5, 130}), dy(device, random_array<float>({7, 130}, 2));
    TestTensor<int32_t> by(device, Array<int32_t>({7}, {4, 0, -1, 4, 5, 2, 4}));
    ASSERT_OK(gt_gather_rows(s, y, table, by));
    const Array<float> rows = y.read(), from = table.read(), slopes = dy.read();
    for (int64_t i = 0; i < 130; ++i) {
      EXPECT_EQ(rows[i], from[4 * 130 + i]);
      EXPECT_EQ(rows[2 * 130 + i], 0);
      EXPECT_TRUE(std::isnan(rows[4 * 130 + i]));
    }
    ASSERT_OK(gt_scatter_add_rows(s, sums, dy, by));
    const Array<float> got = sums.read();
    for (int64_t i = 0; i < 130; ++i) {
      EXPECT_EQ(got[4 * 130 + i], slopes[i] + slopes[3 * 130 + i] + slopes[6 * 130 + i]);
      EXPECT_EQ(got[1 * 130 + i], 0);
      EXPECT_EQ(got[2 * 130 + i], slopes[5 * 130 + i]);
    }
    EXPECT_REFUSED(gt_gather_rows(s, y, sums, sums), GT_INVALID_ARGUMENT, "indices must be i32");
    EXPECT_REFUSED(gt_gather_rows(s, y, y, by), GT_INVALID_ARGUMENT, "share memory");
  }
}

}  // namespace
}  // namespace gatun::test
