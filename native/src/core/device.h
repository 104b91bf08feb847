// What the ABI sees of a device, whatever it is: it makes memory and streams, and streams make
// programs. core/cpu.h and core/cuda.h are the two kinds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>

#include "core/launcher.h"
#include "core/memory.h"
#include "core/tensor.h"

namespace gatun {

class Buffer;
class Frames;
class Stream;

enum class Products : int32_t { F32 = GT_PRODUCTS_F32, TF32 = GT_PRODUCTS_TF32 };
enum class MemoryKind : int32_t { DEVICE = GT_MEMORY_DEVICE, STAGING = GT_MEMORY_STAGING };

class Device : public std::enable_shared_from_this<Device> {
 public:
  explicit Device(int64_t memory_limit) : memory_(memory_limit) {}
  virtual ~Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  MemoryCounter& memory() { return memory_; }
  // "cpu, 2 threads, AVX3"
  virtual std::string describe() const = 0;
  virtual std::shared_ptr<Buffer> allocate(const char* op, int64_t bytes, MemoryKind kind) = 0;
  virtual std::shared_ptr<Stream> open_stream() = 0;

 private:
  MemoryCounter memory_;
};

// Zeroed memory of a device, which it keeps alive.
class Buffer {
 public:
  Buffer(std::shared_ptr<Device> device, int64_t bytes, MemoryKind kind)
      : device_(std::move(device)), bytes_(bytes), kind_(kind) {}
  virtual ~Buffer() = default;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  const std::shared_ptr<Device>& device() const { return device_; }
  int64_t bytes() const { return bytes_; }
  MemoryKind kind() const { return kind_; }
  // The address that kernels use.
  std::byte* data() const { return data_; }

  // The address that the host uses; throws GT_UNSUPPORTED where it has none.
  virtual std::byte* map(const char* op) = 0;
  // Ranges lie inside.
  virtual void read(int64_t offset, void* out, int64_t bytes) = 0;
  virtual void write(int64_t offset, const void* source, int64_t bytes) = 0;

 protected:
  std::byte* data_ = nullptr;

 private:
  const std::shared_ptr<Device> device_;
  const int64_t bytes_;
  const MemoryKind kind_;
};

// A recorded list of instructions, ready to run. Calls from several threads take turns.
class Program {
 public:
  // `frames` is NULL if it has none.
  explicit Program(std::unique_ptr<Frames> frames);
  virtual ~Program();
  virtual int64_t instructions() const = 0;
  void run();
  // See gt_program_feed and what follows there.
  void feed(int64_t first, int64_t count);
  void start(int64_t first, int64_t count);
  void wait();
  // Held tensors have changed: the next run derives anew what is kept of them.
  void refresh();

 protected:
  // What the former do when all is checked, one at a time.
  virtual void do_run() = 0;
  virtual void do_feed(const Frames& frames, int64_t first, int64_t count) = 0;
  virtual void do_start(const Frames& frames, int64_t first, int64_t count) = 0;
  virtual void do_wait() = 0;
  virtual void do_refresh() = 0;

 private:
  Frames& frames(const char* op) const;

  const std::unique_ptr<Frames> frames_;
  std::mutex mutex_;
};

// An operand of an instruction: a tensor, and the memory it lies in.
struct Use {
  const std::shared_ptr<Buffer>* buffer;
  const Tensor* tensor;
  bool written;
};

// Issues instructions in order: at once, or into a recording that becomes a program.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual const std::shared_ptr<Device>& device() const = 0;

  // One instruction: `body` checks its arguments, then launches. If it throws while the stream
  // records, the recording stays as it was.
  virtual void issue(const char* op, std::span<const Use> uses,
                     const std::function<void(Launcher&)>& body) = 0;

  virtual void synchronize() = 0;
  // How products of f32 are computed from here on. A device without tensor cores computes them
  // exactly.
  virtual void multiply_in(Products) {}
  virtual void begin_recording() = 0;
  // While recording, before the first instruction; see gt_stream_set_frames.
  virtual void set_frames(std::unique_ptr<Frames> frames) = 0;
  // While recording: the program may keep what it derives from this tensor.
  virtual void hold(const Use& use) = 0;
  // Ends the recording even if it throws.
  virtual std::shared_ptr<Program> end_recording() = 0;
};

}  // namespace gatun
