// Whole training steps on a CUDA device, as the library's programs are: dense networks and
// ResNet-20 on 32x32 pictures, softmax cross-entropy, SGD with momentum in one pass over all
// parameters.
#include "cuda_rates.h"

namespace gatun::bench {
namespace {

// Parameters, their gradients and velocities, each side by side in one block.
class Slabs {
 public:
  explicit Slabs(int64_t most) : most_(most) {
    for (gt_buffer& block : blocks_) {
      check(gt_buffer_create(&block, device, 4 * most, GT_MEMORY_DEVICE));
      buffers.push_back(block);
    }
    tensor_bytes += 3 * 4 * most;
    check(gt_fill(stream, of(PARAMETERS, 0, {most}), 0.01));
  }

  struct Parameter {
    gt_tensor value, gradient;
    int64_t place;
  };
  Parameter add(const Dims& dims) {
    int64_t count = 1;
    for (const int64_t dim : dims) count *= dim;
    const int64_t place = used_;
    used_ = (used_ + count + 15) / 16 * 16;
    if (used_ > most_) std::abort();
    return {of(PARAMETERS, place, dims), of(GRADIENTS, place, dims), place};
  }
  // Another shape of a gradient.
  gt_tensor gradient(const Parameter& p, const Dims& dims) { return of(GRADIENTS, p.place, dims); }

  void finish() {
    for (int which = 0; which < 3; ++which) whole_[which] = of(which, 0, {used_});
  }
  gt_status step(gt_tensor rate) const {
    return gt_sgd_step(stream, whole_[PARAMETERS], whole_[VELOCITIES], whole_[PARAMETERS],
                       whole_[VELOCITIES], whole_[GRADIENTS], rate, 0.9, 0, 1e-4, 0, 0);
  }

 private:
  enum { PARAMETERS, GRADIENTS, VELOCITIES };
  gt_tensor of(int which, int64_t place, const Dims& dims) {
    check(gt_tensor_create(&tensors.emplace_back(), blocks_[which], 4 * place, GT_F32,
                           static_cast<int32_t>(dims.size()), dims.data()));
    return tensors.back();
  }

  const int64_t most_;
  int64_t used_ = 0;
  gt_buffer blocks_[3] = {};
  gt_tensor whole_[3] = {};
};

// The first failure of the instructions of a step.
class Issue {
 public:
  void operator()(gt_status status) {
    if (status_ == GT_OK) status_ = status;
  }
  gt_status status() const { return status_; }

 private:
  gt_status status_ = GT_OK;
};

gt_tensor f32(const Dims& dims) { return tensor(GT_F32, dims); }

// The end of a network: y [batch, classes] = x w^T + b and its loss, and back to dx.
struct Head {
  Slabs::Parameter w, b;
  gt_tensor db_row, y, dy, labels, loss, correct, one;

  Head(Slabs& slabs, int64_t batch, int64_t inputs, int64_t classes)
      : w(slabs.add({classes, inputs})),
        b(slabs.add({classes})),
        db_row(slabs.gradient(b, {1, classes})),
        y(f32({batch, classes})),
        dy(f32({batch, classes})),
        labels(tensor(GT_I32, {batch}, 1)),
        loss(f32({})),
        correct(tensor(GT_I32, {}, 0)),
        one(tensor(GT_F32, {}, 1)) {}

