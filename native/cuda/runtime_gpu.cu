// The CUDA run-time.
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <mutex>

#include "core/check.h"
#include "cuda/launch_gpu.h"
#include "cuda/runtime.h"

namespace gatun::cuda {

void check_cuda(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  if (status == cudaErrorMemoryAllocation) {  // which leaves the device as it was
    cudaGetLastError();
    fail(GT_OUT_OF_MEMORY, "[device] out of device memory in ", what);
  }
  fail(GT_DEVICE_FAILURE, what, " failed: ", cudaGetErrorName(status), ", ",
       cudaGetErrorString(status));
}

void prepare_kernel(const void* kernel, int64_t shared_bytes) {
  cudaFuncAttributes attributes;
  check_cuda(cudaFuncGetAttributes(&attributes, kernel), "cudaFuncGetAttributes");
  if (shared_bytes <= attributes.maxDynamicSharedSizeBytes) return;
  // The limit is the kernel's, not a launch's: one that fitted this launch would be too small for
  // launches that are kept, or that other threads make. So it is all that there is.
  int device = 0, most = 0;
  check_cuda(cudaGetDevice(&device), "cudaGetDevice");
  check_cuda(cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device),
             "cudaDeviceGetAttribute");
  check_cuda(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                  most - static_cast<int>(attributes.sharedSizeBytes)),
             "cudaFuncSetAttribute");
}

namespace {

class GpuProgram final : public Program {
 public:
  GpuProgram(Device& device, cudaGraphExec_t graph) : Program(device), graph_(graph) {}
  ~GpuProgram() override { cudaGraphExecDestroy(graph_); }
  void launch() override {
    check_cuda(cudaGraphLaunch(graph_, static_cast<cudaStream_t>(device().stream())),
               "[program_run] cudaGraphLaunch");
  }

 private:
  cudaGraphExec_t graph_;
};

// Where it is there: what has it is one architecture, and the library must be built for it.
Wgmma wgmma_of([[maybe_unused]] const cudaDeviceProp& properties) {
#if defined(GATUN_CUDA_HOPPER)
  if (properties.major == 9 && properties.minor == 0) return wanted_wgmma();
#endif
  return Wgmma::NEVER;
}

void begin_copy_on(cudaStream_t stream, const Transfer& transfer) {
  check_cuda(cudaMemcpyAsync(transfer.to, transfer.from, static_cast<size_t>(transfer.bytes),
                             cudaMemcpyDefault, stream),
             "cudaMemcpyAsync");
}

class GpuCopies final : public Copies {
 public:
  GpuCopies(Device& device, cudaStream_t stream) : Copies(device), stream_(stream) {
    check_cuda(cudaEventCreateWithFlags(&done_, cudaEventDisableTiming), "cudaEventCreate");
  }
  ~GpuCopies() override {
    cudaStreamSynchronize(stream_);
    cudaEventDestroy(done_);
  }
  void begin(const Transfer& transfer) override {
    begin_copy_on(stream_, transfer);
    check_cuda(cudaEventRecord(done_, stream_), "cudaEventRecord");
  }
  void join() override {
    check_cuda(cudaStreamWaitEvent(static_cast<cudaStream_t>(device().stream()), done_, 0),
               "cudaStreamWaitEvent");
  }

 private:
  const cudaStream_t stream_;
  cudaEvent_t done_ = nullptr;
};

class GpuDevice final : public Device {
 public:
  GpuDevice(int32_t index, const cudaDeviceProp& properties, int largest_cluster)
      : index_(index),
        multiprocessors_(properties.multiProcessorCount),
        shared_bytes_(static_cast<int64_t>(properties.sharedMemPerBlockOptin)),
        largest_cluster_(largest_cluster),
        wgmma_(wgmma_of(properties)) {
    check_cuda(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate");
    check_cuda(cudaStreamCreateWithFlags(&capture_, cudaStreamNonBlocking), "cudaStreamCreate");
    check_cuda(cudaStreamCreateWithFlags(&copies_, cudaStreamNonBlocking), "cudaStreamCreate");
  }
  ~GpuDevice() override {
    cudaSetDevice(index_);
    cudaStreamDestroy(copies_);
    cudaStreamDestroy(capture_);
    cudaStreamDestroy(stream_);
  }

  void* stream() override { return stream_; }
  int multiprocessors() const override { return multiprocessors_; }
  int64_t shared_bytes() const override { return shared_bytes_; }
  int largest_cluster() const override { return largest_cluster_; }
  Wgmma wgmma() const override { return wgmma_; }
  void enter() override { check_cuda(cudaSetDevice(index_), "cudaSetDevice"); }

  void* allocate(int64_t bytes) override {
    void* data = nullptr;
    const cudaError_t status = cudaMalloc(&data, bytes > 0 ? static_cast<size_t>(bytes) : 1);
    if (status == cudaErrorMemoryAllocation) {
      cudaGetLastError();  // it is told by NULL
      return nullptr;
    }
    check_cuda(status, "cudaMalloc");
    check_cuda(cudaMemsetAsync(data, 0, static_cast<size_t>(bytes), stream_), "cudaMemset");
    return data;
  }
  void release(void* data) noexcept override {
    cudaSetDevice(index_);
    cudaFree(data);
  }
  void* allocate_host(int64_t bytes) override {
    void* data = nullptr;
    const cudaError_t status =
        cudaHostAlloc(&data, bytes > 0 ? static_cast<size_t>(bytes) : 1, cudaHostAllocPortable);
    if (status == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      return nullptr;
    }
    check_cuda(status, "cudaHostAlloc");
    std::memset(data, 0, static_cast<size_t>(bytes));
    return data;
  }
  void release_host(void* data) noexcept override {
    cudaSetDevice(index_);
    cudaFreeHost(data);
  }
  void copy(void* to, const void* from, int64_t bytes) override {
    check_cuda(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDefault, stream_),
               "cudaMemcpy");
    synchronize();
  }
  Launch copy_launch(const Transfer& transfer) override {
    return [=](void* stream) { begin_copy_on(static_cast<cudaStream_t>(stream), transfer); };
  }
  void begin_copy(const Transfer& transfer) override { begin_copy_on(stream_, transfer); }
  Launch poison_launch(void*, int64_t) override { return nullptr; }
  void synchronize() override {
    check_cuda(cudaStreamSynchronize(stream_), "the work of the device");
  }

