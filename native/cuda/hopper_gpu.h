// The primitives of hopper.h on a GPU of compute capability 9.0 (sm_90a).
#pragma once

#include <cuda.h>

#include "cuda/queue.h"

namespace gatun::cuda {

__device__ inline void ensure(bool truth) {
  if (!truth) asm volatile("trap;");
}

// ---- The copy engine

using TensorMap = CUtensorMap;

// A function of libcuda, which is looked for when it is needed: the library is not linked against
// it. `op` is for messages.
template <typename Function>
Function* driver_function(const char* op, const char* name) {
  void* function = nullptr;
  cudaDriverEntryPointQueryResult found = cudaDriverEntryPointSymbolNotFound;
#if CUDART_VERSION >= 12050
  const cudaError_t status =
      cudaGetDriverEntryPointByVersion(name, &function, 12000, cudaEnableDefault, &found);
#else
  const cudaError_t status = cudaGetDriverEntryPoint(name, &function, cudaEnableDefault, &found);
#endif
  if (status != cudaSuccess || found != cudaDriverEntryPointSuccess) {
    cudaGetLastError();
    fail(GT_UNSUPPORTED, "[", op, "] wgmma (GATUN_CUDA_UNTRIED) needs ", name,
         ", which the driver does not have");
  }
  return reinterpret_cast<Function*>(function);
}

// Sizes begin with the innermost dimension, steps, in elements, with the one after it.
template <int rank>
TensorMap make_tiled_map(const char* op, const Bf16* data, const int64_t (&size)[rank],
                         const int64_t (&step)[rank - 1], const int (&box)[rank]) {
  constexpr char kName[] = "cuTensorMapEncodeTiled";
  static const auto encode = driver_function<decltype(cuTensorMapEncodeTiled)>(op, kName);
  cuuint64_t sizes[rank], steps[rank - 1];
  cuuint32_t boxes[rank], strides[rank];
  for (int i = 0; i < rank; ++i) {
    sizes[i] = static_cast<cuuint64_t>(size[i]);
    if (i > 0) steps[i - 1] = static_cast<cuuint64_t>(step[i - 1]) * sizeof(Bf16);
    boxes[i] = static_cast<cuuint32_t>(box[i]);
    strides[i] = 1;
  }
  TensorMap map;
  const CUresult status =
      encode(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, rank, const_cast<Bf16*>(data), sizes, steps,
             boxes, strides, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
             CU_TENSOR_MAP_L2_PROMOTION_L2_128B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (status != CUDA_SUCCESS) {
    fail(GT_INTERNAL, "[", op, "] ", kName, " failed with ", static_cast<int>(status), " for ",
         size[rank - 1], " lines of ", size[0], " elements, ", step[rank - 2], " apart");
  }
  return map;
}

// Of which `lines` by 64 elements are copied at a time.
inline TensorMap make_tensor_map(const char* op, const MatrixSource<Bf16>& matrix, int lines) {
  return make_tiled_map<2>(op, matrix.data.data, {matrix.columns, matrix.rows}, {matrix.row_step},
                           {kLineElements, lines});
}
// Of a tap of `lines` filters.
inline TensorMap make_tensor_map(const char* op, const FilterBank& bank, int lines) {
  return make_tiled_map<3>(op, bank.data.data, {bank.channels, bank.taps, bank.filters},
                           {bank.channels, bank.taps * bank.channels}, {kLineElements, 1, lines});
}
// Of a tap of `lines` windows. Corners begin with the columns, as sizes do, though cuda.h names
// them in the order D, H, W.
inline TensorMap make_tensor_map(const char* op, const WindowedImages& x, int lines) {
  constexpr char kName[] = "cuTensorMapEncodeIm2col";
  static const auto encode = driver_function<decltype(cuTensorMapEncodeIm2col)>(op, kName);
  const int64_t pixel = x.channels * static_cast<int64_t>(sizeof(Bf16));
  const int64_t row = x.columns.size * pixel, image = x.rows.size * row;
  const cuuint64_t sizes[] = {
      static_cast<cuuint64_t>(x.channels), static_cast<cuuint64_t>(x.columns.size),
      static_cast<cuuint64_t>(x.rows.size), static_cast<cuuint64_t>(x.images)};
  const cuuint64_t steps[] = {static_cast<cuuint64_t>(pixel), static_cast<cuuint64_t>(row),
                              static_cast<cuuint64_t>(image)};
  const int lower[] = {x.columns.first, x.rows.first};
  const int upper[] = {static_cast<int>(upper_corner(x.columns)),
                       static_cast<int>(upper_corner(x.rows))};
  const cuuint32_t strides[] = {1, static_cast<cuuint32_t>(x.columns.step),
                                static_cast<cuuint32_t>(x.rows.step), 1};
  TensorMap map;
  const CUresult status = encode(
      &map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 4, const_cast<Bf16*>(x.data.data), sizes, steps,
      lower, upper, static_cast<cuuint32_t>(kLineElements), static_cast<cuuint32_t>(lines), strides,
      CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_128B,
      CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (status != CUDA_SUCCESS) {
    fail(GT_INTERNAL, "[", op, "] ", kName, " failed with ", static_cast<int>(status), " for ",
         x.images, " images of ", x.rows.size, "x", x.columns.size, " pixels of ", x.channels,
         " channels, windows of ", lower[1], " to ", upper[1], " by ", lower[0], " to ", upper[0],
         ", ", x.rows.step, "x", x.columns.step, " apart");
  }
  return map;
}

// The box whose first element is matrix[row, column] to a place that is a multiple of 1024 bytes;
// barrier i is told of its bytes. The map lies in the kernel's parameters.
__device__ inline void transfer(Shared<Bf16> to, const TensorMap& map, int32_t column, int32_t row,
                                Shared<uint64_t> barriers, int i) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes "
      "[%0], [%1, {%2, %3}], [%4];" ::"r"(shared_address(to)),
      "l"(&map), "r"(column), "r"(row), "r"(shared_address(barriers.at(i)))
      : "memory");
}
// The box whose first element is filters[filter, tap, channel].
__device__ inline void transfer(Shared<Bf16> to, const TensorMap& map, int32_t channel, int32_t tap,
                                int32_t filter, Shared<uint64_t> barriers, int i) {
  asm volatile(
      "cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes "
      "[%0], [%1, {%2, %3, %4}], [%5];" ::"r"(shared_address(to)),
      "l"(&map), "r"(channel), "r"(tap), "r"(filter), "r"(shared_address(barriers.at(i)))
      : "memory");
}
// A tap of the windows from one on, whose first tap lies in the box that is known to the map.
__device__ inline void transfer(Shared<Bf16> to, const TensorMap& map, const WindowCorner& window,
                                const TapOffset& tap, Shared<uint64_t> barriers, int i) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes "
      "[%0], [%1, {%2, %3, %4, %5}], [%6], {%7, %8};" ::"r"(shared_address(to)),
      "l"(&map), "r"(window.channel), "r"(window.column), "r"(window.row), "r"(window.image),
      "r"(shared_address(barriers.at(i))), "h"(static_cast<uint16_t>(tap.column)),
      "h"(static_cast<uint16_t>(tap.row))
      : "memory");
}
// That it will be needed.
__device__ inline void prefetch(const TensorMap& map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory");
}

