#include <cstring>
#include <utility>

#include "kernels/gemm_bf16.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/gemm_bf16_simd.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/bf16-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gatun::kernels {
namespace HWY_NAMESPACE {

using D = hn::CappedTag<float, 16>;  // fixed width: accumulators are arrays of vectors
using V = hn::Vec<D>;
using Word = uint32_t __attribute__((may_alias, aligned(2)));
constexpr int kLanes = hn::MaxLanes(D());

// How two pairs are multiplied. Both ways sum in f32, but round at different places.
struct ByParts {  // any processor: two multiply-adds of f32. Here bf16 saves memory, not time.
  static constexpr int max_gathered(int) { return 4; }
  static constexpr int max_adjacent(int) { return 4; }
  struct Columns {
    V low, high;
    HWY_INLINE Columns() {}  // an implicit one would not be for the target
    HWY_INLINE Columns(V l, V h) : low(l), high(h) {}
  };
  static HWY_INLINE Columns load(const uint32_t* b) {
    const hn::RebindToUnsigned<D> bits;
    const auto words = hn::LoadU(bits, b);
    return {hn::BitCast(D(), hn::ShiftLeft<16>(words)),
            hn::BitCast(D(), hn::And(words, hn::Set(bits, 0xffff0000u)))};
  }
  template <int kVectors>
  static HWY_INLINE void add(const Word* a, const Columns (&b)[kVectors], V (&sum)[kVectors]) {
    const D d;
    const V low = hn::Set(d, to_float(Bf16{static_cast<uint16_t>(*a & 0xffff)}));
    const V high = hn::Set(d, to_float(Bf16{static_cast<uint16_t>(*a >> 16)}));
#pragma GCC unroll 2
    for (int j = 0; j < kVectors; ++j) {
      sum[j] = hn::MulAdd(high, b[j].high, hn::MulAdd(low, b[j].low, sum[j]));
    }
  }
  static HWY_INLINE void store(V v, Bf16* y) { store_bf16(v, D(), y); }
};

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
// In assembly, since no SIMD target of Highway 1.0 lets the compiler use these instructions.
// Intel's processors begin one every other cycle only, which is what two multiply-adds and the
// unpacking of ByParts take there; but those that are so slow have the tile unit (amx.h).
struct ByDot {
  // As for f32: see gemm_simd.cpp.
  static constexpr int max_gathered(int) { return 10; }
  static constexpr int max_adjacent(int vectors) { return vectors == 1 ? 16 : 14; }
  using Columns = V;
  static HWY_INLINE Columns load(const uint32_t* b) {
    return hn::BitCast(D(), hn::LoadU(hn::RebindToUnsigned<D>(), b));
  }
  template <int kVectors>
  static HWY_INLINE void add(const Word* a, const Columns (&b)[kVectors], V (&sum)[kVectors]) {
    if constexpr (kVectors == 1) {
      asm("vdpbf16ps %2%{1to16%}, %1, %0" : "+v"(sum[0].raw) : "v"(b[0].raw), "m"(*a));
    } else {
      const auto pair = hn::Set(hn::RebindToUnsigned<D>(), *a);
#pragma GCC unroll 2
      for (int j = 0; j < kVectors; ++j) {
        asm("vdpbf16ps %2, %1, %0" : "+v"(sum[j].raw) : "v"(b[j].raw), "v"(pair.raw));
      }
    }
  }
  static HWY_INLINE void store(V v, Bf16* y) {
    hn::Vec<hn::Rebind<uint16_t, D>> halves;
    asm("vcvtneps2bf16 %1, %0" : "=v"(halves.raw) : "v"(v.raw));
    hn::StoreU(halves, hn::Rebind<uint16_t, D>(), reinterpret_cast<uint16_t*>(y));
  }
};
#endif

template <class Dot, int kRows, int kVectors>
void multiply_gathered(const PairTile& tile) {
  const D d;
  V sum[kRows][kVectors];
  const Bf16* rows[kRows];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
    rows[i] = tile.a[i];
    __builtin_prefetch(tile.y[i], 1);
#pragma GCC unroll 2
    for (int j = 0; j < kVectors; ++j) {
      sum[i][j] = tile.bias == nullptr ? hn::Zero(d) : hn::LoadU(d, tile.bias + j * kLanes);
    }
  }
  const int64_t b_step = tile.b_step;
  for (int64_t r = 0; r < tile.run_count; ++r) {
    const uint32_t* b = tile.b + tile.runs[r].b * b_step;
    const int64_t end = tile.runs[r].a + tile.depth;
    for (int64_t k = tile.runs[r].a; k < end; ++k, b += b_step) {
      typename Dot::Columns columns[kVectors];
#pragma GCC unroll 2
      for (int j = 0; j < kVectors; ++j) columns[j] = Dot::load(b + j * kLanes);
#pragma GCC unroll 16
      for (int i = 0; i < kRows; ++i) {
        Dot::add(reinterpret_cast<const Word*>(rows[i]) + k, columns, sum[i]);
      }
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
    if (tile.relu) {
      // Not Max: a NaN must stay.
#pragma GCC unroll 2
      for (int j = 0; j < kVectors; ++j) {
        sum[i][j] = hn::IfThenZeroElse(hn::Lt(sum[i][j], hn::Zero(d)), sum[i][j]);
      }
    }
    if (tile.columns == kVectors * kLanes) {
#pragma GCC unroll 2
      for (int j = 0; j < kVectors; ++j) Dot::store(sum[i][j], tile.y[i] + j * kLanes);
    } else {
      Bf16 edge[kVectors * kLanes];
#pragma GCC unroll 2
      for (int j = 0; j < kVectors; ++j) Dot::store(sum[i][j], edge + j * kLanes);
      std::memcpy(tile.y[i], edge, static_cast<size_t>(tile.columns) * sizeof(Bf16));
    }
  }
}

template <class Dot, int kRows, int kVectors>
void multiply_adjacent(const PairSumTile& tile) {
  const D d;
  V sum[kRows][kVectors];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < kVectors; ++j) {
      sum[i][j] = hn::LoadU(d, tile.y + i * tile.y_row + j * kLanes);
    }
  }
  const int64_t a_step = tile.a_step, b_step = tile.b_step;
  for (int64_t r = 0; r < tile.run_count; ++r) {
    const uint32_t* a = tile.a + tile.runs[r].a;
    const uint32_t* b = tile.b + tile.runs[r].b * b_step;
    for (int64_t k = 0; k < tile.depth; ++k, a += a_step, b += b_step) {
      typename Dot::Columns columns[kVectors];
#pragma GCC unroll 2
      for (int j = 0; j < kVectors; ++j) columns[j] = Dot::load(b + j * kLanes);
#pragma GCC unroll 16
      for (int i = 0; i < kRows; ++i) {
        Dot::add(reinterpret_cast<const Word*>(a + i), columns, sum[i]);
      }
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < kVectors; ++j) {
      hn::StoreU(sum[i][j], d, tile.y + i * tile.y_row + j * kLanes);
    }
  }
}

