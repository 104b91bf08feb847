#include "core/cuda.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "abi/launch.h"
#include "core/check.h"
#include "core/cuda_library.h"
#include "core/frames.h"
#include "core/held.h"

namespace gatun {
namespace {

class CudaDevice final : public Device {
 public:
  CudaDevice(const cuda::Api& api, cuda::Device* device, const cuda::DeviceFacts& facts,
             int32_t index)
      : Device(facts.memory_bytes),
        api_(api),
        device_(device),
        text_("cuda " + std::to_string(index) + ", " + facts.text) {}
  ~CudaDevice() override { api_.device_close(device_); }

  const cuda::Api& api() const { return api_; }
  cuda::Device& handle() const { return *device_; }
  // Throws what a call into the library said. A failure of the device is the last thing it does:
  // CUDA answers everything after it in the same way, so it is told once, and then referred to.
  void check(const char* op, gt_status status) {
    if (status != GT_OK) fail_with(op, Error(status, api_.last_message()));
  }
  [[noreturn]] void fail_with(const char* op, const Error& error) {
    if (error.status == GT_OUT_OF_MEMORY)
      fail(error.status, error.text, "; buffers hold ", holders());
    if (error.status != GT_DEVICE_FAILURE) throw Error(error);
    check_usable(op);
    const std::lock_guard lock(mutex_);
    failure_ = error.text;
    fail(error.status, "[", op, "] ", text_,
         " failed and is closed, until the process starts anew: ", error.text,
         "; the last instruction was [", last_op_.load(), "]");
  }
  // Before anything is asked of the device.
  void check_usable(const char* op) {
    const std::lock_guard lock(mutex_);
    if (!failure_.empty()) {
      fail(GT_DEVICE_FAILURE, "[", op, "] ", text_, " is closed since it failed: ", failure_);
    }
  }
  void note(const char* op) { last_op_ = op; }
  std::shared_ptr<CudaDevice> self() {
    return std::static_pointer_cast<CudaDevice>(shared_from_this());
  }

  std::string describe() const override { return text_; }
  std::shared_ptr<Buffer> allocate(const char* op, int64_t bytes, MemoryKind kind) override;
  std::shared_ptr<Stream> open_stream() override;

  // Memory of the device, counted.
  void* take(const char* op, int64_t bytes) {
    check_usable(op);
    void* data = nullptr;
    if (memory().add(bytes)) {
      const gt_status status = api_.allocate(*device_, &data, bytes);
      if (status == GT_OK) {
        const std::lock_guard lock(mutex_);
        held_.emplace(data, bytes);
        return data;
      }
      memory().remove(bytes);
      if (status != GT_OUT_OF_MEMORY) check(op, status);
    }
    fail(GT_OUT_OF_MEMORY, "[", op, "] out of device memory on ", text_, ": asked for ", bytes,
         " bytes, the device may hold ", memory().limit(), " and holds ", holders());
  }
  void give_back(void* data) noexcept {
    int64_t bytes = 0;
    {  // before another thread can be given the same place
      const std::lock_guard lock(mutex_);
      bytes = held_.extract(data).mapped();
    }
    api_.release(*device_, data);
    memory().remove(bytes);
  }

 private:
  // "1200 bytes in 3 buffers, the largest of 800, 300 and 100 bytes"
  std::string holders() {
    const std::lock_guard lock(mutex_);
    std::vector<int64_t> sizes;
    for (const auto& [data, bytes] : held_) sizes.push_back(bytes);
    std::sort(sizes.rbegin(), sizes.rend());
    std::string text =
        std::to_string(memory().bytes()) + " bytes in " + std::to_string(sizes.size()) + " buffers";
    constexpr size_t kNamed = 5;
    for (size_t i = 0; i < std::min(kNamed, sizes.size()); ++i) {
      text += (i == 0 ? ", the largest of " : ", ") + std::to_string(sizes[i]);
    }
    return text;
  }

