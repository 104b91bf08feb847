// The steps of recurrent layers that are launched one by one.
#include "cuda/kernels/recurrent_step.h"

#include <gtest/gtest.h>

namespace gatun::cuda {
namespace {

// Sequences may be many more than an axis of few blocks has room for.
TEST(CudaRecurrentStep, FitsTheGridForMillionsOfSequences) {
  const SequenceLayout layout({.cell = gatun::kernels::Cell::LSTM,
                               .direction = gatun::kernels::Direction::BOTH,
                               .steps = 1,
                               .batch = int64_t{3} << 20,
                               .units = 20});
  const Grid grid = step_grid(layout);
  EXPECT_LE(grid.blocks.x, kGridLimits.x);
  EXPECT_LE(grid.blocks.y, kGridLimits.y);
  EXPECT_LE(grid.blocks.z, kGridLimits.z);
  EXPECT_EQ(grid.blocks.count(), (int64_t{3} << 20) / kSide * 2 * 2);
}

}  // namespace
}  // namespace gatun::cuda
