// A product of two sources, tile by tile of its results, and what is done to them on the way to
// memory. Small results with many terms are cut along these: the parts go to scratch memory and are
// added in their order. How a product is cut follows from its shape alone.
#pragma once

#include <algorithm>

#include "cuda/kernels/multiply.h"
#include "cuda/queue.h"

namespace gatun::cuda {

// y = gate(activation(sums + bias + addend)), all but y optional. A product has
//   at(row)    the place of a row's first column in y
// and its columns lie `column_step` apart.
template <typename T>
struct Finish {
  Global<T> y;
  Global<const T> bias;  // of a column
  Global<const T> addend, gate;
  bool relu = false;
  bool packs = false;  // runs of four columns may be read and written at once
  int64_t column_step = 1;

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
    product.finish.y = finish.y.at(i * y_step);
    if (finish.addend) product.finish.addend = finish.addend.at(i * y_step);
    if (finish.gate) product.finish.gate = finish.gate.at(i * y_step);
    if (finish.bias) product.finish.bias = finish.bias.at(i * bias_step);
    return product;
  }
};

// How the terms are cut: `count` parts of `terms`, the last of fewer.
struct Cut {
  int64_t count = 1, terms = 0;
};

constexpr int kStages = 3;  // tiles of each operand in shared memory: one in use, others on the way

template <typename Engine, typename A, typename B, bool a_along_depth, bool b_along_depth, int rows,
          int columns, bool chunked, typename Rows, typename Y>
__global__ __launch_bounds__(Engine::kThreads, Engine::kBlocks) void product_kernel(
    Product<A, B, Rows, Y> all, Cut cut, Global<typename Engine::Sum> parts) {
  using T = typename Engine::Element;
  using LoaderA = TileLoader<A, rows, Engine::kDepth, a_along_depth, chunked, Engine::kThreads>;
  using LoaderB = TileLoader<B, columns, Engine::kDepth, b_along_depth, chunked, Engine::kThreads>;
  constexpr int kA = LoaderA::Tile::kElements, kB = LoaderB::Tile::kElements;
  const Shared<T> tiles = dynamic_shared<T>(0, kStages * (kA + kB));

  const int64_t part = blockIdx.z % cut.count;
  const auto p = all.one(blockIdx.z / cut.count);
  // Blocks that follow each other share the tiles of some columns, which stay in the cache.
  constexpr int64_t kGroup = 8;
  const int64_t down = (p.rows + rows - 1) / rows, across = (p.columns + columns - 1) / columns;
  const int64_t first_across = blockIdx.x / (down * kGroup) * kGroup;
  const int64_t group = across - first_across < kGroup ? across - first_across : kGroup;
  const int64_t within = blockIdx.x - first_across * down;
  const int64_t first_row = within / group * rows;
  const int64_t first_column = (first_across + within % group) * columns;

  const int64_t begin = part * cut.terms;
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
  for (int step = 0; step < kStages - 1; ++step) load(step);
  for (int64_t step = 0; step < steps; ++step) {
    copy_async_wait<kStages - 2>();
    barrier();  // what all have copied is there, and all are done with the tile that comes next
    load(step + kStages - 1);
    const Shared<T> tile = tiles.at(static_cast<int>(step % kStages) * (kA + kB));
    engine.multiply(tile, tile.at(kA));
  }

  GATUN_UNROLL
  for (int i = 0; i < Engine::kRows; ++i) {
    const int64_t row = first_row + engine.row(i);
    if (row >= p.rows) continue;
    const int64_t place =
        cut.count == 1 ? p.place.at(row) : (blockIdx.z * p.rows + row) * p.columns;
    GATUN_UNROLL
    for (int k = 0; k < Engine::kRuns; ++k) {
      const int64_t column = first_column + engine.column(k);
      if (column >= p.columns) continue;
      const auto run = engine.run(i, k);
      if (cut.count == 1) {
        p.finish.template write<Engine::kRun>(place, column, p.columns, run);
      } else {
        for (int x = 0; x < Engine::kRun && column + x < p.columns; ++x) {
          parts[place + column + x] = run.values[x];
        }
      }
    }
  }
}