  void run(Issue& issue, gt_tensor x, gt_tensor dx) const {
    issue(gt_matmul(stream, y, x, w.value, b.value, 0, 1, GT_ACTIVATION_NONE));
    issue(gt_softmax_cross_entropy_training(stream, loss, correct, dy, y, labels, nullptr, one, 0));
    issue(gt_matmul(stream, w.gradient, dy, x, nullptr, 1, 0, GT_ACTIVATION_NONE));
    issue(gt_reduce(stream, db_row, dy, GT_REDUCE_SUM, 1));
    issue(gt_matmul(stream, dx, dy, w.value, nullptr, 0, 0, GT_ACTIVATION_NONE));
  }
};

// Dense layers with ReLU; the last of `sizes` are classes.
std::function<gt_status()> dense_step(int64_t batch, const Dims& sizes) {
  struct Layer {
    Slabs::Parameter w, b;
    gt_tensor db_row, y, dy;
  };
  int64_t most = 0;
  for (size_t i = 0; i + 1 < sizes.size(); ++i) most += sizes[i + 1] * (sizes[i] + 1) + 32;
  Slabs slabs(most);
  std::vector<Layer> layers;
  gt_tensor x = f32({batch, sizes[0]});
  for (size_t i = 0; i + 2 < sizes.size(); ++i) {
    const int64_t out = sizes[i + 1];
    const Slabs::Parameter w = slabs.add({out, sizes[i]}), b = slabs.add({out});
    layers.push_back({w, b, slabs.gradient(b, {1, out}), f32({batch, out}), f32({batch, out})});
  }
  const Head head(slabs, batch, sizes[sizes.size() - 2], sizes.back());
  slabs.finish();
  gt_tensor rate = f32({});
  return [=] {
    Issue issue;
    gt_tensor in = x;
    for (const Layer& l : layers) {
      issue(gt_matmul(stream, l.y, in, l.w.value, l.b.value, 0, 1, GT_ACTIVATION_RELU));
      in = l.y;
    }
    head.run(issue, in, layers.back().dy);
    for (size_t i = layers.size(); i-- > 0;) {
      const Layer& l = layers[i];
      issue(gt_binary(stream, l.dy, l.dy, l.y, GT_BINARY_GATE));
      issue(gt_matmul(stream, l.w.gradient, l.dy, i == 0 ? x : layers[i - 1].y, nullptr, 1, 0,
                      GT_ACTIVATION_NONE));
      issue(gt_reduce(stream, l.db_row, l.dy, GT_REDUCE_SUM, 1));
      if (i > 0) {
        issue(gt_matmul(stream, layers[i - 1].dy, l.dy, l.w.value, nullptr, 0, 0,
                        GT_ACTIVATION_NONE));
      }
    }
    issue(slabs.step(rate));
    return issue.status();
  };
}

// A 3x3 convolution with batch norm, and ReLU.
struct ConvNorm {
  int32_t stride;
  Slabs::Parameter w, gamma, beta;
  gt_tensor conv, y, mean, inv_std, running_mean, running_variance;

  ConvNorm(Slabs& slabs, int64_t batch, int64_t size, int64_t in, int64_t out, int32_t s)
      : stride(s),
        w(slabs.add({out, 3, 3, in})),
        gamma(slabs.add({out})),
        beta(slabs.add({out})),
        conv(f32({batch, size / s, size / s, out})),
        y(f32({batch, size / s, size / s, out})),
        mean(f32({out})),
        inv_std(f32({out})),
        running_mean(f32({out})),
        running_variance(f32({out})) {}

