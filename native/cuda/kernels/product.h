// A product of two sources, tile by tile of its results, and what is done to them on the way to
// memory. Small results with many terms are cut along these: the parts go to scratch memory and are
// added in their order. How a product is cut follows from its shape alone.
#pragma once

#include <algorithm>
#include <type_traits>

#include "cuda/kernels/chunks.h"
#include "cuda/kernels/multiply.h"
#include "cuda/queue.h"

namespace gatun::cuda {

// y = gate(activation(sums + bias + addend)), all but y optional. A product has
//   at(row)    the place of a row's first column in y; negative for a row that is not there
// and its columns lie `column_step` apart.
template <typename T>
struct Finish {
  Global<T> y;
  Global<const T> bias;  // of a column
  Global<const T> addend, gate;
  bool relu = false;
  bool packs = false;  // runs of four columns may be read and written at once
  int64_t column_step = 1;

  // The same, so much further in y and in the bias.
  __device__ Finish at(int64_t in_y, int64_t in_bias) const {
    Finish moved = *this;
    moved.y = y.at(in_y);
    if (addend) moved.addend = addend.at(in_y);
    if (gate) moved.gate = gate.at(in_y);
    if (bias) moved.bias = bias.at(in_bias);
    return moved;
  }

  // Of columns from `column` on; `row` is the place of the first one.
  template <int N>
  __device__ void write(int64_t row, int64_t column, int64_t columns,
                        const Pack<WideOf<T>, N>& sums) const {
    const int64_t at = row + column * column_step;
    if (N > 1 && packs) {
      Pack<T, N> result;
      Pack<T, N> added{}, gates{};
      if (addend) added = addend.template load<N>(at);
      if (gate) gates = gate.template load<N>(at);
      GATUN_UNROLL
      for (int k = 0; k < N; ++k) {
        result.values[k] = value(sums.values[k], column + k, added.values[k], gates.values[k]);
      }
      y.template store<N>(at, result);
      return;
    }
    GATUN_UNROLL
    for (int k = 0; k < N; ++k) {
      if (column + k >= columns) return;
      const int64_t i = at + k * column_step;
      y[i] = value(sums.values[k], column + k, addend ? addend[i] : T{}, gate ? gate[i] : T{});
    }
  }

 private:
  __device__ T value(WideOf<T> sum, int64_t column, T added, T gated) const {
    if (bias) sum += widen(bias[column]);
    if (addend) sum += widen(added);
    if (relu && sum < 0) sum = 0;
    if (gate && !(widen(gated) > 0)) sum = 0;
    return narrow<T>(sum);
  }
};

// Where rows lie that are as far apart as each other.
struct EvenRows {
  int64_t step;
  __device__ int64_t at(int64_t row) const { return row * step; }
};

// One product: `rows` by `columns` sums of `depth` terms.
template <typename A, typename B, typename Rows, typename Y>
struct Product {
  A a;  // its results are rows
  B b;
  Rows place;
  Finish<Y> finish;
  int64_t rows, columns, depth;
  // Products of the same shape beside each other: how far their operands are apart.
  int64_t a_step = 0, b_step = 0, y_step = 0, bias_step = 0;
  int64_t count = 1;

