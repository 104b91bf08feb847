#include "kernels/dropout_simd.h"

#include <algorithm>
#include <cstring>

#include "core/philox.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/dropout_simd.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace gatun::kernels::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::ScalableTag<float>;
using Words = hn::RebindToUnsigned<Floats>;
constexpr size_t kMaxLanes = hn::MaxLanes(Floats());

// The Philox blocks `first`, `first` + 1, ..., one per lane, as 8 * lanes numbers of 16 bits in the
// order of the elements. `first` is a multiple of the lanes, so its high half serves all.
class RandomGroup {
 public:
  explicit RandomGroup(const DropoutRule& rule) : rule_(rule) {}

  const uint16_t* at(uint64_t first) {
#if HWY_TARGET == HWY_SCALAR
    const PhiloxBlock block = philox_block(rule_.seed, rule_.stream, first);
    std::memcpy(numbers_, block.data(), sizeof(block));
#else
    const Words d;
    const hn::RepartitionToWide<Words> wide;
    auto k0 = static_cast<uint32_t>(rule_.seed), k1 = static_cast<uint32_t>(rule_.seed >> 32);
    auto c0 = hn::Iota(d, static_cast<uint32_t>(first));
    auto c1 = hn::Set(d, static_cast<uint32_t>(first >> 32));
    auto c2 = hn::Set(d, static_cast<uint32_t>(rule_.stream));
    auto c3 = hn::Set(d, static_cast<uint32_t>(rule_.stream >> 32));
    const auto m0 = hn::Set(d, 0xD2511F53u), m1 = hn::Set(d, 0xCD9E8D57u);
#pragma GCC unroll 10
    for (int round = 0; round < 10; ++round) {
      // 32 x 32 = 64 bits in the even lanes, then in the odd ones moved there.
      const auto even0 = hn::MulEven(c0, m0), even1 = hn::MulEven(c2, m1);
      const auto odd0 = hn::MulEven(odd_to_even(c0), m0), odd1 = hn::MulEven(odd_to_even(c2), m1);
      const auto high0 =
          hn::OddEven(hn::BitCast(d, odd0), hn::BitCast(d, hn::ShiftRight<32>(even0)));
      const auto high1 =
          hn::OddEven(hn::BitCast(d, odd1), hn::BitCast(d, hn::ShiftRight<32>(even1)));
      const auto low0 = hn::OddEven(hn::BitCast(d, hn::ShiftLeft<32>(odd0)), hn::BitCast(d, even0));
      const auto low1 = hn::OddEven(hn::BitCast(d, hn::ShiftLeft<32>(odd1)), hn::BitCast(d, even1));
      c0 = hn::Xor3(high1, c1, hn::Set(d, k0));
      c1 = low1;
      c2 = hn::Xor3(high0, c3, hn::Set(d, k1));
      c3 = low0;
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    hn::StoreInterleaved4(c0, c1, c2, c3, d, reinterpret_cast<uint32_t*>(numbers_));
#endif
    return numbers_;
  }

 private:
#if HWY_TARGET != HWY_SCALAR
  static HWY_INLINE hn::Vec<Words> odd_to_even(hn::Vec<Words> v) {
    const Words d;
    const hn::RepartitionToWide<Words> wide;
    return hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(wide, v)));
  }
#endif

  DropoutRule rule_;
  HWY_ALIGN uint16_t numbers_[8 * kMaxLanes];
};

void drop(float* y, const float* x, int64_t begin, int64_t end, const DropoutRule& rule) {
  const Floats d;
  const hn::RebindToSigned<Floats> di;
  const hn::Rebind<uint16_t, Floats> d16;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto scale = static_cast<float>(rule.scale);
  const auto scales = hn::Set(d, scale);
  const auto last_dropped = hn::Set(di, rule.threshold - 1);
  RandomGroup random(rule);
  for (int64_t i = begin; i < end; i += 8 * lanes) {
    const uint16_t* numbers = random.at(static_cast<uint64_t>(i / 8));
    if (i + 8 * lanes > end) {
      for (int64_t j = 0; i + j < end; ++j) {
        y[i + j] = numbers[j] >= rule.threshold ? x[i + j] * scale : 0;
      }
      return;
    }
#pragma GCC unroll 8
    for (int k = 0; k < 8; ++k) {
      const auto number = hn::PromoteTo(di, hn::Load(d16, numbers + k * lanes));
      const auto keep = hn::RebindMask(d, hn::Gt(number, last_dropped));
      const int64_t at = i + k * lanes;
      hn::StoreU(hn::IfThenElseZero(keep, hn::Mul(hn::LoadU(d, x + at), scales)), d, y + at);
    }
  }
}

}  // namespace
}  // namespace gatun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gatun::kernels {
namespace {

HWY_EXPORT(drop);

}  // namespace

void dropout_range(float* y, const float* x, int64_t begin, int64_t end, const DropoutRule& rule) {
  HWY_DYNAMIC_DISPATCH(drop)(y, x, begin, end, rule);
}

}  // namespace gatun::kernels
#endif  // HWY_ONCE
