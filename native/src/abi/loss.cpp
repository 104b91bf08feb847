#include "kernels/loss.h"

#include "abi/aliasing.h"
#include "abi/handles.h"

using namespace gatun;

namespace {

// logits [N,C] real, labels [N] i32.
void check_rows(const char* op, const Tensor& logits, const Tensor& labels) {
  check_real(op, {{"logits", logits}});
  check_rank(op, "logits", logits, 2);
  check_dtype(op, "labels", labels, DType::I32);
  check_shape(op, "labels", labels, {logits.dims[0]});
}

}  // namespace

gt_status gt_softmax(gt_stream stream, gt_tensor y, gt_tensor x) {
  constexpr auto op = "softmax";
  return instruction(op, stream, {y}, {x}, [&](Launcher& launcher) {
    const Tensor& to = tensor(op, "y", y);
    const Tensor& from = tensor(op, "x", x);
    check_real(op, {{"y", to}, {"x", from}});
    check_same_shape(op, "y", to, "x", from);
    require(from.rank >= 1, "[", op, "] x needs a last axis, but is ", from);
    check_in_place_or_disjoint(op, "y", to, "x", from);
    kernels::softmax(launcher, to, from);
  });
}

gt_status gt_softmax_cross_entropy(gt_stream stream, gt_tensor loss, gt_tensor correct,
                                   gt_tensor logits, gt_tensor labels) {
  constexpr auto op = "softmax_cross_entropy";
  return instruction(op, stream, {loss, correct}, {logits, labels}, [&](Launcher& launcher) {
    const Named mean{"loss", tensor(op, "loss", loss)};
    const Named hits{"correct", tensor(op, "correct", correct)};
    const Named scores{"logits", tensor(op, "logits", logits)};
    const Named classes{"labels", tensor(op, "labels", labels)};
    check_rows(op, *scores.operand.tensor, *classes.operand.tensor);
    check_real(op, {scores, mean});
    check_shape(op, "loss", mean.operand, {});
    check_dtype(op, "correct", hits.operand, DType::I32);
    check_shape(op, "correct", hits.operand, {});
    check_disjoint(op, {mean, hits}, {scores, classes});
    kernels::softmax_cross_entropy(launcher, *mean.operand.tensor, *hits.operand.tensor,
                                   *scores.operand.tensor, *classes.operand.tensor);
  });
}

gt_status gt_softmax_cross_entropy_backward(gt_stream stream, gt_tensor dlogits, gt_tensor logits,
                                            gt_tensor labels, gt_tensor dloss) {
  constexpr auto op = "softmax_cross_entropy_backward";
  return instruction(op, stream, {dlogits}, {logits, labels, dloss}, [&](Launcher& launcher) {
    const Named to{"dlogits", tensor(op, "dlogits", dlogits)};
    const Named scores{"logits", tensor(op, "logits", logits)};
    const Named classes{"labels", tensor(op, "labels", labels)};
    const Named upstream{"dloss", tensor(op, "dloss", dloss)};
    check_rows(op, *scores.operand.tensor, *classes.operand.tensor);
    check_real(op, {scores, to, upstream});
    check_same_shape(op, "dlogits", to.operand, "logits", scores.operand);
    check_shape(op, "dloss", upstream.operand, {});
    check_disjoint(op, {to}, {scores, classes, upstream});
    kernels::softmax_cross_entropy_backward(launcher, *to.operand.tensor, *scores.operand.tensor,
                                            *classes.operand.tensor, *upstream.operand.tensor);
  });
}

gt_status gt_softmax_cross_entropy_training(gt_stream stream, gt_tensor loss, gt_tensor correct,
                                            gt_tensor dlogits, gt_tensor logits, gt_tensor labels,
                                            gt_tensor dloss) {
  constexpr auto op = "softmax_cross_entropy_training";
  return instruction(
      op, stream, {loss, correct, dlogits}, {logits, labels, dloss}, [&](Launcher& launcher) {
        const Named mean{"loss", tensor(op, "loss", loss)};
        const Named hits{"correct", tensor(op, "correct", correct)};
        const Named to{"dlogits", tensor(op, "dlogits", dlogits)};
        const Named scores{"logits", tensor(op, "logits", logits)};
        const Named classes{"labels", tensor(op, "labels", labels)};
        const Named upstream{"dloss", tensor(op, "dloss", dloss)};
        check_rows(op, *scores.operand.tensor, *classes.operand.tensor);
        check_real(op, {scores, mean, to, upstream});
        check_shape(op, "loss", mean.operand, {});
        check_dtype(op, "correct", hits.operand, DType::I32);
        check_shape(op, "correct", hits.operand, {});
        check_same_shape(op, "dlogits", to.operand, "logits", scores.operand);
        check_shape(op, "dloss", upstream.operand, {});
        check_disjoint(op, {mean, hits, to}, {scores, classes, upstream});
        kernels::softmax_cross_entropy_training(
            launcher, *mean.operand.tensor, *hits.operand.tensor, *to.operand.tensor,
            *scores.operand.tensor, *classes.operand.tensor, *upstream.operand.tensor);
      });
}
