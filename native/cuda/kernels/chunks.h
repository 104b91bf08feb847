// Copies of operands that cannot be read by chunks of 16 bytes: rows that end within a chunk, or do
// not begin at a multiple. The copy in scratch memory has rows of whole chunks, with zeros at their
// end, so that products have one way to read them. How a row is lengthened follows from its length
// alone.
#pragma once

#include "cuda/kernels/divisor.h"
#include "cuda/kernels/tile.h"
#include "cuda/queue.h"

namespace gatun::cuda {

// A row's length in whole chunks.
template <typename T>
int64_t in_chunks(int64_t width) {
  return (width + kChunk<T> - 1) / kChunk<T> * kChunk<T>;
}

// The elements of matrices `step` apart to [matrices, rows, padded].
template <typename T>
__global__ void put_in_chunks_kernel(Global<T> to, MatrixSource<T> from, int64_t step,
                                     Divisor padded, Divisor rows, int64_t count) {
  GATUN_ROLL
  for (int64_t i = grid_thread(); i < count; i += grid_threads()) {
    int64_t matrix = i;
    const int64_t column = padded.split(matrix), row = rows.split(matrix);
    to[i] =
        column < from.columns ? T(from.data[matrix * step + row * from.row_step + column]) : T{};
  }
}

// Lets `matrix`, the first of `count` that lie `step` apart, have rows of whole chunks.
template <typename T>
void put_in_chunks(Queue& queue, MatrixSource<T>& matrix, int64_t& step, int64_t count) {
  const bool has_chunks = reinterpret_cast<uintptr_t>(matrix.data.data) % 16 == 0 &&
                          matrix.columns % kChunk<T> == 0 && matrix.row_step % kChunk<T> == 0 &&
                          step % kChunk<T> == 0;
  const int64_t padded = in_chunks<T>(matrix.columns), elements = count * matrix.rows * padded;
  if (has_chunks) return;
  const Global<T> copy = queue.scratch<T>(elements);
  queue.launch(put_in_chunks_kernel<T>, elements_grid(elements), copy, matrix, step,
               Divisor(padded), Divisor(matrix.rows), elements);
  matrix = {copy, matrix.rows, padded, padded};
  step = matrix.rows * padded;
}
// Other sources are made so.
template <typename Source>
void put_in_chunks(Queue&, Source&, int64_t&, int64_t) {}

// The rows of a dense tensor of `rows` by `width` elements.
template <typename T>
Global<const T> rows_in_chunks(Queue& queue, const Tensor& x, int64_t width) {
  int64_t step = 0;
  MatrixSource<T> matrix{elements<const T>(x), width == 0 ? 0 : x.count / width, width, width};
  put_in_chunks(queue, matrix, step, 1);
  return matrix.data;
}

}  // namespace gatun::cuda
