// What the opaque handles of the C ABI are, and how an entry point goes from handles to a kernel.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <span>

#include "abi/guard.h"
#include "abi/launch.h"
#include "core/check.h"
#include "core/launcher.h"
#include "core/tensor.h"
#include "gatun.h"

namespace gatun {

class Buffer;
class Device;
class Program;
class Stream;

// The first word of every live handle. It tells a handle of another type, and most destroyed ones
// (the allocator writes over a freed block's first words), from a good one. It is best effort: the
// owner in Java knows for certain.
enum class HandleKind : uint64_t {
  DEVICE = 0x6761'7475'6e00'0001,
  BUFFER,
  TENSOR,
  STREAM,
  PROGRAM,
};

}  // namespace gatun

struct gt_device_s {
  static constexpr auto kKind = gatun::HandleKind::DEVICE;
  gatun::HandleKind kind = kKind;
  std::shared_ptr<gatun::Device> device;
};

struct gt_buffer_s {
  static constexpr auto kKind = gatun::HandleKind::BUFFER;
  gatun::HandleKind kind = kKind;
  std::shared_ptr<gatun::Buffer> buffer;
};

struct gt_tensor_s {
  static constexpr auto kKind = gatun::HandleKind::TENSOR;
  gatun::HandleKind kind = kKind;
  gatun::Tensor view;
  std::shared_ptr<gatun::Buffer> buffer;
};

struct gt_stream_s {
  static constexpr auto kKind = gatun::HandleKind::STREAM;
  gatun::HandleKind kind = kKind;
  std::shared_ptr<gatun::Stream> stream;
};

struct gt_program_s {
  static constexpr auto kKind = gatun::HandleKind::PROGRAM;
  gatun::HandleKind kind = kKind;
  std::shared_ptr<gatun::Program> program;
};

namespace gatun {

template <typename Handle>
Handle* check_handle(const char* op, const char* argument, Handle* handle) {
  require(handle != nullptr, "[", op, "] ", argument, " is NULL");
  require(handle->kind == Handle::kKind, "[", op, "] ", argument,
          " is not a live handle of its type (destroyed, or of another kind)");
  return handle;
}

template <typename Out>
void check_out(const char* op, const char* argument, Out* out) {
  require(out != nullptr, "[", op, "] ", argument, " is NULL: there is no place for the result");
}

// Destroyers never fail: NULL and what is not a live handle are left alone.
template <typename Handle>
void destroy_handle(Handle* handle) noexcept {
  if (handle == nullptr || handle->kind != Handle::kKind) return;
  *const_cast<volatile HandleKind*>(&handle->kind) = HandleKind{};
  delete handle;
}

inline const Tensor& tensor(const char* op, const char* argument, gt_tensor handle) {
  return check_handle(op, argument, handle)->view;
}

// `instruction` has checked that it is live.
inline const Tensor* nullable(gt_tensor handle) {
  return handle == nullptr ? nullptr : &handle->view;
}

// The non-template part of `instruction`: checks the stream, that all tensors given are on its
// device and that outputs share no memory with each other; then runs the body with the stream's
// launcher under the stream's lock.
void issue(const char* op, gt_stream stream, std::span<const gt_tensor> outputs,
           std::span<const gt_tensor> inputs, const std::function<void(Launcher&)>& body);

// A whole instruction. Handles may be NULL here: `body` says which argument must not be, by
// `tensor`. While the stream records, the memory of all tensors named here lives as long as the
// program.
template <typename F>
gt_status instruction(const char* op, gt_stream stream, std::initializer_list<gt_tensor> outputs,
                      std::initializer_list<gt_tensor> inputs, F&& body) noexcept {
  return guard([&] {
    issue(op, stream, {outputs.begin(), outputs.size()}, {inputs.begin(), inputs.size()},
          std::ref(body));
  });
}

}  // namespace gatun