  // Those of one of them.
  __device__ Product one(int64_t i) const {
    Product product = *this;
    product.a.data = a.data.at(i * a_step);
    product.b.data = b.data.at(i * b_step);
    product.finish = finish.at(i * y_step, i * bias_step);
    return product;
  }
};

// How the terms are cut: `count` parts of `terms`, the last of fewer.
struct Cut {
  uint32_t count = 1;
  int64_t terms = 0;
};

constexpr int kStages = 3;  // tiles of each operand in shared memory: one in use, others on the way

// How many of a tile's rows, a power of two, fit into `room` bytes.
constexpr int rows_at_once(int rows, int64_t row_bytes, int64_t room) {
  while (rows * row_bytes > room) rows /= 2;
  return rows;
}

template <typename Engine, typename A, typename B, bool a_along_depth, bool b_along_depth, int rows,
          int columns, typename Rows, typename Y>
__global__ __launch_bounds__(Engine::kThreads, Engine::kBlocks) void product_kernel(
    Product<A, B, Rows, Y> all, Cut cut, Global<typename Engine::Sum> parts) {
  using T = typename Engine::Element;
  using Sum = typename Engine::Sum;
  using LoaderA = TileLoader<A, rows, Engine::kDepth, a_along_depth, Engine::kThreads>;
  using LoaderB = TileLoader<B, columns, Engine::kDepth, b_along_depth, Engine::kThreads>;
  constexpr int kA = LoaderA::Tile::kElements, kB = LoaderB::Tile::kElements;
  constexpr int kElements = kStages * (kA + kB);
  const Shared<T> tiles = dynamic_shared<T>(0, kElements);

  const uint32_t part = blockIdx.z % cut.count;
  const auto p = all.one(blockIdx.z / cut.count);
  // Blocks that follow each other share the tiles of some columns, which stay in the cache. There
  // are fewer than 2^31.
  constexpr uint32_t kGroup = 8;
  const auto down = static_cast<uint32_t>((p.rows + rows - 1) / rows);
  const auto across = static_cast<uint32_t>((p.columns + columns - 1) / columns);
  const uint32_t first_across = across <= kGroup ? 0 : blockIdx.x / (down * kGroup) * kGroup;
  const uint32_t group = across - first_across < kGroup ? across - first_across : kGroup;
  const uint32_t within = blockIdx.x - first_across * down;
  const int64_t first_row = int64_t{within / group} * rows;
  const int64_t first_column = int64_t{first_across + within % group} * columns;

  const int64_t begin = int64_t{part} * cut.terms;
  const int64_t end = p.depth - begin < cut.terms ? p.depth : begin + cut.terms;
  const int64_t steps = (end - begin + Engine::kDepth - 1) / Engine::kDepth;
  const LoaderA loader_a(p.a, first_row);
  const LoaderB loader_b(p.b, first_column);
  const auto load = [&](int64_t step) {
    if (step < steps) {
      const Shared<T> to = tiles.at(static_cast<int>(step % kStages) * (kA + kB));
      loader_a.load(to, begin + step * Engine::kDepth);
      loader_b.load(to.at(kA), begin + step * Engine::kDepth);
    }
    copy_async_commit();
  };
  Engine engine;
  GATUN_ROLL
  for (int step = 0; step < kStages - 1; ++step) load(step);
  for (int64_t step = 0; step < steps; ++step) {
    copy_async_wait<kStages - 2>();
    barrier();  // what all have copied is there, and all are done with the tile that comes next
    load(step + kStages - 1);
    const Shared<T> tile = tiles.at(static_cast<int>(step % kStages) * (kA + kB));
    engine.multiply(tile, tile.at(kA));
  }

  // The sums leave the threads' registers by way of the tiles' memory, some rows at a time: from
  // there neighbouring threads write what lies side by side, in a loop of little code.
  constexpr int kRun = kChunk<Sum>;
  constexpr int kPitch = columns + kRun;  // the same columns of rows lie in different banks
  constexpr int kBand = rows_at_once(rows, kPitch * sizeof(Sum), kElements * sizeof(T));
  const Shared<Sum> band = dynamic_shared<Sum>(0, kBand * kPitch);
  GATUN_ROLL
  for (int top = 0; top < rows; top += kBand) {
    barrier();  // what was here before has been read
    GATUN_UNROLL
    for (int i = 0; i < Engine::kRows; ++i) {
      const int row = engine.row(i) - top;
      if (row < 0 || row >= kBand) continue;
      GATUN_UNROLL
      for (int k = 0; k < Engine::kRuns; ++k) {
        band.template store<Engine::kRun>(row * kPitch + engine.column(k), engine.run(i, k));
      }
    }
    barrier();
    GATUN_ROLL
    for (int e = static_cast<int>(threadIdx.x); e < kBand * (columns / kRun);
         e += Engine::kThreads) {
      const bool along_rows = cut.count > 1 || p.finish.column_step == 1;
      const int row = along_rows ? e / (columns / kRun) : e % kBand;
      const int first = (along_rows ? e % (columns / kRun) : e / kBand) * kRun;
      const int64_t r = first_row + top + row, column = first_column + first;
      if (r >= p.rows || column >= p.columns) continue;
      const Pack<Sum, kRun> sums = band.template load<kRun>(row * kPitch + first);
      if (cut.count == 1) {
        const int64_t place = p.place.at(r);
        if (place >= 0) p.finish.template write<kRun>(place, column, p.columns, sums);
      } else {
        const int64_t place = (blockIdx.z * p.rows + r) * p.columns + column;
        GATUN_UNROLL
        for (int x = 0; x < kRun; ++x) {
          if (column + x < p.columns) parts[place + x] = sums.values[x];
        }
      }
    }
  }
}

// Where the results of products are, and how many there are of each.
template <typename Rows, typename Y>
struct Results {
  Rows place;
  Finish<Y> finish;
  int64_t y_step, bias_step, count;
  Divisor size, columns;  // of one product

