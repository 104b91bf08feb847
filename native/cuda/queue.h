// A gt_stream on CUDA, and how kernels are launched: on a queue, which runs launches at once, or
// keeps them for a program.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "core/tensor.h"
#include "cuda/primitives.h"
#include "cuda/runtime.h"

namespace gatun::cuda {

// kernel<<<grid>>>(arguments...), to be done later.
template <typename... Parameters>
Launch make_launch(void (*kernel)(Parameters...), const Grid& grid,
                   const std::tuple<Parameters...>& arguments);

// The elements of a tensor for a kernel; of an absent one: none.
template <typename T>
Global<T> elements(const Tensor& tensor) {
  return Global<T>(tensor.as<std::remove_const_t<T>>(), tensor.count);
}
template <typename T>
Global<T> elements(const Tensor* tensor) {
  return tensor == nullptr ? Global<T>() : elements<T>(*tensor);
}

// Memory that instructions use one after the other. A larger piece does not move the smaller one,
// which kept launches know.
class ScratchMemory {
 public:
  explicit ScratchMemory(Device& device) : device_(device) {}
  ~ScratchMemory();
  ScratchMemory(const ScratchMemory&) = delete;
  ScratchMemory& operator=(const ScratchMemory&) = delete;

  // From here on the former instruction's memory may be used again.
  void begin_instruction() { used_ = 0; }
  void* reserve(const char* op, int64_t bytes);

 private:
  Device& device_;
  std::vector<std::pair<void*, int64_t>> pieces_;  // and their sizes; the last one is in use
  int64_t capacity_ = 0;
  int64_t used_ = 0;
};

class Queue {
 public:
  explicit Queue(Device& device) : device_(device) {}

  Device& device() const { return device_; }
  int multiprocessors() const { return device_.multiprocessors(); }
  int64_t shared_bytes() const { return device_.shared_bytes(); }
  int largest_cluster() const { return device_.largest_cluster(); }
  const char* op() const { return op_->c_str(); }
  // How products of f32 are computed from here on: in tf32, or exactly.
  void multiply_in_tf32(bool tf32) { tf32_ = tf32; }
  bool multiplies_in_tf32() const { return tf32_; }

  // Launches a kernel, after all that was launched before. Without blocks it does nothing. A
  // resident grid has no more blocks than there are multiprocessors; clusters are no larger than
  // the largest one, and fill the grid along x.
  template <typename... Parameters, typename... Arguments>
  void launch(void (*kernel)(Parameters...), const Grid& grid, Arguments&&... arguments) {
    if (grid.blocks.count() == 0) return;
    enqueue(make_launch(kernel, grid,
                        std::tuple<Parameters...>(std::forward<Arguments>(arguments)...)));
  }

  // Uninitialised memory for the launches of this instruction.
  template <typename T>
  Global<T> scratch(int64_t count) {
    const int64_t bytes = count * static_cast<int64_t>(sizeof(T));
    return Global<T>(static_cast<T*>(scratch_bytes(bytes)), count);
  }

  // For library.cpp.
  void begin_recording();
  std::unique_ptr<Program> end_recording(const std::vector<Transfer>& in,
                                         const std::vector<Transfer>& out);
  void begin_instruction(const char* op);
  void end_instruction(bool keep);
  void copy(const Transfer& transfer) { enqueue(device_.copy_launch(transfer)); }

 private:
  struct Recording {
    std::unique_ptr<ScratchMemory> scratch;
    std::vector<KeptLaunch> launches;
    size_t complete = 0;  // launches of instructions that have ended
    int64_t instructions = 0;
  };

  void enqueue(Launch launch);
  void* scratch_bytes(int64_t bytes);

  Device& device_;
  std::unique_ptr<ScratchMemory> scratch_;  // of instructions that run at once
  std::optional<Recording> recording_;
  bool tf32_ = false;
  std::shared_ptr<const std::string> op_ = std::make_shared<std::string>();
};

}  // namespace gatun::cuda

#if defined(GATUN_CUDA_EMULATION)
#include "cuda/emulation/launch.h"
#else
#include "cuda/launch_gpu.h"
#endif
