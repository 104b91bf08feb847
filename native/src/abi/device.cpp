#include <algorithm>
#include <cstring>

#include "abi/handles.h"
#include "core/cpu.h"
#include "core/cuda.h"
#include "core/cuda_library.h"
#include "core/simd_level.h"

using namespace gatun;

gt_status gt_device_create(gt_device* out, int32_t kind, int32_t index, int32_t threads) {
  return guard([&] {
    constexpr auto op = "device_create";
    check_out(op, "out", out);
    if (kind == GT_DEVICE_CUDA) {
      require(index >= 0, "[", op, "] index must not be negative, but is ", index);
      *out = new gt_device_s{.device = open_cuda_device(op, index)};
      return;
    }
    if (kind != GT_DEVICE_CPU)
      fail(GT_UNSUPPORTED, "[", op, "] this build has no devices of kind ", kind);
    require(index == 0, "[", op, "] there is one CPU device, index 0, but index is ", index);
    require(threads >= 0 && threads <= ThreadPool::kMaxWorkers, "[", op, "] threads must be 0..",
            ThreadPool::kMaxWorkers, ", but is ", threads);
    require_simd_level(op);
    const int workers =
        threads > 0 ? threads : std::min(available_processors(), ThreadPool::kMaxWorkers);
    *out = new gt_device_s{.device = std::make_shared<CpuDevice>(workers)};
  });
}

gt_status gt_cuda_library_locate(const char* path) {
  return guard([&] {
    require(path != nullptr, "[cuda_library_locate] path must not be NULL");
    set_cuda_library_file(path);
  });
}

gt_status gt_device_count(int32_t* out_count, int32_t kind) {
  return guard([&] {
    constexpr auto op = "device_count";
    check_out(op, "out_count", out_count);
    require(kind == GT_DEVICE_CPU || kind == GT_DEVICE_CUDA, "[", op, "] kind must be ",
            GT_DEVICE_CPU, " or ", GT_DEVICE_CUDA, ", but is ", kind);
    *out_count = kind == GT_DEVICE_CPU ? 1 : cuda_device_count();
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
