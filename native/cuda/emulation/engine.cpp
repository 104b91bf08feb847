#include "cuda/emulation/engine.h"

#include <cstring>
#include <deque>
#include <memory>
#include <mutex>

#include "cuda/emulation/fiber.h"
#include "cuda/emulation/global_memory.h"
#include "cuda/emulation/shared_memory.h"

namespace gatun::cuda::emulation {

Place here;

namespace {

std::string at(const Dim& dim) {
  std::string text = "(";
  text.append(std::to_string(dim.x)).append(", ").append(std::to_string(dim.y));
  return text.append(", ").append(std::to_string(dim.z)).append(")");
}

// Lanes of a warp that wait for each other.
struct Meeting {
  uint32_t mask;
  const char* what;
  uint32_t arrived = 0;
  void* lanes[kWarp] = {};
};

struct Warp {
  std::vector<Meeting> meetings;
};

}  // namespace

struct Block {
  int number = 0;  // of those that run at the same time
  Dim index{0, 0, 0};
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  SharedMemory shared;
  int done = 0;
  int at_barrier = 0;

  bool has_left() const { return done == static_cast<int>(threads.size()); }
};

namespace {

class Engine {
 public:
  void run(const Grid& grid, const std::function<void()>& body);

  void barrier();
  void cluster_barrier();
  std::byte* cluster_store(uint32_t n, const void* at, int64_t bytes, const char* name);
  void collective(uint32_t mask, const char* what, void* mine,
                  void (*complete)(void* const* lanes, uint32_t mask));
  void store_release(uint32_t* flag, uint32_t value);
  void wait_for(const uint32_t* flag, uint32_t value);
  void wait_at(const void* key, const char* what);
  void wake_at(const void* key);
  GlobalMemory& global() { return global_; }

 private:
  static constexpr int64_t kMostThreads = 1024;

  // A thread that waits for a flag.
  struct Watcher {
    const uint32_t* flag;
    uint32_t value;
    Thread* thread;
  };

  struct Sleeper {
    const void* key;
    Thread* thread;
  };

  static void fiber_main();
  void set_up(Block& block, int64_t number);
  // Runs the first `count` blocks, at the same time.
  void run_blocks(int count);
  // Runs threads from their beginning until one has to wait or none is left.
  void start_threads();
  void enter(Thread& thread);
  void wait(const char* what);
  void wake(Thread& thread) { ready_.push_back(&thread); }
  [[noreturn]] void report_deadlock(int count);
  Fiber& idle_fiber();
  void forget_fibers();

  std::mutex turn_;
  const std::function<void()>* body_ = nullptr;
  std::vector<std::unique_ptr<Block>> blocks_;
  GlobalMemory global_;
  std::vector<Watcher> watchers_;
  std::vector<Sleeper> sleepers_;
  int64_t at_cluster_barrier_ = 0;
  std::deque<Thread*> ready_;  // threads that waited and may go on
  // Of the threads of all blocks, 0 .. unstarted_ - 1 have not begun: the last ones go first.
  int64_t unstarted_ = 0;
  std::string fault_;
  bool faulty_ = false;

