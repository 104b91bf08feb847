// The element-wise part of recurrent cells: from the gates' sums to the new state, and from its
// gradient to the gates'. f32. Each runs at the best SIMD level.
#pragma once

#include "kernels/recurrent.h"

namespace gatun::kernels {

// Some rows (sequences of a batch) by some units of an array: element (row r, value v, unit i) is
// at[r * row + v * value + i].
struct Part {
  float* at = nullptr;
  int64_t row = 0, value = 0;

  float* row_at(int64_t r) const { return at + r * row; }
};

struct ConstPart {
  const float* at = nullptr;
  int64_t row = 0, value = 0;

  ConstPart() = default;
  ConstPart(const float* p, int64_t by_row, int64_t by_value = 0)
      : at(p), row(by_row), value(by_value) {}
  ConstPart(const Part& p) : at(p.at), row(p.row), value(p.value) {}

  const float* row_at(int64_t r) const { return at + r * row; }
};

// The sums of gate g are x + product of value g. A cell whose last gate reads what the others have
// made goes through in two phases; the second has only the last gate's product, as value 0.
struct CellStep {
  Cell cell;
  int phase = 0;
  int64_t rows = 0, units = 0;
  ConstPart x = {}, product = {}, h = {}, skip = {};
  ConstPart read = {};  // the state as the weights read it, for phase 0 of two
  Part new_h = {}, c = {}, y = {}, reset = {};  // c in place
  Part saved = {};              // NULL where nothing is kept (never so in a cell of two phases)
  const float* bias = nullptr;  // nullable
  const float* mask = nullptr;  // nullable; one number per row, mask_step apart
};
void cell_step(const CellStep& step);

struct CellGradient {
  Cell cell;
  int phase = 0;
  int64_t rows = 0, units = 0;
  ConstPart dy = {}, y = {}, saved = {}, h = {}, read = {}, skip = {};
  ConstPart c = {};            // before the step
  Part dx = {}, dinside = {};  // of the gates' sums; of what the reset gate multiplies
  Part dh = {}, dc = {};       // in: of the state after the step; out: before it, but for products
  Part dread = {};             // phase 1 of two: in, of reset times read; out, of read
  Part reset = {};             // out, phase 0 of two: reset times read
  Part dskip = {};
  bool add_to_dskip = false;
  const float* mask = nullptr;
};
void cell_gradient(const CellGradient& gradient);

// y = a b, and y += a b (or y += a where b is NULL), element by element.
void multiply_all(float* y, const float* a, const float* b, int64_t count);
void add_product(float* y, const float* a, const float* b, int64_t count);

}  // namespace gatun::kernels
