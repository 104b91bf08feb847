// Recurrent layers with all steps in one launch: the weights stay in shared memory (see Share).
#pragma once

#include "cuda/kernels/recurrent_share.h"
#include "cuda/kernels/recurrent_tensors.h"

namespace gatun::cuda {

// False where the weights do not fit, and nothing has been launched.
bool forward_in_one_launch(Queue& queue, const CellForm& form, const ForwardTensors<float>& tensors,
                           const ForwardStates<float>& states);
bool backward_in_one_launch(Queue& queue, const CellForm& form,
                            const BackwardTensors<float>& tensors);

// What blocks exchange. Values and flags are those of a resident grid.
struct Exchange {
  Share share;
  int32_t rows;            // of each sequence
  Global<float> values;    // [2,D,B,rows,H], by turns
  Global<uint32_t> flags;  // of each block: how many times it has given values
};

__device__ inline int block_thread() {
  return static_cast<int>(threadIdx.y * blockDim.x + threadIdx.x);
}
__device__ inline int block_threads() { return static_cast<int>(blockDim.x * blockDim.y); }

// A block and its shared memory: the weights [gates][units][terms], and rows that are multiplied by
// them [buffers][rows][sequences][terms]. With `apart` each gate has rows of its own.
template <int own, bool apart>
class SequenceBlock {
 public:
  __device__ SequenceBlock(const Exchange& exchange, const SequenceLayout& layout, int gates)
      : exchange_(exchange),
        layout_(layout),
        share_(exchange.share),
        pitch_(row_pitch(static_cast<int32_t>(layout.units))),
        rows_pitch_(row_pitch(share_.terms)),
        weights_(dynamic_shared<float>(0, gates * share_.kept * pitch_)),
        buffer_(exchange.rows * share_.sequences() * rows_pitch_),
        rows_(dynamic_shared<float>(int64_t{4} * gates * share_.kept * pitch_,
                                    share_.buffers() * buffer_)) {
    // Terms behind the last unit are never written again, nor are sequences behind the last one.
    const int count = share_.buffers() * buffer_;
    for (int e = block_thread(); e < count; e += block_threads()) rows_[e] = 0;
    meet();  // From here on others may store to them.
  }

  // The unit and the r-th sequence of this thread.
  __device__ UnitPlace place(int r) const {
    return {int64_t{blockIdx.y} * share_.sequences() + line(r),
            int64_t{blockIdx.x} * share_.units + threadIdx.x, static_cast<int32_t>(blockIdx.z)};
  }
  __device__ bool inside(const UnitPlace& p) const {
    return p.b < layout_.batch && p.i < layout_.units;
  }

  // weight(g, i, k) of all gates; `along_units` where units lie side by side in memory.
  template <bool along_units, typename Weight>
  __device__ void load_weights(int gates, const Weight& weight) const {
    const int64_t first = int64_t{blockIdx.x} * share_.units;
    const int across = along_units ? share_.kept : pitch_, down = share_.kept * pitch_ / across;
    for (int line = warp(); line < gates * down; line += block_threads() / kWarp) {
      const int g = line / down;
      for (int e = lane(); e < across; e += kWarp) {
        const int u = along_units ? e : line % down, k = along_units ? line % down : e;
        weights_[(g * share_.kept + u) * pitch_ + k] =
            first + u < layout_.units && k < layout_.units ? weight(g, first + u, k) : 0;
      }
    }
  }

  // Gives this thread's values to all blocks of its sequences, and waits for theirs. Turns
  // alternate between two buffers, in shared or in global memory, so to wait once is enough: who
  // gives turn n + 2 has waited in turn n + 1 for all others, whose products had then read turn n,
  // which it writes over. And after the last turn a block may leave at once: nobody has anything to
  // store to it.
  template <int count>
  __device__ void give(const float (&values)[count][own]) {
    ++given_;
    if (share_.resident) {
      for_values(values, [&](const UnitPlace& p, int, int v, float value) {
        exchange_.values[at(p.b, v) + p.i] = value;
      });
      wait_for_grid();
      return;
    }
    const auto store = [&](const auto& put) {
      for_values(values, [&](const UnitPlace& p, int r, int v, float value) {
        put(buffer() + row(v, r) + static_cast<int>(p.i), value);
      });
    };
    if (share_.parts == 1) {
      store([&](int i, float value) { rows_[i] = value; });
    } else {
      // Each begins with another one, so that not all store to the same at once.
      const auto parts = static_cast<uint32_t>(share_.parts);
      GATUN_ROLL
      for (uint32_t k = 0; k < parts; ++k) {
        const uint32_t n = blockIdx.x + k;
        const ClusterShared<float> rows(rows_, n < parts ? n : n - parts);
        store([&](int i, float value) { rows.store(i, value); });
      }
    }
    meet();
  }

  // sums[g] += the products of what was given with the weights of gates from `gate` on.
  template <int count>
  __device__ void add_products(float (&sums)[count][own], int gate) const {
    const int units = static_cast<int>(layout_.units);
    const int u = min(static_cast<int>(threadIdx.x), share_.kept - 1);
    for (int k0 = 0; k0 < units; k0 += share_.terms) {
      const int terms = min((units - k0 + 3) / 4 * 4, share_.terms);
      if (share_.resident) {
        if (k0 > 0) barrier();
        fetch(apart ? count : 1, k0, terms);
        barrier();
      }
      for (int k = 0; k < terms; k += 4) {
        Pack<float, 4> left[own] = {};
        GATUN_UNROLL
        for (int g = 0; g < count; ++g) {
          const auto right =
              weights_.template load<4>(((gate + g) * share_.kept + u) * pitch_ + k0 + k);
          GATUN_UNROLL
          for (int r = 0; r < own; ++r) {
            if (apart || g == 0) {
              left[r] = rows_.template load<4>(buffer() + row(apart ? g : 0, r) + k);
            }
            GATUN_UNROLL
            for (int x = 0; x < 4; ++x) {
              sums[g][r] = math::fma(left[r].values[x], right.values[x], sums[g][r]);
            }
          }
        }
      }
    }
  }