// ---- Barriers of a phase after the other: one ends when `arrivals` threads have arrived and all
// bytes that they expect are there

__device__ inline void set_up_barrier(Shared<uint64_t> barriers, int i, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barriers.at(i))),
               "r"(arrivals)
               : "memory");
}
// By the thread that has set them up, before the block's barrier.
__device__ inline void barriers_are_ready() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
__device__ inline void arrive(Shared<uint64_t> barriers, int i) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barriers.at(i)))
               : "memory");
}
__device__ inline void arrive_expecting(Shared<uint64_t> barriers, int i, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(
                   shared_address(barriers.at(i))),
               "r"(bytes)
               : "memory");
}
// Until the last phase of this parity has ended: 0 for the first one, of a new barrier 1 has ended.
// What does not come in ten seconds never will: the kernel fails rather than to hang.
__device__ inline void wait_for_phase(Shared<uint64_t> barriers, int i, uint32_t parity) {
  const auto has_ended = [&] {
    uint32_t ended;
    asm volatile(
        "{\n.reg .pred p;\n"
        "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
        "selp.u32 %0, 1, 0, p;\n}"
        : "=r"(ended)
        : "r"(shared_address(barriers.at(i))), "r"(parity)
        : "memory");
    return ended != 0;
  };
  const auto nanoseconds = [] {
    uint64_t now;
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
    return now;
  };
  if (has_ended()) return;
  constexpr uint64_t kMost = 10'000'000'000;
  const uint64_t begin = nanoseconds();
  while (!has_ended()) {
    ensure(nanoseconds() - begin < kMost);
  }
}