// Adds the parts.
template <typename Sum, typename A, typename B, typename Rows, typename Y>
__global__ void add_parts_kernel(Product<A, B, Rows, Y> all, Cut cut, Global<const Sum> parts) {
  const int64_t size = all.rows * all.columns;
  for (int64_t i = grid_thread(); i < all.count * size; i += grid_threads()) {
    const int64_t which = i / size, within = i % size;
    const int64_t row = within / all.columns, column = within % all.columns;
    Sum sum = 0;
    for (int64_t part = 0; part < cut.count; ++part) {
      sum += parts[(which * cut.count + part) * size + within];
    }
    const auto p = all.one(which);
    p.finish.template write<1>(p.place.at(row), column, p.columns, {{sum}});
  }
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
  return {terms == 0 ? 1 : std::max<int64_t>(1, (depth + terms - 1) / terms), terms};
}

// ---- Launches

template <typename T, bool a_along_depth, bool b_along_depth, int rows, int columns, bool chunked,
          typename A, typename B, typename Rows, typename Y>
void launch_tiles(Queue& queue, const Product<A, B, Rows, Y>& p, const Cut& cut) {
  using Engine = typename EngineOf<T, rows, columns, a_along_depth, b_along_depth>::Type;
  using Sum = typename Engine::Sum;
  const int64_t blocks = ((p.rows + rows - 1) / rows) * ((p.columns + columns - 1) / columns);
  if (blocks >= int64_t{1} << 31 || p.count * cut.count >= 1 << 16) {
    fail(GT_UNSUPPORTED, "[", queue.op(), "] too large for a GPU's grid: ", p.count,
         " products of ", p.rows, " x ", p.columns);
  }
  const Grid grid{
      .blocks = {static_cast<uint32_t>(blocks), 1, static_cast<uint32_t>(p.count * cut.count)},
      .threads = {Engine::kThreads},
      .shared_bytes =
          int64_t{kStages} * (rows + columns) * Engine::kDepth * static_cast<int64_t>(sizeof(T))};
  Global<Sum> parts;
  if (cut.count > 1) parts = queue.scratch<Sum>(p.count * cut.count * p.rows * p.columns);
  queue.launch(
      product_kernel<Engine, A, B, a_along_depth, b_along_depth, rows, columns, chunked, Rows, Y>,
      grid, p, cut, parts);
  if (cut.count > 1) {
    queue.launch(add_parts_kernel<Sum, A, B, Rows, Y>, elements_grid(p.count * p.rows * p.columns),
                 p, cut, Global<const Sum>(parts));
  }
}

// A product of elements of type T. Sources that are not made of chunks are read element by element,
// by small tiles: every result is summed in the same order, and so has the same bits.
template <typename T, bool a_along_depth, bool b_along_depth, bool has_narrow, typename A,
          typename B, typename Rows, typename Y>
void launch_product(Queue& queue, const Product<A, B, Rows, Y>& p) {
  if (p.count == 0 || p.rows == 0 || p.columns == 0) return;
  const TileSize size = tile_of(p.rows, p.columns, has_narrow);
  const Cut cut = cut_of(p.count, p.rows, p.columns, p.depth, size);
  const auto chunks = [](const auto& source, int64_t step) {
    return source.has_chunks() && step % kChunk<T> == 0;
  };
  if (sizeof(T) == 8 || !chunks(p.a, p.a_step) || !chunks(p.b, p.b_step)) {
    return launch_tiles<T, a_along_depth, b_along_depth, 64, 64, false>(queue, p, cut);
  }
  if constexpr (sizeof(T) < 8) {
    if (size == TileSize::LARGE) {
      launch_tiles<T, a_along_depth, b_along_depth, 128, 128, true>(queue, p, cut);
    } else if (has_narrow && size == TileSize::NARROW) {
      if constexpr (has_narrow) {
        launch_tiles<T, a_along_depth, b_along_depth, 128, 32, true>(queue, p, cut);
      }
    } else {
      launch_tiles<T, a_along_depth, b_along_depth, 64, 64, true>(queue, p, cut);
    }
  }
}

}  // namespace gatun::cuda