  const cuda::Api& api_;
  cuda::Device* const device_;
  const std::string text_;
  std::mutex mutex_;
  std::map<void*, int64_t> held_;
  std::string failure_;  // of the device, if it failed
  std::atomic<const char*> last_op_ = "none";
};

// Staging memory is twice there: the host's, which is pinned, and the device's, which kernels use.
// Between instructions and between programs, the host's is the one that counts.
class CudaBuffer final : public Buffer {
 public:
  CudaBuffer(const char* op, std::shared_ptr<CudaDevice> device, int64_t bytes, MemoryKind kind)
      : Buffer(device, bytes, kind), cuda_(std::move(device)) {
    data_ = static_cast<std::byte*>(cuda_->take(op, bytes));
    if (kind != MemoryKind::STAGING) return;
    void* host = nullptr;
    const gt_status status = cuda_->api().allocate_host(cuda_->handle(), &host, bytes);
    if (status != GT_OK) {
      cuda_->give_back(data_);
      cuda_->check(op, status);
    }
    host_ = static_cast<std::byte*>(host);
  }
  ~CudaBuffer() override {
    cuda_->give_back(data_);
    if (host_ != nullptr) cuda_->api().release_host(cuda_->handle(), host_);
  }

  // NULL for memory of the device alone.
  std::byte* host() const { return host_; }

  std::byte* map(const char* op) override {
    if (host_ == nullptr) {
      fail(GT_UNSUPPORTED, "[", op, "] the host cannot see device memory; use staging memory");
    }
    return host_;
  }
  void read(int64_t offset, void* out, int64_t bytes) override {
    if (host_ != nullptr) {
      std::memmove(out, host_ + offset, bytes);
    } else {
      cuda_->check_usable("buffer_read");
      cuda_->check("buffer_read", cuda_->api().copy(cuda_->handle(), out, data_ + offset, bytes));
    }
  }
  void write(int64_t offset, const void* source, int64_t bytes) override {
    if (host_ != nullptr) {
      std::memmove(host_ + offset, source, bytes);
    } else {
      cuda_->check_usable("buffer_write");
      cuda_->check("buffer_write",
                   cuda_->api().copy(cuda_->handle(), data_ + offset, source, bytes));
    }
  }

 private:
  const std::shared_ptr<CudaDevice> cuda_;
  std::byte* host_ = nullptr;
};

std::byte* on_device(const Range& range) { return range.buffer->data() + range.begin; }
std::byte* on_host(const Range& range) {
  return static_cast<const CudaBuffer&>(*range.buffer).host() + range.begin;
}

bool is_staged(const Use& use) {
  return use.tensor->count > 0 && static_cast<const CudaBuffer&>(**use.buffer).host() != nullptr;
}

class CudaLauncher final : public Launcher {
 public:
  CudaLauncher(const char* op, const CudaTarget& target) : op_(op), target_(target) {}

  const CudaTarget* cuda() const override { return &target_; }
  // An instruction without an entry in the table ends up here.
  void parallel(int64_t, BodyRef) override { fail(GT_UNSUPPORTED, "[", op_, "] not on CUDA yet"); }
  int workers() const override { return 1; }

 protected:
  int64_t reserve(int64_t) override { return 0; }

 private:
  const char* const op_;
  const CudaTarget& target_;
};

class CudaProgram final : public Program {
 public:
  CudaProgram(std::shared_ptr<CudaDevice> device, cuda::Program* program, int64_t instructions,
              std::vector<std::shared_ptr<Buffer>> buffers, std::unique_ptr<Frames> frames)
      : Program(std::move(frames)),
        device_(std::move(device)),
        api_(device_->api()),
        program_(program),
        instructions_(instructions),
        buffers_(std::move(buffers)) {}
  // Launches may still use its memory.
  ~CudaProgram() override {
    if (copies_ != nullptr) {
      api_.synchronize(device_->handle());
      api_.copies_close(copies_);
    }
    api_.program_close(program_);
  }

  // For frames.
  void open_copies(const char* op) {
    device_->check(op, api_.copies_open(device_->handle(), &copies_));
  }

  int64_t instructions() const override { return instructions_; }

