// CUDA devices, by way of libgatun_cuda, which is loaded when one is asked for.
#pragma once

#include <cstdint>
#include <memory>

#include "core/device.h"

namespace gatun {

// Throws GT_UNSUPPORTED with the reason where there is no such device: no library, no driver, no
// GPU of this number.
std::shared_ptr<Device> open_cuda_device(const char* op, int32_t index);

// 0 where there is no library, no driver or no GPU.
int32_t cuda_device_count() noexcept;

}  // namespace gatun
