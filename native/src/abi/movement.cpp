#include "kernels/movement.h"

#include <string>
#include <vector>

#include "abi/handles.h"

using namespace gatun;

namespace {

// `part` and `whole` have the same dtype and, but for `axis`, the same extents.
void check_part(const char* op, const char* part_name, const Tensor& part, const char* whole_name,
                const Tensor& whole, int32_t axis) {
  check_dtype(op, part_name, part, whole.dtype);
  check_rank(op, part_name, part, whole.rank);
  require(axis >= 0 && axis < whole.rank, "[", op, "] axis must be 0..", whole.rank - 1, " for ",
          whole_name, " ", whole, ", but is ", axis);
  for (int32_t i = 0; i < whole.rank; ++i) {
    require(i == axis || part.dims[i] == whole.dims[i], "[", op, "] ", part_name, " and ",
            whole_name, " may differ along axis ", axis, " alone: ", part_name, " is ", part, ", ",
            whole_name, " is ", whole);
  }
}

// small [N, ceil(H/s), ceil(W/s), K] belongs to large [N,H,W,C]
void check_subsampling(const char* op, const char* large_name, const Tensor& large,
                       const char* small_name, const Tensor& small, int32_t stride) {
  check_floating(op, {{large_name, large}, {small_name, small}});
  check_rank(op, large_name, large, 4);
  check_rank(op, small_name, small, 4);
  require(stride >= 1, "[", op, "] stride must be at least 1, but is ", stride);
  const auto steps = [&](int64_t size) { return size / stride + (size % stride != 0); };
  check_shape(op, small_name, small,
              {large.dims[0], steps(large.dims[1]), steps(large.dims[2]), small.dims[3]});
  require(small.dims[3] >= large.dims[3], "[", op, "] ", small_name, " must have at least the ",
          large.dims[3], " channels of ", large_name, ", but is ", small);
  check_no_overlap(op, large_name, large, small_name, small);
}

}  // namespace

gt_status gt_fill(gt_stream stream, gt_tensor y, double value) {
  constexpr auto op = "fill";
  return instruction(op, stream, {y}, {}, [&](Launcher& launcher) {
    launch::fill(launcher, tensor(op, "y", y), value);
  });
}

gt_status gt_copy(gt_stream stream, gt_tensor y, gt_tensor x) {
  constexpr auto op = "copy";
  return instruction(op, stream, {y}, {x}, [&](Launcher& launcher) {
    const Tensor& to = tensor(op, "y", y);
    const Tensor& from = tensor(op, "x", x);
    require(to.count == from.count, "[", op, "] element counts differ: y is ", to, ", x is ", from);
    if (to.dtype == from.dtype) {
      check_in_place_or_disjoint(op, "y", to, "x", from);
    } else {
      check_no_overlap(op, "y", to, "x", from);
    }
    launch::copy(launcher, to, from);
  });
}

gt_status gt_permute(gt_stream stream, gt_tensor y, gt_tensor x, const int32_t* axes,
                     int32_t rank) {
  constexpr auto op = "permute";
  return instruction(op, stream, {y}, {x}, [&](Launcher& launcher) {
    const Tensor& to = tensor(op, "y", y);
    const Tensor& from = tensor(op, "x", x);
    check_dtype(op, "y", to, from.dtype);
    check_rank(op, "x", from, rank);
    check_rank(op, "y", to, rank);
    require(rank == 0 || axes != nullptr, "[", op, "] axes is NULL");
    kernels::Axes permutation{};
    uint32_t seen = 0;
    for (int32_t i = 0; i < rank; ++i) {
      const int32_t axis = axes[i];
      require(axis >= 0 && axis < rank && (seen >> axis & 1) == 0, "[", op,
              "] axes must be a permutation of 0..", rank - 1, ", but axes[", i, "] is ", axis);
      seen |= 1u << axis;
      require(to.dims[i] == from.dims[axis], "[", op, "] y.dims[", i, "] must be x.dims[", axis,
              "]: y is ", to, ", x is ", from);
      permutation[i] = axis;
    }
    check_no_overlap(op, "y", to, "x", from);
    launch::permute(launcher, to, from, permutation);
  });
}

gt_status gt_slice(gt_stream stream, gt_tensor y, gt_tensor x, int32_t axis, int64_t begin) {
  constexpr auto op = "slice";
  return instruction(op, stream, {y}, {x}, [&](Launcher& launcher) {
    const Tensor& to = tensor(op, "y", y);
    const Tensor& from = tensor(op, "x", x);
    check_part(op, "y", to, "x", from, axis);
    require(to.dims[axis] <= from.dims[axis], "[", op, "] y must not be longer than x along axis ",
            axis, ": y is ", to, ", x is ", from);
    const int64_t last = from.dims[axis] - to.dims[axis];
    require(begin >= 0 && begin <= last, "[", op, "] begin must be 0..", last, " for y ", to,
            " and x ", from, ", but is ", begin);
    check_no_overlap(op, "y", to, "x", from);
    launch::slice(launcher, to, from, axis, begin);
  });
}

gt_status gt_concat(gt_stream stream, gt_tensor y, const gt_tensor* inputs, int32_t input_count,
                    int32_t axis, int64_t begin) {
  constexpr auto op = "concat";
  return guard([&] {
    require(input_count >= 1 && input_count <= GT_CONCAT_MAX_INPUTS, "[", op, "] there must be 1..",
            GT_CONCAT_MAX_INPUTS, " inputs, but are ", input_count);
    require(inputs != nullptr, "[", op, "] inputs is NULL");
    issue(op, stream, {&y, 1}, {inputs, static_cast<size_t>(input_count)}, [&](Launcher& launcher) {
      const Tensor& to = tensor(op, "y", y);
      std::vector<Tensor> from;
      int64_t room = 0;
      for (int32_t i = 0; i < input_count; ++i) {
        const std::string name = "inputs[" + std::to_string(i) + "]";
        from.push_back(tensor(op, name.c_str(), inputs[i]));
        check_part(op, name.c_str(), from.back(), "y", to, axis);
        check_no_overlap(op, "y", to, name.c_str(), from.back());
        if (i == 0) room = to.dims[axis];
        require(from.back().dims[axis] <= room, "[", op, "] ", name, " is ", from.back(),
                ", but y ", to, " has room for ", room, " along axis ", axis);
        room -= from.back().dims[axis];
      }
      require(begin >= 0 && begin <= room, "[", op, "] begin must be 0..", room, " for y ", to,
              ", but is ", begin);
      launch::concat(launcher, to, from, axis, begin);
    });
  });
}

gt_status gt_subsample_pad(gt_stream stream, gt_tensor y, gt_tensor x, int32_t stride) {
  constexpr auto op = "subsample_pad";
  return instruction(op, stream, {y}, {x}, [&](Launcher& launcher) {
    const Tensor& to = tensor(op, "y", y);
    const Tensor& from = tensor(op, "x", x);
    check_subsampling(op, "x", from, "y", to, stride);
    launch::subsample_pad(launcher, to, from, stride);
  });
}

gt_status gt_subsample_pad_backward(gt_stream stream, gt_tensor dx, gt_tensor dy, int32_t stride) {
  constexpr auto op = "subsample_pad_backward";
  return instruction(op, stream, {dx}, {dy}, [&](Launcher& launcher) {
    const Tensor& to = tensor(op, "dx", dx);
    const Tensor& from = tensor(op, "dy", dy);
    check_subsampling(op, "dx", to, "dy", from, stride);
    launch::subsample_pad_backward(launcher, to, from, stride);
  });
}
