#include "kernels/amx.h"

#include <algorithm>

#include "core/check.h"

#if defined(__x86_64__)
#if defined(__GNUC__) && !defined(__clang__)
// In GCC's own header: its bug 105593. How it calls it depends on the optimisation.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
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

inline __mmask32 first_of(int64_t count) {
  return static_cast<__mmask32>((uint64_t{1} << count) - 1);
}

alignas(32) constexpr Bf16 kZeros[16] = {};

// 16 words (low[at + j], high[at + j]), 0 beyond the mask; a row that is NULL is zeros.
struct Interleaver {
  alignas(64) uint16_t order[32];

  Interleaver() {
    for (uint16_t j = 0; j < 16; ++j) {
      order[2 * j] = j;
      order[2 * j + 1] = static_cast<uint16_t>(16 + j);
    }
  }
  GATUN_AMX_VECTORS __m512i operator()(const Bf16* low, const Bf16* high, int64_t at,
                                       __mmask16 mask) const {
    const __m256i first = _mm256_maskz_loadu_epi16(mask, low == nullptr ? kZeros : low + at);
    const __m256i second = _mm256_maskz_loadu_epi16(mask, high == nullptr ? kZeros : high + at);
    return _mm512_permutexvar_epi16(_mm512_load_si512(order),
                                    _mm512_inserti64x4(_mm512_castsi256_si512(first), second, 1));
  }
};

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

GATUN_AMX_VECTORS void round_rows(Bf16* y, int64_t y_row, int64_t rows, int64_t columns,
                                  const float* sums, int64_t sums_row, bool relu) {
  if (columns == kRows && y_row == kRows && sums_row == kRows && rows > 1) {  // two rows at a time
    round_rows(y, 2 * y_row, rows / 2, 2 * columns, sums, 2 * sums_row, relu);
    y += rows / 2 * 2 * y_row;
    sums += rows / 2 * 2 * sums_row;
    rows %= 2;
  }
  const __mmask32 mask = first_of(columns);
  const __m512 zero = _mm512_setzero_ps();
  for (int64_t i = 0; i < rows; ++i, sums += sums_row, y += y_row) {
    __m512 low = _mm512_loadu_ps(sums);
    __m512 high = columns > kRows ? _mm512_loadu_ps(sums + kRows) : zero;
    if (relu) {  // not max: a NaN must stay
      low = _mm512_mask_mov_ps(low, _mm512_cmp_ps_mask(low, zero, _CMP_LT_OQ), zero);
      high = _mm512_mask_mov_ps(high, _mm512_cmp_ps_mask(high, zero, _CMP_LT_OQ), zero);
    }
    _mm512_mask_storeu_epi16(y, mask, (__m512i)_mm512_cvtne2ps_pbh(high, low));
  }
}

GATUN_AMX_VECTORS void stand_up(Bf16* to, int64_t to_row, const Bf16* const* from, int64_t count,
                                int64_t start, int64_t columns) {
  const Interleaver interleaver;
  const Bf16* row[32];
  for (int64_t i = 0; i < count; i += 32) {
    const int64_t some = std::min<int64_t>(32, count - i);
    std::fill(std::copy_n(from + i, some, row), row + 32, nullptr);
    for (int64_t j = 0; j < columns; j += 16) {
      const auto mask = static_cast<__mmask16>(first_of(std::min<int64_t>(16, columns - j)));
      __m512i words[16];
      for (int k = 0; k < 16; ++k)
        words[k] = interleaver(row[2 * k], row[2 * k + 1], start + j, mask);
      transpose_words(words);
      Bf16* place = to + j * to_row + i;
      for (int64_t k = 0; k < std::min<int64_t>(16, columns - j); ++k, place += to_row) {
        _mm512_storeu_si512(place, words[k]);
      }
    }
  }
}

GATUN_AMX_VECTORS void pair_up(uint32_t* words, int64_t padded, const Bf16* const* from,
                               int64_t pairs, int64_t columns) {
  const Interleaver interleaver;
  for (int64_t j = 0; j < padded; j += 16) {
    const auto mask = static_cast<__mmask16>(first_of(std::clamp<int64_t>(columns - j, 0, 16)));
    for (int64_t i = 0; i < pairs; ++i) {
      _mm512_storeu_si512(words + i * padded + j,
                          interleaver(from[2 * i], from[2 * i + 1], j, mask));
    }
  }
}

GATUN_AMX_VECTORS void pack_words(uint32_t* panel, int64_t width, const Bf16* b, int64_t stride,
                                  int64_t columns, int64_t depth) {
  for (int64_t d = 0; d < depth; d += 2 * kWords) {
    const __mmask32 mask = first_of(std::min<int64_t>(2 * kWords, depth - d));
    const int64_t words = std::min<int64_t>(kWords, (depth - d + 1) / 2);
    for (int64_t j = 0; j < width; j += 16) {
      __m512i rows[16];
      for (int64_t i = 0; i < 16; ++i) {
        rows[i] = j + i < columns ? _mm512_maskz_loadu_epi16(mask, b + (j + i) * stride + d)
                                  : _mm512_setzero_si512();
      }
      transpose_words(rows);
      uint32_t* to = panel + d / 2 * width + j;
      for (int64_t p = 0; p < words; ++p) _mm512_storeu_si512(to + p * width, rows[p]);
    }
  }
}

}  // namespace gatun::kernels::amx

#else

namespace gatun::kernels::amx {

[[noreturn]] void absent() { fail(GT_INTERNAL, "[amx] this processor has no tiles"); }

Tiles::Tiles(int64_t) { absent(); }
Tiles::~Tiles() = default;
void multiply(const Product&, int64_t, int) { absent(); }
void round_rows(Bf16*, int64_t, int64_t, int64_t, const float*, int64_t, bool) { absent(); }
void stand_up(Bf16*, int64_t, const Bf16* const*, int64_t, int64_t, int64_t) { absent(); }
void pair_up(uint32_t*, int64_t, const Bf16* const*, int64_t, int64_t) { absent(); }
void pack_words(uint32_t*, int64_t, const Bf16*, int64_t, int64_t, int64_t) { absent(); }

}  // namespace gatun::kernels::amx

#endif