  __device__ Finish<Y> of(int64_t i) const { return finish.at(i * y_step, i * bias_step); }
};

// Adds the parts.
template <typename Sum, typename Rows, typename Y>
__global__ void add_parts_kernel(Results<Rows, Y> results, uint32_t parts,
                                 Global<const Sum> partial) {
  GATUN_ROLL
  for (int64_t i = grid_thread(); i < results.count; i += grid_threads()) {
    int64_t which = i;
    const int64_t within = results.size.split(which);
    int64_t row = within;
    const int64_t column = results.columns.split(row);
    const int64_t place = results.place.at(row);
    if (place < 0) continue;
    const int64_t size = results.size.value(), first = which * parts * size + within;
    Sum sum = 0;
    for (uint32_t part = 0; part < parts; ++part) sum += partial[first + part * size];
    results.of(which).template write<1>(place, column, results.columns.value(), {{sum}});
  }
}

template <typename Sum, typename A, typename B, typename Rows, typename Y>
void add_parts(Queue& queue, const Product<A, B, Rows, Y>& p, uint32_t count, Global<Sum> parts) {
  const Results<Rows, Y> results{p.place,
                                 p.finish,
                                 p.y_step,
                                 p.bias_step,
                                 p.count * p.rows * p.columns,
                                 Divisor(p.rows * p.columns),
                                 Divisor(p.columns)};
  queue.launch(add_parts_kernel<Sum, Rows, Y>, elements_grid(results.count), results, count,
               Global<const Sum>(parts));
}

// ---- What follows from a product's shape

enum class TileSize { LARGE, SMALL, NARROW };  // 128 x 128, 64 x 64, 128 x 32

inline TileSize tile_of(int64_t rows, int64_t columns, bool has_narrow) {
  if (has_narrow && columns <= 32) return TileSize::NARROW;
  const auto tiles = [&](int64_t side) {
    return ((rows + side - 1) / side) * ((columns + side - 1) / side);
  };
  // Few large tiles leave multiprocessors idle, and cut ones do more for nothing.
  return tiles(128) >= 128 && tiles(128) * 4 * 4 <= tiles(64) * 5 ? TileSize::LARGE
                                                                  : TileSize::SMALL;
}

inline Cut cut_of(int64_t products, int64_t rows, int64_t columns, int64_t depth, TileSize size) {
  const int64_t high = size == TileSize::SMALL ? 64 : 128;
  const int64_t wide = size == TileSize::LARGE ? 128 : size == TileSize::SMALL ? 64 : 32;
  constexpr int64_t kEnough = 264;   // blocks: two for each multiprocessor of a large GPU
  constexpr int64_t kLeast = 256;    // terms of a part
  constexpr int64_t kMultiple = 32;  // the depth of every engine's step divides it
  const int64_t blocks = products * ((rows + high - 1) / high) * ((columns + wide - 1) / wide);
  const int64_t parts = std::clamp<int64_t>(std::min(kEnough / blocks, depth / kLeast), 1, kEnough);
  const int64_t terms = (depth + parts * kMultiple - 1) / (parts * kMultiple) * kMultiple;
  const int64_t count = terms == 0 ? 1 : std::max<int64_t>(1, (depth + terms - 1) / terms);
  return {static_cast<uint32_t>(count), terms};
}

// ---- Launches

template <typename P, bool a_along_depth, bool b_along_depth, int rows, int columns, typename A,
          typename B, typename Rows, typename Y>
void launch_tiles(Queue& queue, const Product<A, B, Rows, Y>& p, const Cut& cut) {
  using Engine = typename EngineOf<P, rows, columns, a_along_depth, b_along_depth>::Type;
  using Sum = typename Engine::Sum;
  const int64_t blocks = ((p.rows + rows - 1) / rows) * ((p.columns + columns - 1) / columns);
  if (blocks >= int64_t{1} << 31 || p.count >= 1 << 16 || p.count * cut.count >= 1 << 16) {
    fail(GT_UNSUPPORTED, "[", queue.op(), "] too large for a GPU's grid: ", p.count,
         " products of ", p.rows, " x ", p.columns);
  }
  const Grid grid{
      .blocks = {static_cast<uint32_t>(blocks), 1, static_cast<uint32_t>(p.count * cut.count)},
      .threads = {Engine::kThreads},
      .shared_bytes = int64_t{kStages} * (rows + columns) * Engine::kDepth *
                      static_cast<int64_t>(sizeof(typename Engine::Element))};
  Global<Sum> parts;
  if (cut.count > 1) parts = queue.scratch<Sum>(p.count * cut.count * p.rows * p.columns);
  queue.launch(product_kernel<Engine, A, B, a_along_depth, b_along_depth, rows, columns, Rows, Y>,
               grid, p, cut, parts);
  if (cut.count > 1) add_parts(queue, p, cut.count, parts);
}

// A product in P: the type of the elements, or Tf32. Every result is summed in the same order by
// tiles of any size, and so has the same bits.
template <typename P, bool a_along_depth, bool b_along_depth, bool has_narrow, typename A,
          typename B, typename Rows, typename Y>
void launch_product_in(Queue& queue, const Product<A, B, Rows, Y>& p) {
  const TileSize size = tile_of(p.rows, p.columns, has_narrow);
  const Cut cut = cut_of(p.count, p.rows, p.columns, p.depth, size);
  // f64 is for checks: one tile.
  if constexpr (!std::is_same_v<P, double>) {
    if (size == TileSize::LARGE) {
      return launch_tiles<P, a_along_depth, b_along_depth, 128, 128>(queue, p, cut);
    }
    if constexpr (has_narrow) {
      if (size == TileSize::NARROW) {
        return launch_tiles<P, a_along_depth, b_along_depth, 128, 32>(queue, p, cut);
      }
    }
  }
  launch_tiles<P, a_along_depth, b_along_depth, 64, 64>(queue, p, cut);
}

// A product of elements of type T, of which f32 are multiplied as the queue says. Matrices may lie
// anyhow, other sources are made of whole chunks.
template <typename T, bool a_along_depth, bool b_along_depth, bool has_narrow, typename A,
          typename B, typename Rows, typename Y>
void launch_product(Queue& queue, Product<A, B, Rows, Y> p) {
  if (p.count == 0 || p.rows == 0 || p.columns == 0) return;
  put_in_chunks(queue, p.a, p.a_step, p.count);
  put_in_chunks(queue, p.b, p.b_step, p.count);
  if constexpr (std::is_same_v<T, float>) {
    if (queue.multiplies_in_tf32()) {
      return launch_product_in<Tf32, a_along_depth, b_along_depth, has_narrow>(queue, p);
    }
  }
  launch_product_in<T, a_along_depth, b_along_depth, has_narrow>(queue, p);
}

}  // namespace gatun::cuda
