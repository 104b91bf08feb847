// Convolutions by wgmma: what the copy engine finds of windows and filters, and the kernel that
// multiplies them, on the emulation's model of both.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "cuda/kernels/conv_hopper_kernel.h"
#include "faults.h"

namespace gatun::cuda {
namespace {

// Numbers at a place aligned to 16 bytes.
struct Numbers {
  std::vector<Bf16> memory;
  Bf16* data;
  int64_t count;

  Numbers(int64_t n, uint32_t seed) : memory(n + 8), count(n) {
    data = memory.data();
    while (reinterpret_cast<uintptr_t>(data) % 16 != 0) ++data;
    std::mt19937 random(seed);
    std::uniform_real_distribution<float> number(-1, 1);
    for (Bf16& x : memory) x = to_bf16(number(random));
  }
  Global<const Bf16> global() const { return Global<const Bf16>(data, count); }
  float operator[](int64_t i) const { return to_float(data[i]); }
};

// x [n,h,w,c], filters [k,r,s,c], y [n, y_h, y_w, k].
struct Conv {
  int64_t n, h, w, c, k, r, s;
  int32_t stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0;
  int32_t dilation_h = 1, dilation_w = 1;

  int64_t y_h() const { return (h + 2 * pad_h - (r - 1) * dilation_h - 1) / stride_h + 1; }
  int64_t y_w() const { return (w + 2 * pad_w - (s - 1) * dilation_w - 1) / stride_w + 1; }
  int64_t pixels() const { return n * y_h() * y_w(); }

  // Where a tap of a window lies in x; negative outside.
  int64_t place(int64_t pixel, int64_t tap) const {
    const int64_t column = pixel % y_w() * stride_w - pad_w + tap % s * dilation_w;
    const int64_t row = pixel / y_w() % y_h() * stride_h - pad_h + tap / s * dilation_h;
    if (row < 0 || row >= h || column < 0 || column >= w) return -1;
    return ((pixel / (y_h() * y_w()) * h + row) * w + column) * c;
  }
  // What windows see of x.
  WindowSource<Bf16> windows(Global<const Bf16> x) const {
    return source(x, n, h, w, c, y_h(), y_w(), {0, -pad_h, stride_h, dilation_h},
                  {0, -pad_w, stride_w, dilation_w});
  }
  // What the pixels of x see of dy, of stride 1.
  WindowSource<Bf16> gradient_windows(Global<const Bf16> dy) const {
    return source(dy, n, y_h(), y_w(), k, h, w, {0, pad_h, 1, -dilation_h},
                  {0, pad_w, 1, -dilation_w});
  }

