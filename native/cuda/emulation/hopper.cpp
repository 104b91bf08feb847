#include "cuda/hopper.h"

#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace gatun::cuda::emulation {
namespace {

struct Transfer {
  int bytes;
  std::function<void()> copy;
};

// A barrier in shared memory; phase n has the parity n % 2.
struct Barrier {
  int arrivals;       // that end a phase
  int missing;        // of the phase that runs
  int64_t bytes = 0;  // expected and not there
  uint32_t phase = 0;
  std::vector<Transfer> transfers = {};

  bool has_ended(uint32_t parity) const { return phase % 2 != parity; }
  bool end_phase() {
    if (missing > 0 || bytes != 0) return false;
    missing = arrivals;
    ++phase;
    return true;
  }
};

struct Product {
  int group;
  std::function<void()> multiply;
};
struct Products {
  int groups = 0;
  std::vector<Product> pending;
};

// Launches take turns, and blocks run one after the other in grids that are not resident and have
// no clusters.
std::map<const void*, Barrier> barriers;
std::map<int, Products> products;  // of a thread

Barrier& find(const void* at) {
  const auto found = barriers.find(at);
  if (found == barriers.end()) fault("a barrier that is not set up");
  return found->second;
}

}  // namespace

// By the documentation of cuTensorMapEncodeTiled and cuTensorMapEncodeIm2col.
void check_map(const TensorMap& map) {
  const auto expect = [](bool truth, const char* what) {
    if (!truth) throw Fault{std::string("a tensor that the copy engine cannot read: ") + what};
  };
  const bool windows = map.mode == TensorMap::Mode::IM2COL;
  expect(reinterpret_cast<uintptr_t>(map.data.data) % 16 == 0, "its address");
  for (int d = 0; d < map.rank; ++d) {
    expect(map.size[d] >= 1 && map.size[d] <= int64_t{1} << 32, "its size");
    const int64_t step = map.step[d] * 2;
    expect(d == 0 || (step % 16 == 0 && step > 0 && step < int64_t{1} << 40), "its step");
  }
  expect(map.lines >= 1 && map.lines <= (windows ? 1024 : 256), "lines of a copy");
  if (!windows) return;
  const auto expect_axis = [&](const TensorMap::Corners& box, int64_t size) {
    expect(box.step >= 1 && box.step <= 8, "windows' step");
    for (const int64_t corner : {box.lower, box.upper}) {
      expect(corner >= -128 && corner <= 127, "a corner beyond 8 bits");
    }
    expect(box.lower <= size - 1 + box.upper, "a box without pixels");
  };
  expect_axis(map.columns, map.size[1]);
  expect_axis(map.rows, map.size[2]);
}

// By PTX ISA, "Im2col mode".
std::vector<WindowCorner> corners_from(const TensorMap& map, const WindowCorner& first) {
  const int64_t right = map.size[1] - 1 + map.columns.upper;
  const int64_t bottom = map.size[2] - 1 + map.rows.upper;
  int64_t column = first.column, row = first.row, image = first.image;
  if (column < map.columns.lower || column > right || row < map.rows.lower || row > bottom) {
    fault("transfer: a window's first tap outside the box");
  }
  std::vector<WindowCorner> corners;
  for (int i = 0; i < map.lines; ++i) {
    corners.push_back({first.channel, static_cast<int32_t>(column), static_cast<int32_t>(row),
                       static_cast<int32_t>(image)});
    column += map.columns.step;
    if (column <= right) continue;
    column = map.columns.lower;
    row += map.rows.step;
    if (row <= bottom) continue;
    row = map.rows.lower;
    ++image;
  }
  return corners;
}

// The first one of a block forgets those of the block before.
void set_up_barrier(void* barrier, int arrivals) {
  if (here.watched) fault("set_up_barrier: the grid is resident");
  if (here.grid.cluster > 1) fault("set_up_barrier: the grid has clusters");
  barriers.erase(barrier);
  barriers.emplace(barrier, Barrier{arrivals, arrivals});
  products.clear();
}

void arrive(void* barrier, int bytes) {
  Barrier& b = find(barrier);
  if (b.missing == 0) fault("arrive: all of the phase have arrived");
  b.bytes += bytes;
  --b.missing;
  if (b.end_phase()) wake_at(barrier);
}

void wait_for_phase(void* barrier, uint32_t parity) {
  Barrier& b = find(barrier);
  for (;;) {
    if (b.has_ended(parity)) return;
    for (const Transfer& transfer : std::exchange(b.transfers, {})) {
      transfer.copy();
      b.bytes -= transfer.bytes;
    }
    if (b.end_phase()) {
      wake_at(barrier);
    } else {
      wait_at(barrier, "a phase of a barrier");
    }
  }
}

void transfer(std::byte* to, void* barrier, int bytes, std::function<void()> copy) {
  std::memset(to, 0xff, static_cast<size_t>(bytes));
  find(barrier).transfers.push_back({bytes, std::move(copy)});
  wake_at(barrier);  // who waits takes it
}

void multiply_async(std::function<void()> product) {
  Products& mine = products[here.thread->number];
  mine.pending.push_back({mine.groups, std::move(product)});
}

void commit_products() { ++products[here.thread->number].groups; }

void wait_for_products(int pending) {
  Products& mine = products[here.thread->number];
  std::vector<Product> later;
  for (Product& product : mine.pending) {
    if (product.group >= mine.groups - pending) {
      later.push_back(std::move(product));
    } else {
      product.multiply();
    }
  }
  mine.pending = std::move(later);
}

}  // namespace gatun::cuda::emulation