 protected:
  void do_run() override {
    constexpr auto op = "program_run";
    device_->check_usable(op);
    device_->check(op, api_.program_launch(*program_));
    device_->check(op, api_.synchronize(device_->handle()));
  }
  void do_feed(const Frames& frames, int64_t first, int64_t count) override {
    constexpr auto op = "program_feed";
    device_->check_usable(op);
    const auto& all = static_cast<const CudaBuffer&>(frames.all());
    const int64_t begin = first * frames.bytes(), bytes = count * frames.bytes();
    device_->check(op,
                   api_.copies_begin(*copies_, {all.data() + begin, all.host() + begin, bytes}));
  }
  // Results go to the host at once: they are few bytes.
  void do_start(const Frames& frames, int64_t first, int64_t count) override {
    constexpr auto op = "program_start";
    device_->check_usable(op);
    device_->check(op, api_.copies_join(*copies_));
    const auto& all = static_cast<const CudaBuffer&>(frames.all());
    std::byte* const current = frames.current().data();
    const auto copy = [&](std::byte* to, const std::byte* from, const Range& range) {
      const cuda::Transfer transfer{to + range.begin, from + range.begin, range.bytes()};
      device_->check(op, api_.copy_begin(device_->handle(), transfer));
    };
    for (int64_t i = first; i < first + count; ++i) {
      const int64_t frame = i * frames.bytes();
      for (const Range& range : frames.read()) copy(current, all.data() + frame, range);
      device_->check(op, api_.program_launch(*program_));
      for (const Range& range : frames.written()) copy(all.host() + frame, current, range);
    }
  }
  void do_wait() override {
    constexpr auto op = "program_wait";
    device_->check_usable(op);
    device_->check(op, api_.synchronize(device_->handle()));
  }
  void do_refresh() override {}  // nothing is kept

 private:
  const std::shared_ptr<CudaDevice> device_;
  const cuda::Api& api_;
  cuda::Program* const program_;
  cuda::Copies* copies_ = nullptr;  // where there are frames
  const int64_t instructions_;
  const std::vector<std::shared_ptr<Buffer>> buffers_;
};

class CudaStream final : public Stream {
 public:
  explicit CudaStream(std::shared_ptr<CudaDevice> device)
      : device_(std::move(device)), base_(device_), api_(device_->api()) {
    device_->check_usable("stream_create");
    device_->check("stream_create", api_.queue_open(device_->handle(), &queue_));
    target_ = {api_.kernels, queue_, api_.last_message};
  }
  ~CudaStream() override { api_.queue_close(queue_); }

  const std::shared_ptr<Device>& device() const override { return base_; }

  void issue(const char* op, std::span<const Use> uses,
             const std::function<void(Launcher&)>& body) override {
    const std::lock_guard lock(mutex_);
    if (recording_) {
      if (frames_ != nullptr) frames_->check(op, uses);
      held_.check(op, uses);
      run_instruction(op, [&](Launcher& launcher) { body(launcher); });
      ++instructions_;
      for (const Use& use : uses) keep(use);
      held_.note(uses);
      if (frames_ != nullptr) frames_->note(uses);
      return;
    }
    bool staged = false;
    run_instruction(op, [&](Launcher& launcher) {
      for (const Use& use : uses) {
        if (use.written || !is_staged(use)) continue;
        const Range range(use);
        copy(on_device(range), on_host(range), range.bytes());
        staged = true;
      }
      body(launcher);
      for (const Use& use : uses) {
        if (!use.written || !is_staged(use)) continue;
        const Range range(use);
        copy(on_host(range), on_device(range), range.bytes());
        staged = true;
      }
    });
    // The host looks at staging memory without asking.
    if (staged) device_->check(op, api_.synchronize(device_->handle()));
  }

  void synchronize() override {
    const std::lock_guard lock(mutex_);
    require(!recording_,
            "[stream_synchronize] the stream is recording; nothing runs until the end");
    device_->check_usable("stream_synchronize");
    device_->check("stream_synchronize", api_.synchronize(device_->handle()));
  }

  void multiply_in(Products products) override {
    const std::lock_guard lock(mutex_);
    api_.multiply_in_tf32(*queue_, products == Products::TF32);
  }

  void begin_recording() override {
    const std::lock_guard lock(mutex_);
    require(!recording_, "[stream_begin_recording] the stream is recording already");
    device_->check("stream_begin_recording", api_.begin_recording(*queue_));
    recording_ = true;
  }

  void set_frames(std::unique_ptr<Frames> frames) override {
    const std::lock_guard lock(mutex_);
    require(recording_ && instructions_ == 0,
            "[stream_set_frames] to be called while the stream records, before an instruction");
    frames_ = std::move(frames);
  }

