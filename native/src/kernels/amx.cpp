#include "kernels/amx.h"

#include <algorithm>

#include "core/check.h"

#if defined(__x86_64__)
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // in GCC's own header: its bug 105593
#endif
#include <immintrin.h>

// The compiler may use these, whatever the rest of the library is compiled for.
#define GATUN_AMX_VECTORS __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))

namespace gatun::kernels::amx {
namespace {

// Registers: sums of up to four tiles, then two of A and two of B. Where the runs end inside a
// tile, the second of A and of B are as short as what is left.
constexpr int kA = 4, kB = 6;

struct alignas(64) Configuration {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};
static_assert(sizeof(Configuration) == 64);

// In assembly, since only code compiled for the tile unit may use the compiler's own functions.
template <int kTile>
inline void load(const void* from, int64_t row_bytes) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(row_bytes), "i"(kTile) : "memory");
}
template <int kTile>
inline void store(void* to, int64_t row_bytes) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(row_bytes), "i"(kTile) : "memory");
}
template <int kTile>
inline void clear() {
  asm volatile("tilezero %%tmm%c0" ::"i"(kTile));
}
template <int kSums, int kATile, int kBTile>
inline void add_products() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kSums), "i"(kATile), "i"(kBTile));
}

// The sums of row tile i and column tile j are in register i * kColumns + j.
template <int kTiles, int kColumns, int kI = 0>
inline void begin(const Product& p) {
  if constexpr (kI < kTiles * kColumns) {
    constexpr int64_t row = kI / kColumns * kRows, column = kI % kColumns * kRows;
    if (p.start == nullptr) {
      clear<kI>();
    } else {
      load<kI>(p.start + row * p.start_row + column, p.start_row * 4);
    }
    begin<kTiles, kColumns, kI + 1>(p);
  }
}

template <int kTiles, int kColumns, int kI = 0>
inline void end(const Product& p) {
  if constexpr (kI < kTiles * kColumns) {
    constexpr int64_t row = kI / kColumns * kRows, column = kI % kColumns * kRows;
    store<kI>(p.sums + row * p.sums_row + column, p.sums_row * 4);
    end<kTiles, kColumns, kI + 1>(p);
  }
}

// One tile of depth from word k of A's rows on, with one register for A and one for B.
template <int kTiles, int kColumns, int kATile, int kBTile>
inline void step(const Product& p, int64_t k, const uint32_t* b) {
  const int64_t a_bytes = p.a_row * 2, b_bytes = p.b_row * 4;
  load<kATile>(p.a[0] + 2 * k, a_bytes);
  load<kBTile>(b, b_bytes);
  add_products<0, kATile, kBTile>();
  if constexpr (kColumns == 1) {
    if constexpr (kTiles > 1)
      load<kATile>(p.a[1] + 2 * k, a_bytes), add_products<1, kATile, kBTile>();
    if constexpr (kTiles > 2)
      load<kATile>(p.a[2] + 2 * k, a_bytes), add_products<2, kATile, kBTile>();
    if constexpr (kTiles > 3)
      load<kATile>(p.a[3] + 2 * k, a_bytes), add_products<3, kATile, kBTile>();
  } else {
    load<kBTile>(b + kRows, b_bytes);
    add_products<1, kATile, kBTile>();
    if constexpr (kTiles > 1) {
      load<kATile>(p.a[1] + 2 * k, a_bytes);
      add_products<3, kATile, kBTile>();
      load<kBTile>(b, b_bytes);
      add_products<2, kATile, kBTile>();
    }
  }
}

template <int kTiles, int kColumns>
void multiply(const Product& p) {
  begin<kTiles, kColumns>(p);
  const int64_t rest = p.depth % kWords;
  for (int64_t r = 0; r < p.run_count; ++r) {
    int64_t k = p.runs[r].a;
    const int64_t whole = k + p.depth - rest;
    const uint32_t* b = p.b + p.runs[r].b * p.b_row;
    for (; k < whole; k += kWords, b += kWords * p.b_row) step<kTiles, kColumns, kA, kB>(p, k, b);
    if (rest > 0) step<kTiles, kColumns, kA + 1, kB + 1>(p, k, b);
  }
  end<kTiles, kColumns>(p);
}

// 16 by 16 words, rows to columns.
GATUN_AMX_VECTORS inline void transpose_words(__m512i (&v)[16]) {
  __m512i t[16];
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
  }
  // v[4g + c]: column c of each group of four columns, rows 4g .. 4g + 3.
  for (int g = 0; g < 16; g += 4) {
    v[g] = _mm512_unpacklo_epi64(t[g], t[g + 2]);
    v[g + 1] = _mm512_unpackhi_epi64(t[g], t[g + 2]);
    v[g + 2] = _mm512_unpacklo_epi64(t[g + 1], t[g + 3]);
    v[g + 3] = _mm512_unpackhi_epi64(t[g + 1], t[g + 3]);
  }
  for (int c = 0; c < 4; ++c) {
    const __m512i low01 = _mm512_shuffle_i32x4(v[c], v[4 + c], 0x44);
    const __m512i high01 = _mm512_shuffle_i32x4(v[c], v[4 + c], 0xee);
    const __m512i low23 = _mm512_shuffle_i32x4(v[8 + c], v[12 + c], 0x44);
    const __m512i high23 = _mm512_shuffle_i32x4(v[8 + c], v[12 + c], 0xee);
    t[c] = _mm512_shuffle_i32x4(low01, low23, 0x88);
    t[4 + c] = _mm512_shuffle_i32x4(low01, low23, 0xdd);
    t[8 + c] = _mm512_shuffle_i32x4(high01, high23, 0x88);
    t[12 + c] = _mm512_shuffle_i32x4(high01, high23, 0xdd);
  }
  for (int i = 0; i < 16; ++i) v[i] = t[i];
}

}  // namespace