  std::unique_ptr<Program> make_program(std::vector<KeptLaunch> launches) override {
    const std::lock_guard lock(capturing_);
    check_cuda(cudaStreamBeginCapture(capture_, cudaStreamCaptureModeThreadLocal),
               "cudaStreamBeginCapture");
    cudaGraph_t graph = nullptr;
    try {
      for (const KeptLaunch& kept : launches) kept.launch(capture_);
    } catch (...) {
      cudaStreamEndCapture(capture_, &graph);
      if (graph != nullptr) cudaGraphDestroy(graph);
      throw;
    }
    check_cuda(cudaStreamEndCapture(capture_, &graph), "cudaStreamEndCapture");
    cudaGraphExec_t executable = nullptr;
    const cudaError_t status = cudaGraphInstantiate(&executable, graph, 0);
    cudaGraphDestroy(graph);
    check_cuda(status, "cudaGraphInstantiate");
    auto program = std::make_unique<GpuProgram>(*this, executable);
    check_cuda(cudaGraphUpload(executable, stream_), "cudaGraphUpload");
    return program;
  }
  std::unique_ptr<Copies> make_copies() override {
    return std::make_unique<GpuCopies>(*this, copies_);
  }

 private:
  const int32_t index_;
  const int multiprocessors_;
  const int64_t shared_bytes_;
  const int largest_cluster_;
  const Wgmma wgmma_;
  cudaStream_t stream_ = nullptr;
  cudaStream_t capture_ = nullptr;
  cudaStream_t copies_ = nullptr;
  std::mutex capturing_;
};

}  // namespace

// What a device without code in this library, older than all that it was built for, cannot run.
__global__ void probe_kernel() {}

namespace {

// Not of the device's compute capability alone: code that a driver has made of PTX for older GPUs
// has no clusters, and a part of a GPU may be too small for the largest ones. No GPU has run one
// yet, so they have to be asked for.
int largest_cluster_of(const cudaDeviceProp& properties, const cudaFuncAttributes& code) {
  if (code.ptxVersion < 90 || properties.major < 9) return 1;
  if (!wants_untried()) return 1;
  const auto function = reinterpret_cast<const void*>(&probe_kernel);
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(kMostInCluster);
  config.blockDim = dim3(kWarp);
  config.dynamicSmemBytes = properties.sharedMemPerBlockOptin;
  prepare_kernel(function, static_cast<int64_t>(config.dynamicSmemBytes));
  int largest = 1;
  if (cudaOccupancyMaxPotentialClusterSize(&largest, function, &config) != cudaSuccess) {
    cudaGetLastError();  // everything works without
    return 1;
  }
  return std::clamp(largest, 1, kMostInCluster);
}

}  // namespace

int32_t count_devices() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}

std::unique_ptr<Device> open_device(int32_t index, DeviceFacts& facts) {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess) {
    cudaGetLastError();
    fail(GT_UNSUPPORTED, cudaGetErrorString(status), " (", cudaGetErrorName(status), ")");
  }
  if (index >= count) fail(GT_UNSUPPORTED, "this machine has ", count);
  cudaDeviceProp properties;
  check_cuda(cudaGetDeviceProperties(&properties, index), "cudaGetDeviceProperties");
  check_cuda(cudaSetDevice(index), "cudaSetDevice");
  cudaFuncAttributes attributes;
  const cudaError_t code = cudaFuncGetAttributes(&attributes, probe_kernel);
  if (code != cudaSuccess) {
    cudaGetLastError();
    fail(GT_UNSUPPORTED, "this library has no code for ", properties.name, ", compute capability ",
         properties.major, ".", properties.minor, ": ", cudaGetErrorString(code));
  }
  size_t free = 0, total = 0;
  check_cuda(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
  std::snprintf(facts.text, sizeof(facts.text),
                "%.64s, %d multiprocessors, compute capability %d.%d%s", properties.name,
                properties.multiProcessorCount, properties.major, properties.minor,
                wgmma_of(properties) == Wgmma::NEVER ? "" : ", with wgmma");
  facts.memory_bytes = static_cast<int64_t>(free);
  return std::make_unique<GpuDevice>(index, properties, largest_cluster_of(properties, attributes));
}

}  // namespace gatun::cuda