void interleave(uint32_t* words, const Bf16* low, const Bf16* high, int64_t count) {
  const hn::RebindToUnsigned<D> d;
  const hn::Rebind<uint16_t, decltype(d)> halves;
  const auto load = [&](const Bf16* p) HWY_ATTR {
    return hn::PromoteTo(d, hn::LoadU(halves, reinterpret_cast<const uint16_t*>(p)));
  };
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    auto word = load(low + i);
    if (high != nullptr) word = hn::Or(word, hn::ShiftLeft<16>(load(high + i)));
    hn::StoreU(word, d, words + i);
  }
  for (; i < count; ++i) {
    words[i] = low[i].bits | (high == nullptr ? 0u : static_cast<uint32_t>(high[i].bits) << 16);
  }
}

template <class Dot, int kVectors, int... kRowsMinusOne>
void fill_gathered(PairFamily<PairKernel>& family, std::integer_sequence<int, kRowsMinusOne...>) {
  family.max_rows[kVectors] = sizeof...(kRowsMinusOne);
  ((family.of[kVectors][kRowsMinusOne + 1] = multiply_gathered<Dot, kRowsMinusOne + 1, kVectors>),
   ...);
}

template <class Dot, int kVectors, int... kRowsMinusOne>
void fill_adjacent(PairFamily<PairSumKernel>& family,
                   std::integer_sequence<int, kRowsMinusOne...>) {
  family.max_rows[kVectors] = sizeof...(kRowsMinusOne);
  ((family.of[kVectors][kRowsMinusOne + 1] = multiply_adjacent<Dot, kRowsMinusOne + 1, kVectors>),
   ...);
}

template <class Dot>
PairKernels make_table() {
  PairKernels k;
  k.lanes = kLanes;
  fill_gathered<Dot, 1>(k.gathered, std::make_integer_sequence<int, Dot::max_gathered(1)>());
  fill_gathered<Dot, 2>(k.gathered, std::make_integer_sequence<int, Dot::max_gathered(2)>());
  fill_adjacent<Dot, 1>(k.adjacent, std::make_integer_sequence<int, Dot::max_adjacent(1)>());
  fill_adjacent<Dot, 2>(k.adjacent, std::make_integer_sequence<int, Dot::max_adjacent(2)>());
  k.interleave = interleave;
  return k;
}

const PairKernels* pair_table() {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
  static const bool has_dot = __builtin_cpu_supports("avx512bf16");
  if (has_dot) {
    static const PairKernels fast = make_table<ByDot>();
    return &fast;
  }
#endif
  static const PairKernels kernels = make_table<ByParts>();
  return &kernels;
}

}  // namespace HWY_NAMESPACE
}  // namespace gatun::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gatun::kernels {
HWY_EXPORT(pair_table);
const PairKernels& pair_kernels() { return *HWY_DYNAMIC_DISPATCH(pair_table)(); }
}  // namespace gatun::kernels
#endif
