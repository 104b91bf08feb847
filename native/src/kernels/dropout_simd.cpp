#include "kernels/dropout_simd.h"

#include <algorithm>
#include <cstring>

#include "core/philox.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/dropout_simd.cpp"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gatun::kernels::HWY_NAMESPACE {
namespace {

using Words = hn::RebindToUnsigned<Floats>;
using Numbers = hn::Repartition<uint16_t, Words>;
constexpr size_t kMaxLanes = hn::MaxLanes(Floats());

// 8 * lanes numbers of 16 bits, a Philox block for each lane, in the order of the elements.
struct RandomGroup {
#if HWY_TARGET == HWY_SCALAR
  explicit RandomGroup(const DropoutRule& rule) : rule_(rule) {}

  void draw(uint64_t first) {
    const PhiloxBlock block = philox_block(rule_.seed, rule_.stream, first);
    std::memcpy(numbers_, block.data(), sizeof(block));
  }
  hn::Vec<Floats> keep(int k, Floats d, hn::Vec<Floats> v) const {
    return hn::Set(d, numbers_[k] >= rule_.threshold ? hn::GetLane(v) : 0.0f);
  }
  const uint16_t* store() const { return numbers_; }

 private:
  DropoutRule rule_;
  uint16_t numbers_[8];
#else
  using Wide = hn::RepartitionToWide<Words>;

  // Lane 4 q + r takes block r * lanes / 4 + q: the numbers are then in order once the four words
  // of a block are brought together within 128 bits.
  explicit RandomGroup(const DropoutRule& rule) : rule_(rule) {
    const size_t lanes = hn::Lanes(Words());
    for (size_t l = 0; l < lanes; ++l) places_[l % 2][l / 2] = l % 4 * (lanes / 4) + l / 4;
  }

  // The blocks first, first + 1, ...; `first` is a multiple of the lanes, so its high half serves
  // all.
  HWY_INLINE void draw(uint64_t first) {
    const Words d;
    const Wide wide;
    // Blocks of even lanes and of odd lanes, each in the low halves of 64 bits, where products are
    // taken; what is in the high halves does not matter.
    hn::Vec<Wide> c[2][4];
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
      c[i][0] = hn::Add(hn::Load(wide, places_[i]), hn::Set(wide, first & 0xffffffff));
      c[i][1] = hn::Set(wide, first >> 32);
      c[i][2] = hn::Set(wide, rule_.stream & 0xffffffff);
      c[i][3] = hn::Set(wide, rule_.stream >> 32);
    }
    auto k0 = static_cast<uint32_t>(rule_.seed), k1 = static_cast<uint32_t>(rule_.seed >> 32);
    const auto m0 = hn::Set(d, 0xD2511F53u), m1 = hn::Set(d, 0xCD9E8D57u);
#pragma GCC unroll 10
    for (int round = 0; round < 10; ++round) {
#pragma GCC unroll 2
      for (int i = 0; i < 2; ++i) {
        const auto even = hn::MulEven(hn::BitCast(d, c[i][0]), m0);
        const auto odd = hn::MulEven(hn::BitCast(d, c[i][2]), m1);
        c[i][0] = hn::Xor3(hn::ShiftRight<32>(odd), c[i][1], hn::Set(wide, uint64_t{k0}));
        c[i][1] = odd;
        c[i][2] = hn::Xor3(hn::ShiftRight<32>(even), c[i][3], hn::Set(wide, uint64_t{k1}));
        c[i][3] = even;
      }
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    hn::Vec<Words> word[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      word[j] = hn::OddEven(hn::BitCast(d, hn::ShiftLeft<32>(c[1][j])), hn::BitCast(d, c[0][j]));
    }
    const auto low01 = hn::BitCast(wide, hn::InterleaveLower(d, word[0], word[1]));
    const auto low23 = hn::BitCast(wide, hn::InterleaveLower(d, word[2], word[3]));
    const auto high01 = hn::BitCast(wide, hn::InterleaveUpper(d, word[0], word[1]));
    const auto high23 = hn::BitCast(wide, hn::InterleaveUpper(d, word[2], word[3]));
    const Numbers numbers;
    numbers_[0] = hn::BitCast(numbers, hn::InterleaveLower(wide, low01, low23));
    numbers_[1] = hn::BitCast(numbers, hn::InterleaveUpper(wide, low01, low23));
    numbers_[2] = hn::BitCast(numbers, hn::InterleaveLower(wide, high01, high23));
    numbers_[3] = hn::BitCast(numbers, hn::InterleaveUpper(wide, high01, high23));
  }

  // v where the k-th lanes numbers say so, else 0.
  HWY_INLINE hn::Vec<Floats> keep(int k, Floats d, hn::Vec<Floats> v) const {
    const hn::Half<Numbers> half;
    const hn::RebindToSigned<Floats> di;
    const auto number = hn::PromoteTo(di, k % 2 == 0 ? hn::LowerHalf(half, numbers_[k / 2])
                                                     : hn::UpperHalf(half, numbers_[k / 2]));
    const auto kept = hn::Gt(number, hn::Set(di, rule_.threshold - 1));
    return hn::IfThenElseZero(hn::RebindMask(d, kept), v);
  }

  const uint16_t* store() {
    const Numbers numbers;
    for (int j = 0; j < 4; ++j) {
      hn::Store(numbers_[j], numbers, stored_ + j * hn::Lanes(numbers));
    }
    return stored_;
  }

 private:
  DropoutRule rule_;
  HWY_ALIGN uint64_t places_[2][kMaxLanes / 2];
  hn::Vec<Numbers> numbers_[4];
  HWY_ALIGN uint16_t stored_[8 * kMaxLanes];
#endif
};

template <bool kStream>
void drop(float* y, const float* x, int64_t begin, int64_t end, const DropoutRule& rule) {
  const Floats d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto scale = static_cast<float>(rule.scale);
  const auto scales = hn::Set(d, scale);
  RandomGroup random(rule);
  int64_t i = begin;
  for (; i + 8 * lanes <= end; i += 8 * lanes) {
    random.draw(static_cast<uint64_t>(i / 8));
#pragma GCC unroll 8
    for (int k = 0; k < 8; ++k) {
      const int64_t at = i + k * lanes;
      store<kStream>(random.keep(k, d, hn::Mul(hn::LoadU(d, x + at), scales)), d, y + at);
    }
  }
  if (i < end) {
    random.draw(static_cast<uint64_t>(i / 8));
    const uint16_t* numbers = random.store();
    for (int64_t j = 0; i + j < end; ++j) {
      y[i + j] = numbers[j] >= rule.threshold ? x[i + j] * scale : 0;
    }
  }
  if constexpr (kStream) hwy::FlushStream();
}

void drop_any(float* y, const float* x, int64_t begin, int64_t end, bool stream,
              const DropoutRule& rule) {
  (stream ? drop<true> : drop<false>)(y, x, begin, end, rule);
}

}  // namespace
}  // namespace gatun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gatun::kernels {
namespace {

HWY_EXPORT(drop_any);

}  // namespace

void dropout_range(float* y, const float* x, int64_t begin, int64_t end, bool stream,
                   const DropoutRule& rule) {
  HWY_DYNAMIC_DISPATCH(drop_any)(y, x, begin, end, stream, rule);
}

}  // namespace gatun::kernels
#endif  // HWY_ONCE
