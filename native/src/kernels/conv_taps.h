// Which elements of the source each element of the result reads along one axis, and by which taps:
// for a forward pass pixels of x, for a data gradient those of dy. Elements that see the same taps
// lie in spans, so that no tap in the padding costs anything.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace gatun::kernels {

// Element i reads the source at i * source_step + offset.
struct AxisTap {
  int64_t tap, offset;
  bool operator==(const AxisTap&) const = default;
};

// Consecutive elements [begin, end) that see the same taps.
struct AxisSpan {
  int64_t begin, end;
  std::vector<AxisTap> taps;
};

// Elements start, start + step, ... of the result. A forward pass is one part; a data gradient is
// one for each residue of the result's elements modulo the stride, since each meets its own taps.
struct AxisPart {
  int64_t start, step, count, source_step;
  std::vector<AxisSpan> spans = {};
};

// How windows lie along one axis.
struct WindowAxis {
  int64_t size;    // of x
  int64_t places;  // of y
  int64_t taps, stride, pad, dilation;
};

inline AxisPart part_of(AxisPart part, const std::vector<AxisTap>& taps, int64_t source_size) {
  for (int64_t i = 0; i < part.count; ++i) {
    std::vector<AxisTap> inside;
    for (const AxisTap& tap : taps) {
      const int64_t source = i * part.source_step + tap.offset;
      if (source >= 0 && source < source_size) inside.push_back(tap);
    }
    if (!part.spans.empty() && part.spans.back().taps == inside) {
      ++part.spans.back().end;
    } else {
      part.spans.push_back({i, i + 1, std::move(inside)});
    }
  }
  return part;
}

inline std::vector<AxisPart> forward_parts(const WindowAxis& a) {
  std::vector<AxisTap> taps;
  for (int64_t t = 0; t < a.taps; ++t) taps.push_back({t, t * a.dilation - a.pad});
  return {part_of({0, 1, a.places, a.stride}, taps, a.size)};
}

inline std::vector<AxisPart> gradient_parts(const WindowAxis& a) {
  std::vector<AxisPart> parts;
  for (int64_t first = 0; first < std::min(a.stride, a.size); ++first) {
    std::vector<AxisTap> taps;
    for (int64_t t = 0; t < a.taps; ++t) {
      const int64_t distance = first + a.pad - t * a.dilation;
      if (distance % a.stride == 0) taps.push_back({t, distance / a.stride});
    }
    const int64_t count = (a.size - first + a.stride - 1) / a.stride;
    parts.push_back(part_of({first, a.stride, count, 1}, taps, a.places));
  }
  return parts;
}

}  // namespace gatun::kernels