 private:
  WindowSource<Bf16> source(Global<const Bf16> x, int64_t images, int64_t height, int64_t width,
                            int64_t channels, int64_t down, int64_t across, WindowAxis rows,
                            WindowAxis columns) const {
    rows.size = static_cast<int32_t>(height);
    columns.size = static_cast<int32_t>(width);
    return {.data = x,
            .lines = images * down * across,
            .positions = r * s * channels,
            .rows = rows,
            .columns = columns,
            .windows_down = Divisor(down),
            .windows_across = Divisor(across),
            .taps_across = Divisor(s),
            .channels = Divisor(channels),
            .pixel_step = channels,
            .row_step = width * channels,
            .image_step = height * width * channels};
  }
};

std::ostream& operator<<(std::ostream& out, const Conv& v) {
  return out << v.n << " images " << v.h << "x" << v.w << "x" << v.c << ", " << v.k << " filters "
             << v.r << "x" << v.s << ", stride " << v.stride_h << "x" << v.stride_w << ", padding "
             << v.pad_h << "x" << v.pad_w << ", dilation " << v.dilation_h << "x" << v.dilation_w;
}

const Conv kSquare{
    .n = 3, .h = 7, .w = 6, .c = 72, .k = 40, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1};
const Conv kStrided{.n = 5,
                    .h = 12,
                    .w = 11,
                    .c = 8,
                    .k = 24,
                    .r = 3,
                    .s = 2,
                    .stride_h = 2,
                    .stride_w = 3,
                    .pad_h = 1};
const Conv kDilated{.n = 2,
                    .h = 9,
                    .w = 10,
                    .c = 64,
                    .k = 72,
                    .r = 3,
                    .s = 3,
                    .pad_h = 2,
                    .pad_w = 1,
                    .dilation_h = 2,
                    .dilation_w = 3};

// PTX ISA's example of strides: images of 14 by 8 pixels and steps of 2, from image 7, row 7,
// column 5 on. First taps have the columns -1, 1, 3, 5 and the rows -1 to 11.
TEST(ConvHopper, GoesThroughWindowsAsPtxIsaSays) {
  const Numbers x(64 * 14 * 8 * 64, 1);
  const WindowedImages images{x.global(),
                              64,
                              {.size = 14, .first = -1, .step = 2, .windows = 7},
                              {.size = 8, .first = -1, .step = 2, .windows = 4},
                              64};
  TensorMap map = make_tensor_map("test", images, 32);
  // The example's corner is -1, which leaves the same pixels.
  for (const int64_t upper : {map.rows.upper, int64_t{-1}}) {
    map.rows.upper = map.columns.upper = upper;
    const auto corners =
        emulation::corners_from(map, {.channel = 0, .column = 5, .row = 7, .image = 7});
    ASSERT_EQ(corners.size(), 32u);
    const auto at = [&](int i) {
      return std::tuple(corners[i].image, corners[i].row, corners[i].column);
    };
    EXPECT_EQ(at(0), std::tuple(7, 7, 5));
    EXPECT_EQ(at(1), std::tuple(7, 9, -1));
    EXPECT_EQ(at(4), std::tuple(7, 9, 5));
    EXPECT_EQ(at(5), std::tuple(7, 11, -1));
    EXPECT_EQ(at(8), std::tuple(7, 11, 5));
    EXPECT_EQ(at(9), std::tuple(8, -1, -1));
    EXPECT_EQ(at(12), std::tuple(8, -1, 5));
    EXPECT_EQ(at(31), std::tuple(8, 9, 3));
  }
  EXPECT_EQ(upper_corner(images.columns), -2);
  EXPECT_EQ(upper_corner(images.rows), -2);
}

// Runs body(tile, barriers) by one thread, with room for a tile of 128 lines.
void run_copies(const std::function<void(Shared<Bf16>, Shared<uint64_t>)>& body) {
  constexpr int kBytes = 128 * kLineBytes;
  emulation::run({.blocks = {}, .threads = {kWarp}, .shared_bytes = kBytes + 8}, [&] {
    if (threadIdx.x != 0) return;
    const Shared<uint64_t> barriers = dynamic_shared<uint64_t>(kBytes, 1);
    set_up_barrier(barriers, 0, 1);
    body(dynamic_shared<Bf16>(0, kBytes / 2), barriers);
  });
}

// All stages of all tiles: every tap of every window, and zeros outside of images, behind the last
// image, and behind the last channel.
TEST(ConvHopper, CopiesEveryTapOfWindows) {
  for (const Conv& v : {kSquare, kStrided, kDilated}) {
    SCOPED_TRACE(testing::Message() << v);
    const Numbers x(v.n * v.h * v.w * v.c, 1), filters(v.k * v.r * v.s * v.c, 2);
    const FilterBank bank{filters.global(), v.k, v.r * v.s, v.c};
    const HopperWindows windows = windows_on_hopper(v.windows(x.global()));
    ASSERT_TRUE(fits_copy_engine(windows));
    const WindowStages stages = window_stages("test", windows, bank, 128);
    const int64_t channels = (v.c + 63) / 64 * 64;
    ASSERT_EQ(windows.depth(), v.r * v.s * channels);
    for (int64_t row = 0; row < v.pixels(); row += kHopperRows) {
      for (int64_t term = 0; term < windows.depth(); term += kHopperTerms) {
        run_copies([&](Shared<Bf16> tile, Shared<uint64_t> barriers) {
          const WindowStages::Place place = stages.first({0, row, 0}, term);
          arrive_expecting(barriers, 0, 128 * kLineBytes);
          stages.windows.load(stages.a, place.window, place.tap, tile, barriers, 0);
          wait_for_phase(barriers, 0, 0);
          const uint64_t descriptor = SwizzledTile<128, true>::descriptor(shared_address(tile), 0);
          for (int i = 0; i < 128; ++i) {
            for (int j = 0; j < 64; ++j) {
              const int64_t pixel = row + i, channel = term % channels + j;
              const int64_t at =
                  pixel < v.pixels() && channel < v.c ? v.place(pixel, term / channels) : -1;
              const uint64_t chunk = SwizzledTile<128, true>::later(descriptor, j / 16);
              ASSERT_EQ(emulation::element_of(chunk, true, i, j % 16), at < 0 ? 0 : x[at + channel])
                  << "pixel " << pixel << ", term " << term + j;
            }
          }
        });
      }
    }
  }
}

// A tap's channels end with the tap.
TEST(ConvHopper, CopiesOneTapOfFilters) {
  constexpr int64_t kFilters = 70, kTaps = 6, kChannels = 72;
  const Numbers filters(kFilters * kTaps * kChannels, 1);
  const TensorMap map =
      make_tensor_map("test", FilterBank{filters.global(), kFilters, kTaps, kChannels}, 128);
  for (const int32_t tap : {0, 4, 5}) {
    for (const int32_t channel : {0, 64}) {
      run_copies([&](Shared<Bf16> tile, Shared<uint64_t> barriers) {
        arrive_expecting(barriers, 0, 128 * kLineBytes);
        transfer(tile, map, channel, tap, 3, barriers, 0);
        wait_for_phase(barriers, 0, 0);
        const uint64_t descriptor = SwizzledTile<128, true>::descriptor(shared_address(tile), 0);
        for (int i = 0; i < 128; ++i) {
          for (int j = 0; j < 64; ++j) {
            const bool there = 3 + i < kFilters && channel + j < kChannels;
            const uint64_t chunk = SwizzledTile<128, true>::later(descriptor, j / 16);
            ASSERT_EQ(emulation::element_of(chunk, true, i, j % 16),
                      there ? filters[((3 + i) * kTaps + tap) * kChannels + channel + j] : 0);
          }
        }
      });
    }
  }
}

// Taps that are counted backwards are counted forwards.
TEST(ConvHopper, BeginsAtTheFirstTap) {
  const Numbers dy(kDilated.pixels() * kDilated.k, 1);
  const HopperWindows windows = windows_on_hopper(kDilated.gradient_windows(dy.global()));
  EXPECT_EQ(windows.images.rows.first, 2 - 2 * 2);
  EXPECT_EQ(windows.images.columns.first, 1 - 2 * 3);
  EXPECT_EQ(windows.images.rows.windows, 9);
  EXPECT_EQ(windows.images.columns.size, kDilated.y_w());
  EXPECT_EQ(windows.tap_row, 2);
  EXPECT_EQ(windows.tap_column, 3);
  EXPECT_EQ(windows.images.channels, 72);
  EXPECT_EQ(windows.depth(), 9 * 128);
}

TEST(ConvHopper, LeavesToTheTwinWhatHasNoNumbers) {
  const auto fits = [](const Conv& v) {
    const WindowSource<Bf16> x = v.windows({});
    const WindowSource<Bf16> dy = v.gradient_windows({});
    return std::pair(fits_copy_engine(windows_on_hopper(x)),
                     fits_copy_engine(windows_on_hopper(dy)));
  };
  const Conv wide{.n = 1, .h = 300, .w = 300, .c = 8, .k = 8, .r = 3, .s = 3};
  const auto with = [&](auto change) {
    Conv v = wide;
    change(v);
    return fits(v);
  };
  const std::pair both(true, true), neither(false, false);
  EXPECT_EQ(fits(wide), both);
  // The box's far corner is 2 d from x's last pixel, and -d and d are from those of dy.
  EXPECT_EQ(with([](Conv& v) { v.dilation_h = 64; }), both);
  EXPECT_EQ(with([](Conv& v) { v.dilation_h = 65; }), neither);
  EXPECT_EQ(with([](Conv& v) { v.pad_w = v.dilation_w = 127; }), both);
  EXPECT_EQ(with([](Conv& v) { v.pad_w = v.dilation_w = 128; }), neither);
  EXPECT_EQ(with([](Conv& v) { v.pad_w = 128; }).first, true);
  EXPECT_EQ(with([](Conv& v) { v.pad_w = 129; }).first, false);
  EXPECT_EQ(with([](Conv& v) { v.h = 0, v.pad_h = 2; }).first, false);
  EXPECT_EQ(with([](Conv& v) { v.stride_h = 8; }).first, true);
  EXPECT_EQ(with([](Conv& v) { v.stride_w = 9; }).first, false);
}

TEST(ConvHopper, RefusesWhatTheCopyEngineWould) {
  const Numbers x(2 * 300 * 8 * 64, 1);
  const WindowedImages good{x.global(),
                            2,
                            {.size = 300, .first = -1, .step = 1, .windows = 300},
                            {.size = 8, .first = -1, .step = 1, .windows = 8},
                            64};
  const auto expect_refused = [&](const std::string& what, auto change, int lines = 128) {
    WindowedImages bad = good;
    change(bad);
    expect_fault(what, [&] { make_tensor_map("test", bad, lines); });
  };
  EXPECT_EQ(make_tensor_map("test", good, 128).rows.upper, -1);
  expect_refused("address", [](auto& bad) { bad.data = bad.data.at(1); });
  expect_refused("size", [](auto& bad) { bad.images = 0; });
  expect_refused("step", [](auto& bad) { bad.channels = 60; });
  expect_refused("corner", [](auto& bad) { bad.rows.first = -129; });
  expect_refused("corner", [](auto& bad) { bad.rows.windows = 170; });
  expect_refused("corner", [](auto& bad) { bad.rows.windows = 430; });
  expect_refused("windows' step", [](auto& bad) { bad.columns.step = 9; });
  expect_refused("without pixels", [](auto& bad) { bad.columns.windows = 0; });
  expect_refused(
      "lines", [](auto&) {}, 1025);
  const FilterBank bank{x.global(), 2, 9, 64};
  expect_fault("lines", [&] { make_tensor_map("test", bank, 257); });
  expect_fault("step", [&] { make_tensor_map("test", FilterBank{x.global(), 2, 9, 36}, 64); });

  const TensorMap map = make_tensor_map("test", good, 128);
  const auto copy = [&](const TensorMap& by, const WindowCorner& window, const TapOffset& tap,
                        int bytes) {
    run_copies([&](Shared<Bf16> tile, Shared<uint64_t> barriers) {
      arrive_expecting(barriers, 0, bytes);
      transfer(tile, by, window, tap, barriers, 0);
      wait_for_phase(barriers, 0, 0);
    });
  };
  constexpr int kBytes = 128 * kLineBytes;
  copy(map, {0, -1, -1, 0}, {255, 255}, kBytes);
  copy(map, {0, 6, 298, 1}, {0, 0}, kBytes);
  expect_fault("offset", [&] { copy(map, {0, 0, 0, 0}, {256, 0}, kBytes); });
  expect_fault("offset", [&] { copy(map, {0, 0, 0, 0}, {0, -1}, kBytes); });
  expect_fault("outside the box", [&] { copy(map, {0, -2, 0, 0}, {0, 0}, kBytes); });
  expect_fault("outside the box", [&] { copy(map, {0, 7, 0, 0}, {0, 0}, kBytes); });
  expect_fault("outside the box", [&] { copy(map, {0, 0, 299, 0}, {0, 0}, kBytes); });
  // Zeros outside are bytes like others.
  expect_fault("waits for a phase", [&] { copy(map, {0, 6, 298, 1}, {0, 0}, kBytes - 128); });
  expect_fault("waits for a phase", [&] { copy(map, {0, 0, 0, 0}, {0, 0}, kBytes + 128); });
  expect_fault("another form", [&] {
    copy(make_tensor_map("test", bank, 128), {0, 0, 0, 0}, {0, 0}, kBytes);
  });
  expect_fault("another form", [&] {
    run_copies([&](Shared<Bf16> tile, Shared<uint64_t> barriers) {
      transfer(tile, map, 0, 0, barriers, 0);
    });
  });
}

uint32_t tiles(int64_t whole, int64_t part) {
  return static_cast<uint32_t>((whole + part - 1) / part);
}

// The kernel by two blocks, of `depth` terms in at most so many parts: y [rows, across].
template <int columns, bool a_along_depth, bool b_along_depth, typename Stages>
std::vector<double> multiply(const Stages& stages, int64_t rows, int64_t across, int64_t depth,
                             uint32_t most_parts) {
  const int64_t terms = int64_t{tiles(depth, most_parts * 64)} * 64;
  const uint32_t parts = tiles(depth, terms);
  std::vector<Bf16> y(rows * across, to_bf16(-7));
  std::vector<float> partial(parts * rows * across, NAN);
  HopperJob<Stages> job{.stages = stages,
                        .sums = {{}, {}, rows, across, depth, across},
                        .terms = terms,
                        .down = tiles(rows, 128),
                        .across = tiles(across, columns),
                        .units = 0};
  job.units = job.down * job.across * parts;
  job.sums.finish.y = Global<Bf16>(y.data(), rows * across);
  if (parts > 1) job.sums.parts = Global<float>(partial.data(), parts * rows * across);
  const Grid grid{.blocks = {job.units > 1 ? 2u : 1u},
                  .threads = {kHopperThreads},
                  .shared_bytes = hopper_shared_bytes(columns)};
  emulation::run(
      grid, [&] { product_hopper_kernel<columns, a_along_depth, b_along_depth, Stages>(job); });
  std::vector<double> sums(rows * across, 0);
  for (int64_t i = 0; i < rows * across; ++i) {
    if (parts == 1) sums[i] = to_float(y[i]);
    for (uint32_t part = 0; parts > 1 && part < parts; ++part) {
      sums[i] += partial[part * rows * across + i];
    }
  }
  return sums;
}

// Windows by filters. `spoil` changes what the kernel is told.
template <int columns, bool filters_along_depth>
std::vector<double> convolve(const WindowSource<Bf16>& source, const FilterBank& bank,
                             int64_t across, uint32_t most_parts,
                             const std::function<void(WindowStages&)>& spoil = {}) {
  const HopperWindows windows = windows_on_hopper(source);
  EXPECT_TRUE(fits_copy_engine(windows));
  WindowStages stages =
      window_stages("test", windows, bank, SwizzledTile<columns, filters_along_depth>::kBoxLines);
  if (spoil) spoil(stages);
  return multiply<columns, true, filters_along_depth>(stages, source.lines, across, windows.depth(),
                                                      most_parts);
}

void expect_near(const std::vector<double>& actual, const std::vector<double>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    ASSERT_NEAR(actual[i], expected[i], 0x1p-8 * std::abs(expected[i]) + 1e-4) << i;
  }
}

struct Operands {
  Numbers x, filters, dy;

