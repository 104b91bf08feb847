// The way back through recurrent layers, with all steps in one launch.
#include "cuda/kernels/recurrent_sequence.h"

namespace gatun::cuda {
namespace {

struct BackwardSequence {
  BackwardTensors<float> tensors;
  Exchange exchange;
};

// With `second`, the last gate has read the state times the reset gate.
template <int gates, bool second, int own>
__global__ void __launch_bounds__(kMostSequenceThreads, 1)
    backward_sequence_kernel(BackwardSequence s) {
  constexpr int kFirst = second ? 2 : gates;  // gates whose slopes flow back at once
  const BackwardTensors<float>& o = s.tensors;
  const SequenceLayout& l = o.layout;
  SequenceBlock<own, true> block(s.exchange, l, gates);
  block.template load_weights<true>(gates, [&](int g, int64_t i, int64_t k) {
    return o.weight(static_cast<int32_t>(blockIdx.z), g, i, k);
  });
  // Of the step behind: slopes of the states, of gates, and of what its reset gate let through.
  float dh[own] = {}, dc[own] = {}, flow[kFirst][own] = {}, reset[own] = {}, keep[own] = {};
  GATUN_UNROLL
  for (int r = 0; r < own; ++r) {
    const UnitPlace p = block.place(r);
    if (!block.inside(p)) continue;
    if (o.dlast) dh[r] = o.dlast[l.state(p.b, p.d) + p.i];
    if (o.dlast_cell) dc[r] = o.dlast_cell[l.state(p.b, p.d) + p.i];
    keep[r] = o.keep_of(p);
  }
  for (int64_t n = l.steps - 1; n >= o.last_step(); --n) {
    const int64_t t = l.step(static_cast<int32_t>(blockIdx.z), n);
    const int64_t before = l.step(static_cast<int32_t>(blockIdx.z), n < 0 ? n : n - 1);
    CellMemory<float> memory[own] = {};
    float dy[own] = {};
    bool masked[own] = {};
    GATUN_UNROLL
    for (int r = 0; r < own; ++r) {
      const UnitPlace p = block.place(r);
      if (n < 0 || !block.inside(p)) continue;
      memory[r] = o.memory(t, before, p);
      dy[r] = o.dy_of(t, p);
      masked[r] = o.masked(t, p);
    }
    float through[own] = {};
    if (n < l.steps - 1) {
      float sums[kFirst][own] = {};
      block.give(flow);
      block.add_products(sums, 0);
      GATUN_UNROLL
      for (int r = 0; r < own; ++r) {
        GATUN_UNROLL
        for (int g = 0; g < kFirst; ++g) through[r] += sums[g][r];
        if constexpr (second) through[r] += reset[r];
      }
    }
    float last[1][own] = {}, sums[1][own] = {};
    GATUN_UNROLL
    for (int r = 0; r < own; ++r) {
      const UnitPlace p = block.place(r);
      if (!block.inside(p)) continue;
      const float into = dh[r] + through[r] * keep[r];
      if (n < 0) {
        if (o.dfirst) o.dfirst[l.state(p.b, p.d) + p.i] = into;
        if (o.dfirst_cell) o.dfirst_cell[l.state(p.b, p.d) + p.i] = dc[r];
        continue;
      }
      const CellSlopes<float> slopes = o.slopes(masked[r], into, dc[r], dy[r], memory[r]);
      o.store(t, p, slopes);
      dh[r] = slopes.h;
      dc[r] = slopes.c;
      GATUN_UNROLL
      for (int g = 0; g < kFirst; ++g) {
        flow[g][r] = g == 2 && gates == 3 ? slopes.inside : slopes.gates[g];
      }
      last[0][r] = slopes.gates[2];
    }
    if (n < 0) return;
    if constexpr (second) {
      block.give(last);
      block.add_products(sums, 2);
      GATUN_UNROLL
      for (int r = 0; r < own; ++r) {
        const UnitPlace p = block.place(r);
        if (!block.inside(p)) continue;
        const ResetSlopes<float> slopes = o.reset_slopes(t, p, sums[0][r], memory[r].h * keep[r]);
        o.put(t, p, 0, slopes.gate);
        flow[0][r] = slopes.gate;
        reset[r] = slopes.read;
      }
    }
  }
}

}  // namespace

bool backward_in_one_launch(Queue& queue, const CellForm& form,
                            const BackwardTensors<float>& tensors) {
  const int rows = form.second_product != 0 ? form.second_product : form.gates;
  return share_sequence(
      queue, tensors.layout, form.gates, rows, [&](const Exchange& exchange, const Grid& grid) {
        const BackwardSequence sequence{tensors, exchange};
        with_own(exchange.share.own, [&](auto own) {
          constexpr int kOwn = decltype(own)::value;
          if (form.second_product != 0) {
            return queue.launch(backward_sequence_kernel<3, true, kOwn>, grid, sequence);
          }
          switch (form.gates) {
            case 1:
              return queue.launch(backward_sequence_kernel<1, false, kOwn>, grid, sequence);
            case 2:
              return queue.launch(backward_sequence_kernel<2, false, kOwn>, grid, sequence);
            case 3:
              return queue.launch(backward_sequence_kernel<3, false, kOwn>, grid, sequence);
            default:
              return queue.launch(backward_sequence_kernel<4, false, kOwn>, grid, sequence);
          }
        });
      });
}

}  // namespace gatun::cuda
