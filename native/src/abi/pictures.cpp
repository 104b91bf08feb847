#include "kernels/pictures.h"

#include "abi/aliasing.h"
#include "abi/handles.h"

using namespace gatun;

namespace {

constexpr int64_t kMostSide = int64_t{1} << 24;  // of a padded picture

void check_sides(const char* op, const Tensor& y, const Tensor& pictures, int32_t pad, bool crop) {
  for (const int axis : {1, 2}) {
    const int64_t padded = pictures.dims[axis] + 2 * int64_t{pad}, side = y.dims[axis];
    require(side >= 1, "[", op, "] sides of y must be at least 1, but y is ", y);
    require(padded <= kMostSide, "[", op, "] sides of padded pictures must be at most ", kMostSide,
            ", but one is ", padded);
    require(crop ? side <= padded : side == padded, "[", op, "] y is ", y, ", but pictures ",
            pictures, " padded by ", pad, crop ? " are smaller" : " are not of its size");
  }
}

}  // namespace

gt_status gt_gather_pictures(gt_stream stream, gt_tensor y, gt_tensor pictures, gt_tensor indices,
                             gt_tensor values, gt_tensor epoch, int32_t pad, int32_t crop,
                             int32_t flip, int32_t cutout, int32_t grey, int64_t seed) {
  constexpr auto op = "gather_pictures";
  return instruction(op, stream, {y}, {pictures, indices, values, epoch}, [&](Launcher& launcher) {
    const Tensor& to = tensor(op, "y", y);
    const Tensor& from = tensor(op, "pictures", pictures);
    const Tensor& by = tensor(op, "indices", indices);
    const Tensor& levels = tensor(op, "values", values);
    const Tensor& counter = tensor(op, "epoch", epoch);
    check_floating(op, {{"y", to}});
    check_rank(op, "y", to, 4);
    check_dtype(op, "pictures", from, DType::U8);
    check_rank(op, "pictures", from, 4);
    check_dtype(op, "indices", by, DType::I32);
    check_shape(op, "indices", by, {to.dims[0]});
    check_dtype(op, "values", levels, DType::F32);
    check_shape(op, "values", levels, {to.dims[3], kernels::kPictureLevels});
    check_dtype(op, "epoch", counter, DType::I64);
    check_shape(op, "epoch", counter, {});
    require(from.dims[3] == to.dims[3], "[", op,
            "] y and pictures must have equal channels, but are ", to, " and ", from);
    require(pad >= 0, "[", op, "] pad must be at least 0, but is ", pad);
    require(cutout >= 0, "[", op, "] cutout must be at least 0, but is ", cutout);
    require(grey >= 0 && grey < kernels::kPictureLevels, "[", op, "] grey must be a byte, but is ",
            grey);
    check_sides(op, to, from, pad, crop != 0);
    check_disjoint(op, {{"y", to}},
                   {{"pictures", from}, {"indices", by}, {"values", levels}, {"epoch", counter}});
    launch::gather_pictures(launcher, to, from, by, levels, counter,
                            {pad, crop != 0, flip != 0, cutout, grey, seed});
  });
}
