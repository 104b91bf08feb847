// Buffers and tensors: their sizes are checked here once, so that nothing later can leave its
// memory.
#include "abi/handles.h"
#include "core/device.h"

using namespace gatun;

namespace {

void check_range(const char* op, const Buffer& buffer, int64_t offset, int64_t bytes) {
  require(offset >= 0, "[", op, "] offset must not be negative, but is ", offset);
  require(bytes >= 0, "[", op, "] bytes must not be negative, but is ", bytes);
  require(offset <= buffer.bytes() && bytes <= buffer.bytes() - offset, "[", op, "] ", bytes,
          " bytes from offset ", offset, " do not lie inside a buffer of ", buffer.bytes(),
          " bytes");
}

DType check_dtype_code(const char* op, int32_t dtype) {
  require(dtype >= GT_F32 && dtype <= GT_BF16, "[", op, "] dtype must be ", GT_F32, "..", GT_BF16,
          ", but is ", dtype);
  return static_cast<DType>(dtype);
}

// The element count, with the product held below what an int64 of bytes can be, zero dims or not:
// kernels multiply dims in any order.
int64_t check_dims(const char* op, const Tensor& t) {
  int64_t extent = 1;
  bool empty = false;
  for (int32_t i = 0; i < t.rank; ++i) {
    const int64_t dim = t.dims[i];
    require(dim >= 0, "[", op, "] dims[", i, "] must not be negative, but is ", dim);
    empty |= dim == 0;
    require(!__builtin_mul_overflow(extent, dim > 0 ? dim : 1, &extent), "[", op, "] ", t,
            " has too many elements");
  }
  int64_t bytes;
  require(!__builtin_mul_overflow(extent, size_of(t.dtype), &bytes), "[", op, "] ", t,
          " has too many elements");
  return empty ? 0 : extent;
}

}  // namespace

gt_status gt_buffer_create(gt_buffer* out, gt_device device, int64_t bytes, int32_t memory_kind) {
  return guard([&] {
    constexpr auto op = "buffer_create";
    check_out(op, "out", out);
    check_handle(op, "device", device);
    require(bytes >= 0, "[", op, "] bytes must not be negative, but is ", bytes);
    require(memory_kind == GT_MEMORY_DEVICE || memory_kind == GT_MEMORY_STAGING, "[", op,
            "] memory_kind must be ", GT_MEMORY_DEVICE, " or ", GT_MEMORY_STAGING, ", but is ",
            memory_kind);
    *out = new gt_buffer_s{
        .buffer = device->device->allocate(op, bytes, static_cast<MemoryKind>(memory_kind))};
  });
}

void gt_buffer_destroy(gt_buffer buffer) { destroy_handle(buffer); }

gt_status gt_buffer_map(void** out, gt_buffer buffer) {
  return guard([&] {
    constexpr auto op = "buffer_map";
    check_out(op, "out", out);
    *out = check_handle(op, "buffer", buffer)->buffer->map(op);
  });
}

gt_status gt_buffer_read(gt_buffer buffer, int64_t offset, void* out, int64_t bytes) {
  return guard([&] {
    constexpr auto op = "buffer_read";
    Buffer& from = *check_handle(op, "buffer", buffer)->buffer;
    check_range(op, from, offset, bytes);
    if (bytes == 0) return;
    check_out(op, "out", out);
    from.read(offset, out, bytes);
  });
}

gt_status gt_buffer_write(gt_buffer buffer, int64_t offset, const void* source, int64_t bytes) {
  return guard([&] {
    constexpr auto op = "buffer_write";
    Buffer& to = *check_handle(op, "buffer", buffer)->buffer;
    check_range(op, to, offset, bytes);
    if (bytes == 0) return;
    require(source != nullptr, "[", op, "] source is NULL");
    to.write(offset, source, bytes);
  });
}

gt_status gt_tensor_create(gt_tensor* out, gt_buffer buffer, int64_t byte_offset, int32_t dtype,
                           int32_t rank, const int64_t* dims) {
  return guard([&] {
    constexpr auto op = "tensor_create";
    check_out(op, "out", out);
    const Buffer& memory = *check_handle(op, "buffer", buffer)->buffer;
    Tensor t;
    t.dtype = check_dtype_code(op, dtype);
    require(rank >= 0 && rank <= GT_MAX_RANK, "[", op, "] rank must be 0..", GT_MAX_RANK,
            ", but is ", rank);
    require(rank == 0 || dims != nullptr, "[", op, "] dims is NULL, but rank is ", rank);
    t.rank = rank;
    for (int32_t i = 0; i < rank; ++i) t.dims[i] = dims[i];
    t.count = check_dims(op, t);
    require(byte_offset >= 0 && byte_offset % size_of(t.dtype) == 0, "[", op,
            "] byte_offset must be a multiple of ", size_of(t.dtype), " and not negative, but is ",
            byte_offset);
    require(byte_offset <= memory.bytes() && t.bytes() <= memory.bytes() - byte_offset, "[", op,
            "] ", t, " of ", t.bytes(), " bytes from byte_offset ", byte_offset,
            " does not lie inside a buffer of ", memory.bytes(), " bytes");
    t.data = memory.data() + byte_offset;
    *out = new gt_tensor_s{.view = t, .buffer = buffer->buffer};
  });
}

void gt_tensor_destroy(gt_tensor tensor) { destroy_handle(tensor); }