  explicit Operands(const Conv& v)
      : x(v.n * v.h * v.w * v.c, 1), filters(v.k * v.r * v.s * v.c, 2), dy(v.pixels() * v.k, 3) {}
  FilterBank bank(const Conv& v) const { return {filters.global(), v.k, v.r * v.s, v.c}; }
};

std::vector<double> expected_result(const Conv& v, const Operands& o) {
  std::vector<double> y(v.pixels() * v.k, 0);
  for (int64_t pixel = 0; pixel < v.pixels(); ++pixel) {
    for (int64_t tap = 0; tap < v.r * v.s; ++tap) {
      const int64_t at = v.place(pixel, tap);
      for (int64_t i = 0; at >= 0 && i < v.k * v.c; ++i) {
        const int64_t k = i / v.c, c = i % v.c;
        y[pixel * v.k + k] += double{o.x[at + c]} * o.filters[(k * v.r * v.s + tap) * v.c + c];
      }
    }
  }
  return y;
}

std::vector<double> expected_gradient(const Conv& v, const Operands& o) {
  std::vector<double> dx(v.n * v.h * v.w * v.c, 0);
  for (int64_t pixel = 0; pixel < v.pixels(); ++pixel) {
    for (int64_t tap = 0; tap < v.r * v.s; ++tap) {
      const int64_t at = v.place(pixel, tap);
      for (int64_t i = 0; at >= 0 && i < v.k * v.c; ++i) {
        const int64_t k = i / v.c, c = i % v.c;
        dx[at + c] += double{o.dy[pixel * v.k + k]} * o.filters[(k * v.r * v.s + tap) * v.c + c];
      }
    }
  }
  return dx;
}

std::vector<double> expected_weight_gradient(const Conv& v, const Operands& o) {
  std::vector<double> dw(v.k * v.r * v.s * v.c, 0);
  for (int64_t pixel = 0; pixel < v.pixels(); ++pixel) {
    for (int64_t tap = 0; tap < v.r * v.s; ++tap) {
      const int64_t at = v.place(pixel, tap);
      for (int64_t i = 0; at >= 0 && i < v.k * v.c; ++i) {
        const int64_t k = i / v.c, c = i % v.c;
        dw[(k * v.r * v.s + tap) * v.c + c] += double{o.dy[pixel * v.k + k]} * o.x[at + c];
      }
    }
  }
  return dw;
}

template <int columns>
void expect_sums_windows(const Conv& v, uint32_t most_parts) {
  SCOPED_TRACE(testing::Message() << v << ", by tiles of " << columns);
  const Operands o(v);
  const HopperWindows windows = windows_on_hopper(v.windows(o.x.global()));
  const HopperMatrix dy{o.dy.global(), v.pixels(), v.k, v.k};
  const auto stages = window_gradient_stages("test", dy, windows);
  expect_near(multiply<columns, false, false>(stages, v.k, v.r * v.s * v.c, v.pixels(), most_parts),
              expected_weight_gradient(v, o));
}

template <int columns>
void expect_convolves(const Conv& v, uint32_t parts) {
  SCOPED_TRACE(testing::Message() << v << ", by tiles of " << columns << ", " << parts << " parts");
  const Operands o(v);
  expect_near(convolve<columns, true>(v.windows(o.x.global()), o.bank(v), v.k, parts),
              expected_result(v, o));
  if (v.stride_h != 1 || v.stride_w != 1) return;
  expect_near(convolve<columns, false>(v.gradient_windows(o.dy.global()), o.bank(v), v.c, parts),
              expected_gradient(v, o));
}

TEST(ConvHopper, ConvolvesByEveryTile) {
  expect_convolves<128>(kSquare, 1);
  expect_convolves<256>(kSquare, 1);
  expect_convolves<128>(kDilated, 1);
}

TEST(ConvHopper, ConvolvesWithStrides) {
  expect_convolves<128>(kStrided, 1);
  expect_convolves<128>(
      {.n = 9, .h = 7, .w = 8, .c = 16, .k = 8, .r = 1, .s = 1, .stride_h = 2, .stride_w = 2}, 1);
}

// Parts that begin within a tap, and at one.
TEST(ConvHopper, LeavesPartsOfSums) {
  expect_convolves<128>(kSquare, 4);
  expect_convolves<256>(kDilated, 3);
}

// Tiles that are not full, of more columns than one.
TEST(ConvHopper, ConvolvesManyFilters) {
  expect_convolves<128>({.n = 1, .h = 4, .w = 5, .c = 136, .k = 136, .r = 2, .s = 2}, 1);
}

// Taps of one box of channels, and of two; tiles that end behind the last tap.
TEST(ConvHopper, SumsWindows) {
  expect_sums_windows<128>(kDilated, 1);
  expect_sums_windows<256>(kDilated, 2);
  const Conv strided{.n = 3,
                     .h = 9,
                     .w = 10,
                     .c = 128,
                     .k = 16,
                     .r = 1,
                     .s = 3,
                     .stride_h = 2,
                     .stride_w = 2,
                     .pad_w = 1};
  expect_sums_windows<256>(strided, 1);
  // One tap more would be beyond the numbers of the copy engine.
  const Conv far{
      .n = 2, .h = 5, .w = 4, .c = 64, .k = 8, .r = 3, .s = 1, .pad_h = 120, .dilation_h = 120};
  expect_sums_windows<256>(far, 1);
}

// What is wrong by one shows.
TEST(ConvHopper, FindsFaultsThatAreSeeded) {
  const Operands o(kDilated);
  const auto run = [&](const std::function<void(WindowStages&)>& spoil) {
    return convolve<128, true>(kDilated.windows(o.x.global()), o.bank(kDilated), kDilated.k, 1,
                               spoil);
  };
  const auto expected = run({});
  expect_near(expected, expected_result(kDilated, o));
  EXPECT_NE(run([](WindowStages& s) { ++s.windows.columns.tap; }), expected);
  EXPECT_NE(run([](WindowStages& s) { --s.windows.rows.tap; }), expected);
  EXPECT_NE(run([](WindowStages& s) { ++s.windows.rows.first; }), expected);
  EXPECT_NE(run([](WindowStages& s) { s.windows.channels += 64; }), expected);
  expect_fault("outside the box", [&] { run([](WindowStages& s) { --s.windows.columns.first; }); });
  expect_fault("offset", [&] { run([](WindowStages& s) { s.windows.rows.tap = 128; }); });
  // Fewer bytes than the stage is told to expect.
  expect_fault("waits for a phase", [&] { run([](WindowStages& s) { s.a.lines = 64; }); });
}

}  // namespace
}  // namespace gatun::cuda
