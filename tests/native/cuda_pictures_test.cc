// Batches of pictures on CUDA: the very numbers of the CPU.
#include "cuda_support.h"

namespace gatun::test {
namespace {

class CudaPictures : public CudaTest {
 protected:
  void expect_agrees(DType dtype, const Dims& pictures, int64_t batch, const Dims& sides,
                     int32_t pad, bool crop, bool flip, int32_t cutout) {
    Operand indices = operand(DType::I32, {batch}, 2, -1, static_cast<double>(pictures[0]));
    const Operand epoch = scalar(DType::I64, 3);
    expect_like_cpu(*cuda, cpu, {empty(dtype, {batch, sides[0], sides[1], pictures[3]})},
                    {operand(DType::U8, pictures, 1, 0, 255.9), indices,
                     operand(DType::F32, {pictures[3], 256}, 3), epoch},
                    0, [&](gt_stream s, const Handles& out, const Handles& in) {
                      return gt_gather_pictures(s, out[0], in[0], in[1], in[2], in[3], pad, crop,
                                                flip, cutout, 128, -5);
                    });
  }
};

TEST_F(CudaPictures, GathersAndChanges) {
  for_each_floating([&](DType dtype) {
    expect_agrees(dtype, {5, 6, 7, 3}, 9, {6, 7}, 0, false, false, 0);
    expect_agrees(dtype, {5, 6, 7, 1}, 9, {3, 4}, 0, true, false, 0);
    expect_agrees(dtype, {5, 6, 7, 3}, 9, {8, 9}, 1, false, true, 4);
    expect_agrees(dtype, {4, 32, 32, 3}, 5, {32, 32}, 4, true, true, 8);
    expect_agrees(dtype, {4, 6, 6, 3}, 0, {6, 6}, 0, false, true, 0);
  });
}

}  // namespace
}  // namespace gatun::test
