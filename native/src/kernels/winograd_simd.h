// The vector code of winograd.h: transforms, vectorised over channels, and the products between
// them.
#pragma once

#include <cstdint>

#include "kernels/ahead.h"
#include "kernels/winograd.h"

namespace gatun::kernels::winograd {

constexpr int kTile = 4;                       // result pixels along one axis of a tile
constexpr int kPatch = 6;                      // input pixels it depends on
constexpr int kPoints = kPatch * kPatch;       // matrices to multiply
constexpr int kMaxRows = 16, kMaxVectors = 2;  // of a product's block in registers

// The tiles of a batch of images [images, height, width, channels], counted image by image, row by
// row. A patch begins at row 4 * tile row - pad_h and column 4 * tile column - pad_w.
struct Tiles {
  int64_t height, width, channels;
  int64_t rows, columns;  // of tiles in an image
  int64_t pad_h = 0, pad_w = 0;

  int64_t per_image() const { return rows * columns; }
  // About where the pixels of a tile and of all behind it begin: exactly for the first tile of a
  // row in images that tiles fill.
  int64_t begin(int64_t tile) const { return tile * (height * width * channels) / per_image(); }
};

// Transformed tiles: value (point, channel, tile) lies at
// point * point_step + channel / lanes * block_step + tile * lanes + channel % lanes.
struct Planes {
  float* data;
  int64_t point_step, block_step;
};

// Sums over channels in registers: m[tile][j] = sum over c of v[c][tile] * u[c][j].
struct Product {
  const float* v;
  int64_t v_block_step, blocks;  // of channels to sum over
  const float* u;                // [channel][vectors * lanes]
  float* m;
  int64_t m_block_step;
  Stretch ahead;  // asked for with every channel
};
using ProductKernel = void (*)(const Product&);

// Sums over tiles in registers: u[i][j] (+)= sum over t of d[t][i] * v[t][j]; i are channels within
// one vector.
struct Accumulation {
  const float* d;
  const float* v;
  int64_t v_block_step, tiles;
  float* u;
  int64_t u_row_step;
  bool first;     // u starts at zero
  Stretch ahead;  // asked for with every tile
};
using AccumulationKernel = void (*)(const Accumulation&);

struct Kernels {
  int lanes = 0;
  // Product kernels by vectors and half the rows: a kernel writes an even number of tiles.
  int max_rows[kMaxVectors + 1] = {};
  ProductKernel product[kMaxVectors + 1][kMaxRows / 2 + 1] = {};
  // Rows of the accumulation kernels, which divide `lanes`.
  int accumulation_rows[kMaxVectors + 1] = {};
  AccumulationKernel accumulation[kMaxVectors + 1] = {};

  // v = B^T patch B of tiles [first, first + count) and channel blocks [block_begin, block_end).
  void (*transform_input)(const Tiles&, const float* x, int64_t first, int64_t count,
                          int64_t block_begin, int64_t block_end, const Planes& v);
  // y = epilogue(A^T m A), the parts of tiles outside y left out.
  void (*transform_output)(const Tiles&, float* y, const Epilogue&, int64_t first, int64_t count,
                           const Planes& m);
  // d = A tile A^T of the gradient of the result, zero outside it.
  void (*transform_gradient)(const Tiles&, const float* dy, int64_t first, int64_t count,
                             const Planes& d);
  // u = G kernel G^T for `count` vectors; tap t of one lies tap_step after tap t - 1.
  void (*transform_weights)(const float* taps, int64_t tap_step, int64_t count, float* u,
                            int64_t point_step, int64_t u_step);
  // dw = G^T (sum of `groups` u) G, one vector, the taps tap_step apart, `channels` of it stored.
  void (*transform_weight_gradient)(const float* u, int64_t point_step, int64_t groups,
                                    int64_t group_step, float* dw, int64_t tap_step,
                                    int64_t channels);
};

// Those of the best SIMD level this process may use now.
const Kernels& kernels();

}  // namespace gatun::kernels::winograd
