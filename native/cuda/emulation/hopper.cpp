#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cuda/emulation/engine.h"

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
