// What the host side asks of the CUDA run-time: runtime_gpu.cu asks the real one, and
// emulation/runtime.cpp is one. Failures throw Error.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/cuda_api.h"
#include "cuda/grid.h"

namespace gatun::cuda {

// Something for the device to do, in the order of a stream (a cudaStream_t).
using Launch = std::function<void(void* stream)>;

// A launch, and the instruction it belongs to.
struct KeptLaunch {
  int64_t instruction;
  std::shared_ptr<const std::string> op;
  Launch launch;
};

// Which products a device with wgmma computes by it: see kernels/product_hopper.h.
enum class Wgmma { NEVER, LARGE, ALL };
// Whether GATUN_CUDA_UNTRIED asks for what no GPU has run yet: wgmma and clusters.
bool wants_untried();
// What it says of wgmma: 1 for products that are large enough to gain, "all" for all that can be,
// which is for tests.
Wgmma wanted_wgmma();

class Device {
 public:
  virtual ~Device() = default;

  // The device's one stream: what is issued, from any thread, is done in order. Asked for to launch
  // something now.
  virtual void* stream() = 0;
  // Multiprocessors, to choose how finely to cut where the result does not depend on it.
  virtual int multiprocessors() const = 0;
  // The most shared memory that a block may have.
  virtual int64_t shared_bytes() const = 0;
  // The most blocks of a cluster, each with the most shared memory; 1 where there are no clusters.
  virtual int largest_cluster() const = 0;
  virtual Wgmma wgmma() const = 0;

  // Makes the device the calling thread's.
  virtual void enter() = 0;
  virtual void* allocate(int64_t bytes) = 0;  // NULL without memory
  virtual void release(void* data) noexcept = 0;
  virtual void* allocate_host(int64_t bytes) = 0;
  virtual void release_host(void* data) noexcept = 0;
  virtual void copy(void* to, const void* from, int64_t bytes) = 0;
  virtual Launch copy_launch(const Transfer& transfer) = 0;
  virtual void begin_copy(const Transfer& transfer) = 0;
  // What fresh scratch memory is filled with; NULL for nothing.
  virtual Launch poison_launch(void* data, int64_t bytes) = 0;
  virtual void synchronize() = 0;
  virtual std::unique_ptr<Program> make_program(std::vector<KeptLaunch> launches) = 0;
  virtual std::unique_ptr<Copies> make_copies() = 0;

  // What all queues and programs hold of it for their instructions, for messages.
  std::atomic<int64_t> scratch_bytes = 0;
};

// Launches that are ready to run together.
class Program {
 public:
  virtual ~Program() = default;
  virtual void launch() = 0;
  Device& device() const { return device_; }

 protected:
  explicit Program(Device& device) : device_(device) {}

 private:
  Device& device_;
};

// Copies on a stream of their own, beside the device's one stream.
class Copies {
 public:
  virtual ~Copies() = default;  // waits for them
  virtual void begin(const Transfer& transfer) = 0;
  // What comes to the device's stream from here on waits for those so far.
  virtual void join() = 0;
  Device& device() const { return device_; }

 protected:
  explicit Copies(Device& device) : device_(device) {}

 private:
  Device& device_;
};

int32_t count_devices();
std::unique_ptr<Device> open_device(int32_t index, DeviceFacts& facts);

}  // namespace gatun::cuda