Tiles::Tiles(int64_t depth) {
  Configuration c;
  const auto rest = static_cast<uint8_t>(depth % kWords == 0 ? kWords : depth % kWords);
  for (int tile = 0; tile < 8; ++tile) {
    c.rows[tile] = kRows;
    c.row_bytes[tile] = 64;
  }
  c.row_bytes[kA + 1] = static_cast<uint16_t>(rest * 4);
  c.rows[kB + 1] = rest;
  asm volatile("ldtilecfg %0" ::"m"(c));
}

Tiles::~Tiles() { asm volatile("tilerelease" ::: "memory"); }

void multiply(const Product& p, int64_t row_tiles, int column_tiles) {
  using Kernel = void (*)(const Product&);
  static constexpr Kernel narrow[] = {multiply<1, 1>, multiply<2, 1>, multiply<3, 1>,
                                      multiply<4, 1>};
  static constexpr Kernel wide[] = {multiply<1, 2>, multiply<2, 2>};
  (column_tiles == 1 ? narrow : wide)[row_tiles - 1](p);
}

GATUN_AMX_VECTORS void round_rows(Bf16* const* y, int64_t rows, int64_t columns, const float* sums,
                                  int64_t sums_row, bool relu) {
  const __mmask32 mask = static_cast<__mmask32>((uint64_t{1} << columns) - 1);
  const __m512 zero = _mm512_setzero_ps();
  for (int64_t i = 0; i < rows; ++i, sums += sums_row) {
    if (y[i] == nullptr) continue;
    __m512 low = _mm512_loadu_ps(sums), high = columns > 16 ? _mm512_loadu_ps(sums + 16) : zero;
    if (relu) {  // not max: a NaN must stay
      low = _mm512_mask_mov_ps(low, _mm512_cmp_ps_mask(low, zero, _CMP_LT_OQ), zero);
      high = _mm512_mask_mov_ps(high, _mm512_cmp_ps_mask(high, zero, _CMP_LT_OQ), zero);
    }
    const __m512i both = (__m512i)_mm512_cvtne2ps_pbh(high, low);
    _mm512_mask_storeu_epi16(y[i], mask, both);
  }
}

GATUN_AMX_VECTORS void transpose(Bf16* to, int64_t to_row, const Bf16* from, int64_t from_row,
                                 int64_t rows, int64_t columns) {
  for (int64_t j = 0; j < columns; j += 16) {
    const int64_t wide = std::min<int64_t>(16, columns - j);
    const auto some_columns = static_cast<__mmask16>((1u << wide) - 1);
    for (int64_t i = 0; i < rows; i += 32) {
      const int64_t high = std::min<int64_t>(32, rows - i);
      const Bf16* source = from + i * from_row + j;
      __m512i words[16];  // of two rows each
      for (int64_t k = 0; k < 16; ++k, source += 2 * from_row) {
        const __m256i first =
            2 * k < high ? _mm256_maskz_loadu_epi16(some_columns, source) : _mm256_setzero_si256();
        const __m256i second = 2 * k + 1 < high
                                   ? _mm256_maskz_loadu_epi16(some_columns, source + from_row)
                                   : _mm256_setzero_si256();
        words[k] = _mm512_or_si512(_mm512_cvtepu16_epi32(first),
                                   _mm512_slli_epi32(_mm512_cvtepu16_epi32(second), 16));
      }
      transpose_words(words);
      const auto some_rows = static_cast<__mmask32>((uint64_t{1} << high) - 1);
      for (int64_t k = 0; k < wide; ++k) {
        _mm512_mask_storeu_epi16(to + (j + k) * to_row + i, some_rows, words[k]);
      }
    }
  }
}

GATUN_AMX_VECTORS void pair_rows(uint32_t* words, const Bf16* low, const Bf16* high, int64_t count,
                                 int64_t padded) {
  for (int64_t j = 0; j < padded; j += 16) {
    const int64_t some = std::clamp<int64_t>(count - j, 0, 16);
    const auto low_mask = static_cast<__mmask16>(low == nullptr ? 0 : (1u << some) - 1);
    const auto high_mask = static_cast<__mmask16>(high == nullptr ? 0 : (1u << some) - 1);
    const __m512i first = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(low_mask, low + j));
    const __m512i second = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(high_mask, high + j));
    _mm512_storeu_si512(words + j, _mm512_or_si512(first, _mm512_slli_epi32(second, 16)));
  }
}

}  // namespace gatun::kernels::amx

#else

namespace gatun::kernels::amx {

[[noreturn]] void absent() { fail(GT_INTERNAL, "[amx] this processor has no tiles"); }

Tiles::Tiles(int64_t) { absent(); }
Tiles::~Tiles() = default;
void multiply(const Product&, int64_t, int) { absent(); }
void round_rows(Bf16* const*, int64_t, int64_t, const float*, int64_t, bool) { absent(); }
void transpose(Bf16*, int64_t, const Bf16*, int64_t, int64_t, int64_t) { absent(); }
void pair_rows(uint32_t*, const Bf16*, const Bf16*, int64_t, int64_t) { absent(); }

}  // namespace gatun::kernels::amx

#endif