 private:
  static __device__ int min(int a, int b) { return a < b ? a : b; }
  __device__ int line(int r) const { return static_cast<int>(threadIdx.y) + share_.groups * r; }
  // Term 0 of row v of this thread's r-th sequence.
  __device__ int row(int v, int r) const {
    return (v * share_.sequences() + line(r)) * rows_pitch_;
  }
  // Where the rows of this turn begin.
  __device__ int buffer() const {
    return share_.resident ? 0 : static_cast<int>(given_ % 2) * buffer_;
  }

  // All threads that store to this block's shared memory.
  __device__ void meet() const {
    share_.parts > 1 && !share_.resident ? cluster_barrier() : barrier();
  }
  // Until all blocks of this one's sequences have given.
  __device__ void wait_for_grid() const {
    barrier();
    const int64_t first = (int64_t{blockIdx.z} * gridDim.y + blockIdx.y) * gridDim.x;
    if (block_thread() == 0) store_release(exchange_.flags, first + blockIdx.x, given_);
    for (int k = block_thread(); k < share_.parts; k += block_threads()) {
      wait_for(exchange_.flags, first + k, given_);
    }
    barrier();
  }

  // Calls put(place, r, v, value) for this thread's values.
  template <int count, typename Put>
  __device__ void for_values(const float (&values)[count][own], const Put& put) const {
    GATUN_UNROLL
    for (int r = 0; r < own; ++r) {
      const UnitPlace p = place(r);
      if (!inside(p)) continue;
      GATUN_UNROLL
      for (int v = 0; v < count; ++v) put(p, r, v, values[v][r]);
    }
  }
  // In global memory, unit 0 of row v of what was given last.
  __device__ int64_t at(int64_t b, int v) const {
    const int64_t state =
        (int64_t{given_ % 2} * layout_.directions + blockIdx.z) * layout_.batch + b;
    return (state * exchange_.rows + v) * layout_.units;
  }

  // Terms k0 .. k0 + terms - 1 of all rows that were given.
  __device__ void fetch(int rows, int k0, int terms) const {
    const int sequences = share_.sequences(), units = static_cast<int>(layout_.units);
    for (int line = warp(); line < rows * sequences; line += block_threads() / kWarp) {
      const int64_t b = int64_t{blockIdx.y} * sequences + line % sequences;
      if (b >= layout_.batch) continue;
      const int64_t from = at(b, line / sequences) + k0;
      const int to = line * rows_pitch_;
      if (units % 4 == 0) {
        for (int k = 4 * lane(); k < terms; k += 4 * kWarp) {
          rows_.template store<4>(to + k, exchange_.values.template load<4>(from + k));
        }
      } else {
        for (int k = lane(); k < terms; k += kWarp) {
          rows_[to + k] = k0 + k < units ? float{exchange_.values[from + k]} : 0;
        }
      }
    }
  }

  const Exchange& exchange_;
  const SequenceLayout& layout_;
  const Share& share_;
  const int pitch_, rows_pitch_;
  const Shared<float> weights_;
  const int buffer_;  // elements
  const Shared<float> rows_;
  uint32_t given_ = 0;
};

template <typename T>
__global__ void clear_kernel(Global<T> x, int64_t count) {
  for (int64_t i = grid_thread(); i < count; i += grid_threads()) x[i] = 0;
}

// Calls launch(exchange, grid) for the device's share of a layer; false without one.
template <typename F>
bool share_sequence(Queue& queue, const SequenceLayout& layout, int gates, int rows, F&& launch) {
  constexpr int64_t kMostUnits = 8192;
  if (layout.units > kMostUnits || layout.batch == 0) return false;
  const auto share = share_of({.units = static_cast<int32_t>(layout.units),
                               .batch = layout.batch,
                               .directions = layout.directions,
                               .gates = gates,
                               .rows = rows},
                              {.shared_bytes = queue.shared_bytes(),
                               .multiprocessors = queue.multiprocessors(),
                               .largest_cluster = queue.largest_cluster()});
  if (!share) return false;
  Exchange exchange{.share = *share, .rows = rows, .values = {}, .flags = {}};
  const Grid grid{
      .blocks = {static_cast<uint32_t>(share->parts), static_cast<uint32_t>(share->slices),
                 static_cast<uint32_t>(layout.directions)},
      .threads = {static_cast<uint32_t>(share->units), static_cast<uint32_t>(share->groups)},
      .shared_bytes = share->shared_bytes,
      .resident = share->resident,
      .cluster = share->resident ? 1 : static_cast<uint32_t>(share->parts)};
  if (grid.resident) {
    exchange.values = queue.scratch<float>(2 * rows * layout.states());
    exchange.flags = queue.scratch<uint32_t>(grid.blocks.count());
    queue.launch(clear_kernel<uint32_t>, elements_grid(grid.blocks.count()), exchange.flags,
                 grid.blocks.count());
  }
  launch(exchange, grid);
  return true;
}

// Calls f with the number of sequences of a thread as a constant.
template <typename F>
void with_own(int own, F&& f) {
  own == 2 ? f(std::integral_constant<int, 2>()) : f(std::integral_constant<int, 4>());
}

}  // namespace gatun::cuda