  // Nothing is kept.
  void hold(const Use& use) override {
    const std::lock_guard lock(mutex_);
    require(recording_, "[stream_hold] the stream is not recording");
    held_.hold(*use.tensor);
  }

  std::shared_ptr<Program> end_recording() override {
    const std::lock_guard lock(mutex_);
    require(recording_, "[stream_end_recording] the stream is not recording");
    recording_ = false;
    std::vector<std::shared_ptr<Buffer>> buffers = std::exchange(buffers_, {});
    const std::vector<Range> read = join(std::exchange(read_, {}), kJoinedGap);
    const std::vector<Range> written = join(std::exchange(written_, {}), 0);
    std::sort(buffers.begin(), buffers.end());
    buffers.erase(std::unique(buffers.begin(), buffers.end()), buffers.end());
    std::unique_ptr<Frames> frames = std::exchange(frames_, nullptr);
    const int64_t instructions = std::exchange(instructions_, 0);
    held_ = {};
    cuda::Program* program = nullptr;
    std::vector<cuda::Transfer> in, out;
    for (const Range& range : read) in.push_back({on_device(range), on_host(range), range.bytes()});
    for (const Range& range : written)
      out.push_back({on_host(range), on_device(range), range.bytes()});
    device_->check("stream_end_recording", api_.end_recording(*queue_, &program, in.data(),
                                                              in.size(), out.data(), out.size()));
    const bool framed = frames != nullptr;
    const auto result = std::make_shared<CudaProgram>(device_, program, instructions,
                                                      std::move(buffers), std::move(frames));
    if (framed) result->open_copies("stream_end_recording");
    return result;
  }

 private:
  template <typename F>
  void run_instruction(const char* op, F&& body) {
    device_->check_usable(op);
    device_->check(op, api_.begin_instruction(*queue_, op));
    try {
      CudaLauncher launcher(op, target_);
      body(launcher);
    } catch (const Error& error) {
      api_.end_instruction(*queue_, false);
      device_->fail_with(op, error);
    } catch (...) {
      api_.end_instruction(*queue_, false);
      throw;
    }
    device_->check(op, api_.end_instruction(*queue_, true));
    device_->note(op);
  }

  void copy(void* to, const void* from, int64_t bytes) {
    const gt_status status = api_.queue_copy(*queue_, {to, from, bytes});
    if (status != GT_OK) fail(status, api_.last_message());  // told by run_instruction
  }

  void keep(const Use& use) {
    buffers_.push_back(*use.buffer);
    if (is_staged(use)) (use.written ? written_ : read_).emplace_back(use);
  }

  const std::shared_ptr<CudaDevice> device_;
  const std::shared_ptr<Device> base_;
  const cuda::Api& api_;
  cuda::Queue* queue_ = nullptr;
  CudaTarget target_{};
  std::mutex mutex_;
  // Of the recording.
  bool recording_ = false;
  int64_t instructions_ = 0;
  std::vector<std::shared_ptr<Buffer>> buffers_;
  std::vector<Range> read_, written_;  // of staging memory
  std::unique_ptr<Frames> frames_;     // NULL without
  Held held_;
};

std::shared_ptr<Buffer> CudaDevice::allocate(const char* op, int64_t bytes, MemoryKind kind) {
  return std::make_shared<CudaBuffer>(op, self(), bytes, kind);
}

std::shared_ptr<Stream> CudaDevice::open_stream() { return std::make_shared<CudaStream>(self()); }

}  // namespace

std::shared_ptr<Device> open_cuda_device(const char* op, int32_t index) {
  const cuda::Api& api = cuda_library(op);
  cuda::Device* device = nullptr;
  cuda::DeviceFacts facts{};
  const gt_status status = api.device_open(&device, &facts, index);
  if (status != GT_OK)
    fail(status, "[", op, "] there is no CUDA device ", index, ": ", api.last_message());
  return std::make_shared<CudaDevice>(api, device, facts, index);
}

int32_t cuda_device_count() noexcept {
  try {
    int32_t count = 0;
    return cuda_library("device_count").device_count(&count) == GT_OK ? count : 0;
  } catch (const Error&) {
    return 0;
  }
}

}  // namespace gatun
