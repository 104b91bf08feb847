// Recurrent layers forward, with all steps in one launch.
#include "cuda/kernels/recurrent_sequence.h"

namespace gatun::cuda {
namespace {

struct ForwardSequence {
  ForwardTensors<float> tensors;
  ForwardStates<float> states;
  Exchange exchange;
};

// With `second`, the last gate reads the state times the reset gate.
template <int gates, bool second, int own>
__global__ void __launch_bounds__(kMostSequenceThreads, 1)
    forward_sequence_kernel(ForwardSequence s) {
  constexpr int kFirst = second ? 2 : gates;  // gates of the first product
  const ForwardTensors<float>& o = s.tensors;
  const SequenceLayout& l = o.layout;
  SequenceBlock<own, false> block(s.exchange, l, gates);
  block.template load_weights<false>(gates, [&](int g, int64_t i, int64_t k) {
    return o.weight(static_cast<int32_t>(blockIdx.z), g, i, k);
  });
  float h[own] = {}, c[own] = {}, keep[own] = {}, bias[own] = {};
  GATUN_UNROLL
  for (int r = 0; r < own; ++r) {
    const UnitPlace p = block.place(r);
    if (!block.inside(p)) continue;
    if (s.states.first) h[r] = s.states.first[l.state(p.b, p.d) + p.i];
    if (s.states.first_cell) c[r] = s.states.first_cell[l.state(p.b, p.d) + p.i];
    keep[r] = o.keep_of(p);
    bias[r] = o.bias_of(p);
  }
  for (int64_t n = 0; n < l.steps; ++n) {
    const int64_t t = l.step(static_cast<int32_t>(blockIdx.z), n);
    // What the step needs is on its way while blocks wait for each other.
    float x[own][gates] = {}, skip[own] = {}, read[1][own] = {};
    bool masked[own] = {};
    GATUN_UNROLL
    for (int r = 0; r < own; ++r) {
      const UnitPlace p = block.place(r);
      if (!block.inside(p)) continue;
      o.load_x(x[r], t, p);
      skip[r] = o.skip_of(t, p);
      masked[r] = o.masked(t, p);
      read[0][r] = h[r] * keep[r];
    }
    block.give(read);
    float products[kFirst][own] = {};
    block.add_products(products, 0);
    float reset[1][own] = {}, r_gate[own] = {}, z_gate[own] = {}, last[1][own] = {};
    if constexpr (second) {
      GATUN_UNROLL
      for (int r = 0; r < own; ++r) {
        r_gate[r] = sigmoid(x[r][0] + products[0][r]);
        z_gate[r] = sigmoid(x[r][1] + products[1][r]);
        reset[0][r] = masked[r] ? 0 : r_gate[r] * read[0][r];
      }
      block.give(reset);
      block.add_products(last, 2);
    }
    GATUN_UNROLL
    for (int r = 0; r < own; ++r) {
      const UnitPlace p = block.place(r);
      if (!block.inside(p)) continue;
      CellStep<float> step;
      if (masked[r]) {
        step = skipped_step(o.cell, h[r], c[r]);
      } else if constexpr (second) {
        step = gru_step(r_gate[r], z_gate[r], math::tanh(x[r][2] + last[0][r]), h[r]);
      } else {
        float mine[gates];
        GATUN_UNROLL
        for (int g = 0; g < gates; ++g) mine[g] = products[g][r];
        step = cell_step(o.cell, x[r], mine, h[r], c[r], bias[r], skip[r]);
      }
      o.store(t, p, step);
      h[r] = step.h;
      c[r] = step.c;
    }
  }
  GATUN_UNROLL
  for (int r = 0; r < own; ++r) {
    const UnitPlace p = block.place(r);
    if (!block.inside(p)) continue;
    s.states.last[l.state(p.b, p.d) + p.i] = h[r];
    if (s.states.last_cell) s.states.last_cell[l.state(p.b, p.d) + p.i] = c[r];
  }
}

}  // namespace

bool forward_in_one_launch(Queue& queue, const CellForm& form, const ForwardTensors<float>& tensors,
                           const ForwardStates<float>& states) {
  return share_sequence(
      queue, tensors.layout, form.gates, 1, [&](const Exchange& exchange, const Grid& grid) {
        const ForwardSequence sequence{tensors, states, exchange};
        with_own(exchange.share.own, [&](auto own) {
          constexpr int kOwn = decltype(own)::value;
          if (form.second_product != 0) {
            return queue.launch(forward_sequence_kernel<3, true, kOwn>, grid, sequence);
          }
          switch (form.gates) {
            case 1:
              return queue.launch(forward_sequence_kernel<1, false, kOwn>, grid, sequence);
            case 2:
              return queue.launch(forward_sequence_kernel<2, false, kOwn>, grid, sequence);
            case 3:
              return queue.launch(forward_sequence_kernel<3, false, kOwn>, grid, sequence);
            default:
              return queue.launch(forward_sequence_kernel<4, false, kOwn>, grid, sequence);
          }
        });
      });
}

}  // namespace gatun::cuda