  Context scheduler_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> idle_;
  Fiber* running_ = nullptr;
};

// Never destroyed: fibers may not be unwound at exit.
Engine& engine() {
  static auto* const instance = new Engine;
  return *instance;
}

void Engine::fiber_main() {
  for (;;) {
    engine().start_threads();
    engine().idle_.push_back(engine().running_);
    switch_context(engine().running_->context(), engine().scheduler_);
  }
}

void Engine::enter(Thread& thread) {
  here.thread = &thread;
  here.block_index = thread.block->index;
}

void Engine::start_threads() {
  Fiber* const self = running_;
  while (unstarted_ > 0 && !faulty_) {
    const auto in_block = static_cast<int64_t>(blocks_[0]->threads.size());
    --unstarted_;
    Block& block = *blocks_[unstarted_ / in_block];
    Thread& thread = block.threads[unstarted_ % in_block];
    thread.fiber = self;
    enter(thread);
    try {
      (*body_)();
      thread.done = true;
      ++block.done;
      if (block.has_left()) block.shared.end_block();
    } catch (const Fault& failure) {
      fault_ = failure.text;
      faulty_ = true;
      return;
    }
    // The thread may have waited, and others may have been woken since.
    if (!ready_.empty()) return;
  }
}

Fiber& Engine::idle_fiber() {
  if (idle_.empty()) {
    fibers_.push_back(std::make_unique<Fiber>(&Engine::fiber_main));
    return *fibers_.back();
  }
  Fiber* const fiber = idle_.back();
  idle_.pop_back();
  return *fiber;
}

void Engine::forget_fibers() {
  idle_.clear();
  for (const auto& fiber : fibers_) {
    fiber->reset();
    idle_.push_back(fiber.get());
  }
}

void Engine::set_up(Block& block, int64_t number) {
  const Dim &blocks = here.grid.blocks, &threads = here.grid.threads;
  const auto n = static_cast<uint32_t>(number);
  block.index = {n % blocks.x, n / blocks.x % blocks.y, n / blocks.x / blocks.y};
  block.done = 0;
  block.at_barrier = 0;
  block.threads.assign(static_cast<size_t>(threads.count()), {});
  for (uint32_t i = 0; i < block.threads.size(); ++i) {
    Thread& thread = block.threads[i];
    thread.block = &block;
    thread.index = {i % threads.x, i / threads.x % threads.y, i / threads.x / threads.y};
    thread.number = static_cast<int>(i);
    thread.warp = static_cast<int>(i) / kWarp;
    thread.lane = static_cast<int>(i) % kWarp;
  }
  block.warps.assign((block.threads.size() + kWarp - 1) / kWarp, {});
  block.shared.begin_block(here.grid.shared_bytes, static_cast<int>(block.warps.size()));
}

void Engine::run(const Grid& grid, const std::function<void()>& body) {
  const std::lock_guard lock(turn_);
  const int64_t threads = grid.threads.count(), count = grid.blocks.count();
  if (threads < 1 || threads > kMostThreads) {
    throw Fault{"a block of " + std::to_string(threads) + " threads"};
  }
  const Dim& blocks = grid.blocks;
  if (blocks.x > kGridLimits.x || blocks.y > kGridLimits.y || blocks.z > kGridLimits.z) {
    throw Fault{"a grid of " + at(blocks) + " blocks, and " + at(kGridLimits) +
                " are the most along each axis"};
  }
  if (grid.cluster < 1 || grid.cluster > kMostInCluster || grid.blocks.x % grid.cluster != 0 ||
      (grid.cluster > 1 && grid.resident)) {
    throw Fault{"clusters of " + std::to_string(grid.cluster) + " blocks in " +
                (grid.resident ? "a resident grid of " : "a grid of ") + at(grid.blocks)};
  }
  body_ = &body;
  here.grid = grid;
  here.watched = grid.resident;
  here.thread = nullptr;
  const int64_t together = grid.resident ? count : grid.cluster;
  while (static_cast<int64_t>(blocks_.size()) < together) {
    blocks_.push_back(std::make_unique<Block>());
    blocks_.back()->number = static_cast<int>(blocks_.size()) - 1;
  }
  if (grid.resident) global_.begin_grid(static_cast<int>(count));
  try {
    // Backwards: a GPU promises no order.
    for (int64_t block = count - together; block >= 0; block -= together) {
      for (int64_t k = 0; k < together; ++k) set_up(*blocks_[k], block + k);
      run_blocks(static_cast<int>(together));
      here.thread = nullptr;
    }
  } catch (...) {
    forget_fibers();
    here.thread = nullptr;
    throw;
  }
}

void Engine::run_blocks(int count) {
  ready_.clear();
  watchers_.clear();
  sleepers_.clear();
  at_cluster_barrier_ = 0;
  unstarted_ = here.grid.threads.count() * count;
  faulty_ = false;
  const auto is_done = [&] {
    for (int k = 0; k < count; ++k) {
      if (!blocks_[k]->has_left()) return false;
    }
    return true;
  };
  while (!is_done()) {
    if (!ready_.empty()) {
      running_ = ready_.front()->fiber;
      ready_.pop_front();
    } else if (unstarted_ > 0) {
      running_ = &idle_fiber();
    } else {
      report_deadlock(count);
    }
    switch_context(scheduler_, running_->context());
    if (faulty_) throw Fault{fault_};
  }
}

void Engine::wait(const char* what) {
  Thread* const thread = here.thread;
  thread->waits_for = what;
  switch_context(running_->context(), scheduler_);
  enter(*thread);
  thread->waits_for = nullptr;
}

void Engine::report_deadlock(int count) {
  std::string first;
  int waiting = 0, done = 0;
  for (int k = 0; k < count; ++k) {
    const Block& block = *blocks_[k];
    done += block.done;
    for (const Thread& thread : block.threads) {
      if (thread.done) continue;
      ++waiting;
      if (waiting > 4) continue;
      first.append(waiting == 1 ? "" : ", ").append("thread ");
      first.append(std::to_string(thread.number));
      if (count > 1) first.append(" of block ").append(at(block.index));
      first.append(" waits for ").append(thread.waits_for);
    }
  }
  here.thread = nullptr;
  std::string who = count == 1 ? "the block " : here.watched ? "the grid" : "the cluster";
  if (count == 1) who += at(blocks_[0]->index);
  throw Fault{who + " cannot go on: " + std::to_string(waiting) + " threads wait, " +
              std::to_string(done) + " have returned (" + first + (waiting > 4 ? ", ..." : "") +
              ")"};
}

void Engine::barrier() {
  Block& block = *here.thread->block;
  if (++block.at_barrier < static_cast<int>(block.threads.size())) return wait("the barrier");
  block.at_barrier = 0;
  block.shared.pass_barrier();
  if (here.watched) global_.pass_barrier(block.number);
  for (Thread& thread : block.threads) {
    if (&thread != here.thread) wake(thread);
  }
}

void Engine::cluster_barrier() {
  if (here.grid.cluster == 1) fault("cluster_barrier: the launch has no clusters");
  if (++at_cluster_barrier_ < here.grid.threads.count() * here.grid.cluster) {
    return wait("the cluster's barrier");
  }
  at_cluster_barrier_ = 0;
  for (uint32_t n = 0; n < here.grid.cluster; ++n) {
    blocks_[n]->shared.pass_cluster_barrier();
    for (Thread& thread : blocks_[n]->threads) {
      if (&thread != here.thread) wake(thread);
    }
  }
}

std::byte* Engine::cluster_store(uint32_t n, const void* at, int64_t bytes, const char* name) {
  if (n >= here.grid.cluster) {
    fault("cluster_store: block " + std::to_string(n) + " of a cluster of " +
          std::to_string(here.grid.cluster));
  }
  const Block& mine = *here.thread->block;
  Block& other = *blocks_[n];
  std::byte* const to = other.shared.dynamic(mine.shared.offset(at), bytes);
  if (&other == &mine) {
    other.shared.check_write(*here.thread, to, bytes, name);
  } else {
    if (other.has_left()) fault("cluster_store: block " + std::to_string(n) + " has left");
    other.shared.check_cluster_store(*here.thread, mine.number, to, bytes, name);
  }
  return to;
}

void Engine::store_release(uint32_t* flag, uint32_t value) {
  if (!here.watched) fault("store_release: the grid is not resident");
  global_.release(here.thread->block->number, flag);
  *flag = value;
  for (size_t k = 0; k < watchers_.size();) {
    const Watcher& watcher = watchers_[k];
    if (watcher.flag == flag && value >= watcher.value) {
      wake(*watcher.thread);
      watchers_.erase(watchers_.begin() + static_cast<int64_t>(k));
    } else {
      ++k;
    }
  }
}

void Engine::wait_for(const uint32_t* flag, uint32_t value) {
  if (!here.watched) fault("wait_for: the grid is not resident");
  if (*flag < value) {
    watchers_.push_back({flag, value, here.thread});
    wait("a flag");
  }
  global_.acquire(here.thread->block->number, flag);
}

void Engine::wait_at(const void* key, const char* what) {
  sleepers_.push_back({key, here.thread});
  wait(what);
}

void Engine::wake_at(const void* key) {
  std::erase_if(sleepers_, [&](const Sleeper& sleeper) {
    if (sleeper.key == key) wake(*sleeper.thread);
    return sleeper.key == key;
  });
}

void Engine::collective(uint32_t mask, const char* what, void* mine,
                        void (*complete)(void* const* lanes, uint32_t mask)) {
  const Thread& thread = *here.thread;
  const uint32_t bit = 1u << thread.lane;
  if ((mask & bit) == 0) {
    fault(std::string(what) + ": the mask does not name the lane that calls");
  }
  std::vector<Meeting>& meetings = thread.block->warps[thread.warp].meetings;
  Meeting* meeting = nullptr;
  for (Meeting& other : meetings) {
    if ((other.mask & mask) == 0) continue;
    if (other.mask != mask || std::strcmp(other.what, what) != 0 || (other.arrived & bit) != 0) {
      fault(std::string(what) + ": other lanes of the mask are at a " + other.what +
            ", or name other lanes");
    }
    meeting = &other;
  }
  if (meeting == nullptr) meeting = &meetings.emplace_back(Meeting{mask, what});
  meeting->arrived |= bit;
  meeting->lanes[thread.lane] = mine;
  if (meeting->arrived != mask) return wait(what);
  const Meeting met = *meeting;
  meetings.erase(meetings.begin() + (meeting - meetings.data()));
  complete(met.lanes, mask);
  for (int lane = 0; lane < kWarp; ++lane) {
    if (lane == thread.lane || (mask >> lane & 1) == 0) continue;
    wake(thread.block->threads[thread.warp * kWarp + lane]);
  }
}

}  // namespace

void fault(const std::string& text) {
  if (here.thread == nullptr) throw Fault{text};
  throw Fault{text + " (thread " + at(here.thread->index) + " of block " + at(here.block_index) +
              ")"};
}

namespace {

std::string and_next(int64_t count) {
  return count > 1 ? " and the next " + std::to_string(count - 1) : "";
}

}  // namespace

void fault_outside(const char* what, int64_t first, int64_t count, int64_t size) {
  fault("out of bounds: " + std::string(what) + " of element " + std::to_string(first) +
        and_next(count) + " of a tensor of " + std::to_string(size));
}

void fault_outside_shared(const char* name, int64_t first, int64_t count, int64_t size) {
  fault("out of bounds: element " + std::to_string(first) + and_next(count) + " of shared memory " +
        name + " of " + std::to_string(size));
}

void fault_misaligned(const char* what, int64_t count) {
  fault(std::string(what) + " of " + std::to_string(count) +
        " elements from a place that is not aligned to their size");
}

void fault_misaligned_shared(const char* name, int64_t count) {
  fault(std::to_string(count) + " elements of shared memory " + name +
        " from a place that is not aligned to their size");
}

void fault_absent(const char* what, int lane, int from) {
  fault(std::string(what) + ": lane " + std::to_string(lane) + " reads lane " +
        std::to_string(from) + ", which does not take part");
}

void run(const Grid& grid, const std::function<void()>& body) { engine().run(grid, body); }

void barrier() { engine().barrier(); }

void cluster_barrier() { engine().cluster_barrier(); }

std::byte* cluster_store(uint32_t n, const void* at, int64_t bytes, const char* name) {
  return engine().cluster_store(n, at, bytes, name);
}

void collective(uint32_t mask, const char* what, void* mine,
                void (*complete)(void* const* lanes, uint32_t mask)) {
  engine().collective(mask, what, mine, complete);
}

namespace {

SharedMemory& shared() { return here.thread->block->shared; }

}  // namespace

void sync_warp(uint32_t mask) {
  engine().collective(mask, "sync_warp", nullptr, [](void* const*, uint32_t met) {
    if (met == kWholeWarp) shared().pass_warp(here.thread->warp);
  });
}

std::byte* shared_array(const void* key, int64_t bytes) { return shared().array(key, bytes); }

std::byte* dynamic_shared(int64_t byte_offset, int64_t bytes) {
  return shared().dynamic(byte_offset, bytes);
}

void check_shared_read(const void* at, int64_t bytes, const char* name) {
  shared().check_read(*here.thread, at, bytes, name);
}

void check_shared_write(const void* at, int64_t bytes, const char* name) {
  shared().check_write(*here.thread, at, bytes, name);
}

void watch_load(const void* at, int64_t bytes) {
  engine().global().check_load(here.thread->block->number, here.thread->number, at, bytes);
}

void watch_store(const void* at, int64_t bytes) {
  engine().global().check_store(here.thread->block->number, here.thread->number, at, bytes);
}

void store_release(uint32_t* flag, uint32_t value) { engine().store_release(flag, value); }

void wait_for(const uint32_t* flag, uint32_t value) { engine().wait_for(flag, value); }

void wait_at(const void* key, const char* what) { engine().wait_at(key, what); }
void wake_at(const void* key) { engine().wake_at(key); }

// Nobody may count on the bytes until they have been waited for: until then they are poison.
void copy_async(std::byte* to, const std::byte* from, int64_t bytes) {
  check_shared_write(to, bytes, "(copy_async)");
  std::memset(to, 0xff, static_cast<size_t>(bytes));
  here.thread->copies.push_back({to, from, bytes, here.thread->copy_groups});
}

void copy_async_commit() { ++here.thread->copy_groups; }

void copy_async_wait(int pending) {
  std::vector<PendingCopy>& copies = here.thread->copies;
  std::vector<PendingCopy> later;
  for (const PendingCopy& copy : copies) {
    if (copy.group >= here.thread->copy_groups - pending) {
      later.push_back(copy);
      continue;
    }
    check_shared_write(copy.to, copy.bytes, "(copy_async)");
    if (copy.from == nullptr) {
      std::memset(copy.to, 0, static_cast<size_t>(copy.bytes));
    } else {
      std::memcpy(copy.to, copy.from, static_cast<size_t>(copy.bytes));
    }
  }
  copies = std::move(later);
}

}  // namespace gatun::cuda::emulation
