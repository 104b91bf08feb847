// The library's border: the table of functions that the core calls, none of which throws.
#include <cstring>
#include <new>

#include "core/check.h"
#include "core/cuda_api.h"
#include "cuda/kernels/kernels.h"
#include "cuda/queue.h"
#include "cuda/runtime.h"

#if defined(GATUN_CUDA_EMULATION)
#include "cuda/emulation/engine.h"
#endif

namespace gatun::cuda {
namespace {

thread_local char message[2048] = "";

gt_status keep(gt_status status, const std::string& text) noexcept {
  std::strncpy(message, text.c_str(), sizeof(message) - 1);
  return status;
}

// `where` is "[op] " for messages that do not say so themselves.
template <typename F>
gt_status guard(const char* op, F&& body) noexcept {
  try {
    body();
    return GT_OK;
  } catch (const Error& error) {
    return keep(error.status, error.text);
#if defined(GATUN_CUDA_EMULATION)
  } catch (const emulation::Fault& fault) {
    return keep(GT_INTERNAL, "[" + std::string(op) + "] " + fault.text);
#endif
  } catch (const std::bad_alloc&) {
    return keep(GT_OUT_OF_MEMORY, "[" + std::string(op) + "] out of host memory");
  } catch (const std::exception& error) {
    return keep(GT_INTERNAL, "[" + std::string(op) + "] " + error.what());
  }
}

// A launch function without exceptions.
template <auto function>
struct Guarded;
template <typename... Parameters, void (*function)(Queue&, Parameters...)>
struct Guarded<function> {
  static gt_status call(Queue& queue, Parameters... parameters) noexcept {
    return guard(queue.op(), [&] {
      queue.device().enter();
      function(queue, parameters...);
    });
  }
};

CudaKernels make_table() {
  CudaKernels table;
#define GATUN_CUDA_KERNEL(name) table.name = Guarded<&kernels::name>::call;
  GATUN_CUDA_KERNELS(GATUN_CUDA_KERNEL)
#undef GATUN_CUDA_KERNEL
  return table;
}

const CudaKernels table = make_table();

constexpr Api api = {
    .layout = kApiLayout,
    .kernels = &table,
    .last_message = []() noexcept -> const char* { return message; },
    .device_count =
        [](int32_t* out) noexcept {
          return guard("device_count", [&] { *out = count_devices(); });
        },
    .device_open =
        [](Device** out, DeviceFacts* facts, int32_t index) noexcept {
          return guard("device_create", [&] { *out = open_device(index, *facts).release(); });
        },
    .device_close = [](Device* device) noexcept { delete device; },
    .allocate =
        [](Device& device, void** out, int64_t bytes) noexcept {
          return guard("buffer_create", [&] {
            device.enter();
            *out = device.allocate(bytes);
            if (*out == nullptr) fail(GT_OUT_OF_MEMORY, "[buffer_create] out of device memory");
          });
        },
    .release = [](Device& device, void* data) noexcept { device.release(data); },
    .allocate_host =
        [](Device& device, void** out, int64_t bytes) noexcept {
          return guard("buffer_create", [&] {
            device.enter();
            *out = device.allocate_host(bytes);
            if (*out == nullptr) {
              fail(GT_OUT_OF_MEMORY, "[buffer_create] out of pinned memory: asked for ", bytes,
                   " bytes");
            }
          });
        },
    .release_host = [](Device& device, void* data) noexcept { device.release_host(data); },
    .copy =
        [](Device& device, void* to, const void* from, int64_t bytes) noexcept {
          return guard("buffer", [&] {
            device.enter();
            device.copy(to, from, bytes);
          });
        },
    .copy_begin =
        [](Device& device, const Transfer& transfer) noexcept {
          return guard("program_start", [&] {
            device.enter();
            device.begin_copy(transfer);
          });
        },
    .synchronize =
        [](Device& device) noexcept {
          return guard("stream_synchronize", [&] {
            device.enter();
            device.synchronize();
          });
        },
    .queue_open =
        [](Device& device, Queue** out) noexcept {
          return guard("stream_create", [&] { *out = new Queue(device); });
        },
    .queue_close =
        [](Queue* queue) noexcept {
          // Launches may still use its scratch memory.
          guard("stream_destroy", [&] {
            queue->device().enter();
            queue->device().synchronize();
          });
          delete queue;
        },
    .multiply_in_tf32 = [](Queue& queue, bool tf32) noexcept { queue.multiply_in_tf32(tf32); },
    .begin_recording =
        [](Queue& queue) noexcept {
          return guard("stream_begin_recording", [&] { queue.begin_recording(); });
        },
    .end_recording =
        [](Queue& queue, Program** out, const Transfer* in, int64_t in_count, const Transfer* back,
           int64_t back_count) noexcept {
          return guard("stream_end_recording", [&] {
            queue.device().enter();
            *out = queue.end_recording({in, in + in_count}, {back, back + back_count}).release();
          });
        },
    .begin_instruction =
        [](Queue& queue, const char* op) noexcept {
          return guard(op, [&] {
            queue.device().enter();
            queue.begin_instruction(op);
          });
        },
    .end_instruction =
        [](Queue& queue, bool keep) noexcept {
          return guard(queue.op(), [&] { queue.end_instruction(keep); });
        },
    .queue_copy =
        [](Queue& queue, const Transfer& transfer) noexcept {
          return guard(queue.op(), [&] { queue.copy(transfer); });
        },
    .program_launch =
        [](Program& program) noexcept {
          return guard("program_run", [&] {
            program.device().enter();
            program.launch();
          });
        },
    .program_close =
        [](Program* program) noexcept {
          guard("program_destroy", [&] { program->device().enter(); });
          delete program;
        },
    .copies_open =
        [](Device& device, Copies** out) noexcept {
          return guard("stream_end_recording", [&] {
            device.enter();
            device.synchronize();
            *out = device.make_copies().release();
          });
        },
    .copies_close =
        [](Copies* copies) noexcept {
          guard("program_destroy", [&] { copies->device().enter(); });
          delete copies;
        },
    .copies_begin =
        [](Copies& copies, const Transfer& transfer) noexcept {
          return guard("program_feed", [&] {
            copies.device().enter();
            copies.begin(transfer);
          });
        },
    .copies_join =
        [](Copies& copies) noexcept {
          return guard("program_start", [&] {
            copies.device().enter();
            copies.join();
          });
        },
};

}  // namespace
}  // namespace gatun::cuda

extern "C" GT_API const gatun::cuda::Api* gatun_cuda_api() noexcept { return &gatun::cuda::api; }
