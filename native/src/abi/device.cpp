#include "core/device.h"

#include <algorithm>
#include <cstring>

#include "abi/handles.h"
#include "core/simd_level.h"

using namespace gatun;

gt_status gt_device_create(gt_device* out, int32_t kind, int32_t index, int32_t threads) {
  return guard([&] {
    constexpr auto op = "device_create";
    check_out(op, "out", out);
    if (kind != GT_DEVICE_CPU)
      fail(GT_UNSUPPORTED, "[", op, "] this build has no devices of kind ", kind);
    require(index == 0, "[", op, "] there is one CPU device, index 0, but index is ", index);
    require(threads >= 0 && threads <= ThreadPool::kMaxWorkers, "[", op, "] threads must be 0..",
            ThreadPool::kMaxWorkers, ", but is ", threads);
    const int workers =
        threads > 0 ? threads : std::min(available_processors(), ThreadPool::kMaxWorkers);
    *out = new gt_device_s{.device = std::make_shared<Device>(workers)};
  });
}

void gt_device_destroy(gt_device device) { destroy_handle(device); }

gt_status gt_device_describe(gt_device device, char* out, int64_t capacity) {
  return guard([&] {
    constexpr auto op = "device_describe";
    check_handle(op, "device", device);
    check_out(op, "out", out);
    require(capacity > 0, "[", op, "] capacity must be at least 1, but is ", capacity);
    const std::string text = device->device->describe();
    const size_t length = std::min(text.size(), static_cast<size_t>(capacity - 1));
    std::memcpy(out, text.data(), length);
    out[length] = '\0';
  });
}

gt_status gt_simd_level_limit(const char* level) {
  return guard([&] {
    require(level != nullptr, "[simd_level_limit] level is NULL; \"\" lifts the limit");
    limit_simd_level(level);
  });
}

gt_status gt_device_memory(gt_device device, int64_t* out_bytes, int64_t* out_peak_bytes,
                           int64_t* out_allocations) {
  return guard([&] {
    constexpr auto op = "device_memory";
    check_handle(op, "device", device);
    check_out(op, "out_bytes", out_bytes);
    check_out(op, "out_peak_bytes", out_peak_bytes);
    check_out(op, "out_allocations", out_allocations);
    const MemoryCounter& memory = device->device->memory();
    *out_bytes = memory.bytes();
    *out_peak_bytes = memory.peak_bytes();
    *out_allocations = memory.allocations();
  });
}