// ---- Products by a warpgroup

// Before the first product after anything else has touched the sums.
__device__ inline void begin_products() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ inline void commit_products() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
// Until at most `pending` groups are not done. Only if it is 0 may the sums be read.
template <int pending, int count>
__device__ void wait_for_products(float (&sums)[count]) {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(pending) : "memory");
  if constexpr (pending == 0) {
    // Nothing that reads them may be moved to before.
    GATUN_UNROLL
    for (int i = 0; i < count; ++i) asm volatile("" : "+f"(sums[i])::"memory");
  }
}

// The operands of an instruction with so many sums: their names, and the registers.
#define GATUN_SUMS_64                       \
  "%0, %1, %2, %3, %4, %5, %6, %7,"         \
  "%8, %9, %10, %11, %12, %13, %14, %15,"   \
  "%16, %17, %18, %19, %20, %21, %22, %23," \
  "%24, %25, %26, %27, %28, %29, %30, %31," \
  "%32, %33, %34, %35, %36, %37, %38, %39," \
  "%40, %41, %42, %43, %44, %45, %46, %47," \
  "%48, %49, %50, %51, %52, %53, %54, %55," \
  "%56, %57, %58, %59, %60, %61, %62, %63"
#define GATUN_SUMS_128                              \
  GATUN_SUMS_64                                     \
  ", "                                              \
  "%64, %65, %66, %67, %68, %69, %70, %71,"         \
  "%72, %73, %74, %75, %76, %77, %78, %79,"         \
  "%80, %81, %82, %83, %84, %85, %86, %87,"         \
  "%88, %89, %90, %91, %92, %93, %94, %95,"         \
  "%96, %97, %98, %99, %100, %101, %102, %103,"     \
  "%104, %105, %106, %107, %108, %109, %110, %111," \
  "%112, %113, %114, %115, %116, %117, %118, %119," \
  "%120, %121, %122, %123, %124, %125, %126, %127"
#define GATUN_OF_8(i)                                                                         \
  "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]), \
      "+f"(d[i + 6]), "+f"(d[i + 7])
#define GATUN_OF_32(i) GATUN_OF_8(i), GATUN_OF_8(i + 8), GATUN_OF_8(i + 16), GATUN_OF_8(i + 24)

// sums += a b, or = a b unless `add`. The operands are descriptors of 64 (a) and `columns` (b)
// results by 16 terms.
template <int columns, bool a_along_depth, bool b_along_depth>
__device__ void multiply_async(float (&d)[columns / 2], uint64_t a, uint64_t b, bool add) {
  static_assert(columns == 128 || columns == 256);
  const uint32_t scale = add ? 1 : 0;
  if constexpr (columns == 128) {
    asm volatile(
        "{\n.reg .pred p;\nsetp.ne.b32 p, %66, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {" GATUN_SUMS_64
        "}, %64, %65, p, 1, 1, %67, %68;\n}"
        : GATUN_OF_32(0), GATUN_OF_32(32)
        : "l"(a), "l"(b), "r"(scale), "n"(a_along_depth ? 0 : 1), "n"(b_along_depth ? 0 : 1));
  } else {
    asm volatile(
        "{\n.reg .pred p;\nsetp.ne.b32 p, %130, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n256k16.f32.bf16.bf16 {" GATUN_SUMS_128
        "}, %128, %129, p, 1, 1, %131, %132;\n}"
        : GATUN_OF_32(0), GATUN_OF_32(32), GATUN_OF_32(64), GATUN_OF_32(96)
        : "l"(a), "l"(b), "r"(scale), "n"(a_along_depth ? 0 : 1), "n"(b_along_depth ? 0 : 1));
  }
}

#undef GATUN_SUMS_64
#undef GATUN_SUMS_128
#undef GATUN_OF_8
#undef GATUN_OF_32

// ---- Registers

// The threads of a warpgroup may have so many from here on, more or fewer than before.
template <int count>
__device__ void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(count));
}
template <int count>
__device__ void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(count));
}

}  // namespace gatun::cuda
