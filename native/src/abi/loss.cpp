#include "kernels/loss.h"

#include <algorithm>

#include "abi/aliasing.h"
#include "abi/handles.h"

using namespace gatun;

namespace {

// logits [N,C] real, targets [N] i32 or [N,C], class_weights [C].
void check_rows(const char* op, const Named& logits, const Named& targets, const Named& weights,
                double smoothing) {
  const Tensor &scores = *logits.operand.tensor, &wanted = *targets.operand.tensor;
  check_real(op, {logits});
  check_rank(op, "logits", scores, 2);
  if (is_real(wanted.dtype)) {
    check_real(op, {logits, targets});
    check_same_shape(op, "targets", wanted, "logits", scores);
  } else {
    check_dtype(op, "targets", wanted, DType::I32);
    check_shape(op, "targets", wanted, {scores.dims[0]});
  }
  check_real(op, {logits, weights});
  check_shape(op, weights.name, weights.operand, {scores.dims[1]});
  require(smoothing >= 0 && smoothing < 1, "[", op, "] label_smoothing must be in [0, 1), but is ",
          smoothing);
}

void check_results(const char* op, const Named& loss, const Named& correct, const Named& logits) {
  check_real(op, {logits, loss});
  check_shape(op, loss.name, loss.operand, {});
  check_dtype(op, correct.name, correct.operand, DType::I32);
  check_shape(op, correct.name, correct.operand, {});
}

void check_gradient(const char* op, const Named& dlogits, const Named& dloss, const Named& logits) {
  check_real(op, {logits, dlogits, dloss});
  check_same_shape(op, dlogits.name, dlogits.operand, logits.name, logits.operand);
  check_shape(op, dloss.name, dloss.operand, {});
}

template <typename Kernel>
gt_status along_rows(const char* op, gt_stream stream, gt_tensor y, gt_tensor x,
                     const Kernel& kernel) {
  return instruction(op, stream, {y}, {x}, [&](Launcher& launcher) {
    const Tensor& to = tensor(op, "y", y);
    const Tensor& from = tensor(op, "x", x);
    check_floating(op, {{"y", to}, {"x", from}});
    check_same_shape(op, "y", to, "x", from);
    require(from.rank >= 1, "[", op, "] x needs a last axis, but is ", from);
    check_in_place_or_disjoint(op, "y", to, "x", from);
    kernel(launcher, to, from);
  });
}

}  // namespace

gt_status gt_softmax(gt_stream stream, gt_tensor y, gt_tensor x) {
  return along_rows("softmax", stream, y, x, launch::softmax);
}

gt_status gt_log_softmax(gt_stream stream, gt_tensor y, gt_tensor x) {
  return along_rows("log_softmax", stream, y, x, launch::log_softmax);
}

gt_status gt_one_hot(gt_stream stream, gt_tensor y, gt_tensor labels) {
  constexpr auto op = "one_hot";
  return instruction(op, stream, {y}, {labels}, [&](Launcher& launcher) {
    const Tensor& to = tensor(op, "y", y);
    const Tensor& from = tensor(op, "labels", labels);
    check_floating(op, {{"y", to}});
    check_dtype(op, "labels", from, DType::I32);
    Tensor rows = to;
    rows.rank = std::max(0, to.rank - 1);
    require(to.rank == from.rank + 1 && same_shape(rows, from), "[", op,
            "] y must have the axes of labels and one more, but is ", to, ", labels are ", from);
    check_no_overlap(op, "y", to, "labels", from);
    launch::one_hot(launcher, to, from);
  });
}

gt_status gt_softmax_cross_entropy(gt_stream stream, gt_tensor loss, gt_tensor correct,
                                   gt_tensor logits, gt_tensor targets, gt_tensor class_weights,
                                   double label_smoothing) {
  constexpr auto op = "softmax_cross_entropy";
  return instruction(
      op, stream, {loss, correct}, {logits, targets, class_weights}, [&](Launcher& launcher) {
        const Named mean{"loss", tensor(op, "loss", loss)};
        const Named hits{"correct", tensor(op, "correct", correct)};
        const Named scores{"logits", tensor(op, "logits", logits)};
        const Named wanted{"targets", tensor(op, "targets", targets)};
        const Named weights{"class_weights", nullable(class_weights)};
        check_rows(op, scores, wanted, weights, label_smoothing);
        check_results(op, mean, hits, scores);
        check_disjoint(op, {mean, hits}, {scores, wanted, weights});
        launch::softmax_cross_entropy(
            launcher, *mean.operand.tensor, *hits.operand.tensor, *scores.operand.tensor,
            {*wanted.operand.tensor, weights.operand.tensor, label_smoothing});
      });
}

gt_status gt_softmax_cross_entropy_backward(gt_stream stream, gt_tensor dlogits, gt_tensor logits,
                                            gt_tensor targets, gt_tensor class_weights,
                                            gt_tensor dloss, double label_smoothing) {
  constexpr auto op = "softmax_cross_entropy_backward";
  return instruction(op, stream, {dlogits}, {logits, targets, class_weights, dloss},
                     [&](Launcher& launcher) {
                       const Named to{"dlogits", tensor(op, "dlogits", dlogits)};
                       const Named scores{"logits", tensor(op, "logits", logits)};
                       const Named wanted{"targets", tensor(op, "targets", targets)};
                       const Named weights{"class_weights", nullable(class_weights)};
                       const Named upstream{"dloss", tensor(op, "dloss", dloss)};
                       check_rows(op, scores, wanted, weights, label_smoothing);
                       check_gradient(op, to, upstream, scores);
                       check_disjoint(op, {to}, {scores, wanted, weights, upstream});
                       launch::softmax_cross_entropy_backward(
                           launcher, *to.operand.tensor, *scores.operand.tensor,
                           {*wanted.operand.tensor, weights.operand.tensor, label_smoothing},
                           *upstream.operand.tensor);
                     });
}

gt_status gt_softmax_cross_entropy_training(gt_stream stream, gt_tensor loss, gt_tensor correct,
                                            gt_tensor dlogits, gt_tensor logits, gt_tensor targets,
                                            gt_tensor class_weights, gt_tensor dloss,
                                            double label_smoothing) {
  constexpr auto op = "softmax_cross_entropy_training";
  return instruction(op, stream, {loss, correct, dlogits}, {logits, targets, class_weights, dloss},
                     [&](Launcher& launcher) {
                       const Named mean{"loss", tensor(op, "loss", loss)};
                       const Named hits{"correct", tensor(op, "correct", correct)};
                       const Named to{"dlogits", tensor(op, "dlogits", dlogits)};
                       const Named scores{"logits", tensor(op, "logits", logits)};
                       const Named wanted{"targets", tensor(op, "targets", targets)};
                       const Named weights{"class_weights", nullable(class_weights)};
                       const Named upstream{"dloss", tensor(op, "dloss", dloss)};
                       check_rows(op, scores, wanted, weights, label_smoothing);
                       check_results(op, mean, hits, scores);
                       check_gradient(op, to, upstream, scores);
                       check_disjoint(op, {mean, hits, to}, {scores, wanted, weights, upstream});
                       launch::softmax_cross_entropy_training(
                           launcher, *mean.operand.tensor, *hits.operand.tensor, *to.operand.tensor,
                           *scores.operand.tensor,
                           {*wanted.operand.tensor, weights.operand.tensor, label_smoothing},
                           *upstream.operand.tensor);
                     });
}