  void forward(Issue& issue, gt_tensor x, gt_tensor residual) const {
    issue(gt_conv2d(stream, conv, nullptr, x, w.value, nullptr, nullptr, stride, stride, 1, 1, 1, 1,
                    1, 1, 1, GT_ACTIVATION_NONE, GT_CONV_AUTO));
    issue(gt_batch_norm_training(stream, y, mean, inv_std, running_mean, running_variance, conv,
                                 gamma.value, beta.value, residual, nullptr, running_mean,
                                 running_variance, 0.1, 1e-5, GT_ACTIVATION_RELU));
  }
  // dy becomes the slope of the convolution; dx is NULL where nobody asks for it.
  void backward(Issue& issue, gt_tensor dy, gt_tensor dresidual, gt_tensor x, gt_tensor dx,
                gt_tensor addend) const {
    issue(gt_batch_norm_backward(stream, dy, gamma.gradient, beta.gradient, dresidual, dy, conv, y,
                                 mean, inv_std, gamma.value, nullptr, GT_ACTIVATION_RELU));
    issue(gt_conv2d_backward_weights(stream, w.gradient, x, dy, stride, stride, 1, 1, 1, 1, 1, 1, 1,
                                     GT_CONV_AUTO));
    if (dx == nullptr) return;
    issue(gt_conv2d_backward_data(stream, dx, nullptr, dy, w.value, addend, nullptr, nullptr,
                                  nullptr, stride, stride, 1, 1, 1, 1, 1, 1, 1, GT_CONV_AUTO));
  }
};

// Shortcuts without parameters, as for CIFAR-10 in He et al. (2015).
std::function<gt_status()> resnet20_step(int64_t batch) {
  struct Block {
    ConvNorm first, second;
    gt_tensor x, shortcut;      // its input, and what is added to its result
    gt_tensor dy, dx, d_inner;  // slopes of its result, its input, and between the convolutions
    gt_tensor d_shortcut, from_shortcut;
  };
  Slabs slabs(int64_t{1} << 19);
  gt_tensor pictures = f32({batch, 32, 32, 3});
  const ConvNorm stem(slabs, batch, 32, 3, 16, 1);
  std::vector<Block> blocks;
  int64_t size = 32, width = 16;
  gt_tensor x = stem.y, d_stem = f32({batch, 32, 32, 16}), dx = d_stem;
  for (int i = 0; i < 9; ++i) {
    const bool halves = i == 3 || i == 6;
    const int64_t in = width, before = size;
    if (halves) width *= 2, size /= 2;
    const Dims out = {batch, size, size, width};
    const ConvNorm first(slabs, batch, before, in, width, halves ? 2 : 1);
    const ConvNorm second(slabs, batch, size, width, width, 1);
    gt_tensor dy = f32(out);
    blocks.push_back({first, second, x, halves ? f32(out) : x, dy, dx, f32(out), f32(out),
                      halves ? f32({batch, before, before, in}) : nullptr});
    x = second.y;
    dx = dy;
  }
  gt_tensor pooled = f32({batch, 1, 1, 64}), d_pooled = f32({batch, 1, 1, 64});
  const auto rows_of = [&](size_t buffer) {
    const int64_t dims[] = {batch, 64};
    check(gt_tensor_create(&tensors.emplace_back(), buffers[buffer], 0, GT_F32, 2, dims));
    return tensors.back();
  };
  gt_tensor rows = rows_of(buffers.size() - 2), d_rows = rows_of(buffers.size() - 1);
  const Head head(slabs, batch, 64, 10);
  slabs.finish();
  gt_tensor rate = f32({});
  return [=] {
    Issue issue;
    stem.forward(issue, pictures, nullptr);
    for (const Block& b : blocks) {
      if (b.from_shortcut != nullptr) issue(gt_subsample_pad(stream, b.shortcut, b.x, 2));
      b.first.forward(issue, b.x, nullptr);
      b.second.forward(issue, b.first.y, b.shortcut);
    }
    issue(gt_average_pool(stream, pooled, blocks.back().second.y, 8, 8, 8, 8, 0, 0, 0, 0, 0));
    head.run(issue, rows, d_rows);
    issue(gt_average_pool_backward(stream, blocks.back().dy, d_pooled, 8, 8, 8, 8, 0, 0, 0, 0, 0));
    for (size_t i = blocks.size(); i-- > 0;) {
      const Block& b = blocks[i];
      b.second.backward(issue, b.dy, b.d_shortcut, b.first.y, b.d_inner, nullptr);
      gt_tensor added = b.d_shortcut;
      if (b.from_shortcut != nullptr) {
        issue(gt_subsample_pad_backward(stream, b.from_shortcut, b.d_shortcut, 2));
        added = b.from_shortcut;
      }
      b.first.backward(issue, b.d_inner, nullptr, b.x, b.dx, added);
    }
    stem.backward(issue, d_stem, nullptr, pictures, nullptr, nullptr);
    issue(slabs.step(rate));
    return issue.status();
  };
}

double dense_flops(int64_t batch, const Dims& sizes) {
  double flops = 0;
  for (size_t i = 0; i + 1 < sizes.size(); ++i) {
    // Forward, weights and, but for the first layer, data.
    flops += (i == 0 ? 4.0 : 6.0) * static_cast<double>(batch * sizes[i] * sizes[i + 1]);
  }
  return flops;
}

}  // namespace

void step_rows() {
  for (const auto& [batch, sizes] : std::vector<std::pair<int64_t, Dims>>{
           {128, {784, 256, 10}}, {1024, {4096, 4096, 4096, 1000}}}) {
    std::string name = "step mlp ";
    for (const int64_t size : sizes) name += std::to_string(size) + "-";
    name.back() = ' ';
    row(name + "batch " + std::to_string(batch), "f32", dense_flops(batch, sizes), 0,
        [&] { return dense_step(batch, sizes); });
  }
  // 40.6 million multiply-adds a picture, once forward and twice back.
  row("step resnet20 batch 128", "f32", 6 * 40.6e6 * 128, 0, [] { return resnet20_step(128); });
}

}  // namespace gatun::bench
