// What libgatun_cuda gives to the core. Both are built from the same sources, yet each has a C++
// library of its own inside: so nothing is owned across this border, no exception crosses it, and
// what is passed are functions, pointers and plain structs.
#pragma once

#include <cstdint>

#include "gatun.h"
#include "kernels/table.h"

namespace gatun::cuda {

// Raised whenever something here changes meaning.
constexpr uint64_t kApiVersion = 3;
constexpr uint64_t kApiLayout = kApiVersion ^ cuda_kernels_layout();

class Device;   // a GPU
class Queue;    // what a gt_stream is there: launches run at once, or are kept
class Program;  // kept launches
class Copies;   // copies to the device beside what it computes

struct DeviceFacts {
  char text[128];        // "NVIDIA H200, 132 multiprocessors"
  int64_t memory_bytes;  // free when the device was opened
};

// Some bytes from host to device, or back.
struct Transfer {
  void* to;
  const void* from;
  int64_t bytes;
};

// All that return a status have put a message into `last_message` where it is not GT_OK.
struct Api {
  uint64_t layout;
  const CudaKernels* kernels;
  // Of the calling thread.
  const char* (*last_message)() noexcept;

  // How many devices there are to choose from. An emulation is only ever opened by name: 0.
  gt_status (*device_count)(int32_t* out) noexcept;
  gt_status (*device_open)(Device** out, DeviceFacts* facts, int32_t index) noexcept;
  void (*device_close)(Device* device) noexcept;

  // Zeroed memory of the device, or of the host where the device can fetch it fast. NULL in `out`
  // and GT_OUT_OF_MEMORY when there is none.
  gt_status (*allocate)(Device& device, void** out, int64_t bytes) noexcept;
  void (*release)(Device& device, void* data) noexcept;
  gt_status (*allocate_host)(Device& device, void** out, int64_t bytes) noexcept;
  void (*release_host)(Device& device, void* data) noexcept;
  // After everything issued before; returns when it is done.
  gt_status (*copy)(Device& device, void* to, const void* from, int64_t bytes) noexcept;
  // The same without waiting for it.
  gt_status (*copy_begin)(Device& device, const Transfer& transfer) noexcept;
  // Waits for all but copies that nothing has joined yet.
  gt_status (*synchronize)(Device& device) noexcept;

  gt_status (*queue_open)(Device& device, Queue** out) noexcept;
  void (*queue_close)(Queue* queue) noexcept;
  // Of the launches from here on: see gt_stream_set_products.
  void (*multiply_in_tf32)(Queue& queue, bool tf32) noexcept;
  gt_status (*begin_recording)(Queue& queue) noexcept;
  // The program copies `in` before its launches, and `out` after them.
  gt_status (*end_recording)(Queue& queue, Program** out, const Transfer* in, int64_t in_count,
                             const Transfer* out_transfers, int64_t out_count) noexcept;
  // Around the launches of one instruction; `keep` is false if it failed, and they are dropped.
  gt_status (*begin_instruction)(Queue& queue, const char* op) noexcept;
  gt_status (*end_instruction)(Queue& queue, bool keep) noexcept;
  // A launch that copies, within an instruction.
  gt_status (*queue_copy)(Queue& queue, const Transfer& transfer) noexcept;

  // To be done after everything issued before.
  gt_status (*program_launch)(Program& program) noexcept;
  void (*program_close)(Program* program) noexcept;

  // After everything issued before.
  gt_status (*copies_open)(Device& device, Copies** out) noexcept;
  // Closing waits for them.
  void (*copies_close)(Copies* copies) noexcept;
  gt_status (*copies_begin)(Copies& copies, const Transfer& transfer) noexcept;
  // What is issued from here on, save further copies, comes after those so far.
  gt_status (*copies_join)(Copies& copies) noexcept;
};

// The library's one exported function: `const Api* gatun_cuda_api(void)`.
using ApiFunction = const Api* (*)() noexcept;
constexpr char kApiSymbol[] = "gatun_cuda_api";

}  // namespace gatun::cuda
