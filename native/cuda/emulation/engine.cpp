#include "cuda/emulation/engine.h"

#include <cstring>
#include <deque>
#include <memory>
#include <mutex>

#include "cuda/emulation/fiber.h"
#include "cuda/emulation/shared_memory.h"

namespace gatun::cuda::emulation {

Place here;

namespace {

std::string at(const Dim& dim) {
  return "(" + std::to_string(dim.x) + ", " + std::to_string(dim.y) + ", " + std::to_string(dim.z) +
         ")";
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

class Engine {
 public:
  void run(const Grid& grid, const std::function<void()>& body);

  void barrier();
  void collective(uint32_t mask, const char* what, void* mine,
                  void (*complete)(void* const* lanes, uint32_t mask));
  SharedMemory& shared() { return shared_; }

 private:
  static constexpr int64_t kMostThreads = 1024;

  static void fiber_main();
  void run_block();
  // Runs threads from their beginning until one has to wait or none is left.
  void start_threads();
  void wait(const char* what);
  void wake(int thread) { ready_.push_back(thread); }
  [[noreturn]] void report_deadlock();
  Fiber& idle_fiber();
  void forget_fibers();

  std::mutex turn_;
  SharedMemory shared_;
  const std::function<void()>* body_ = nullptr;
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  std::vector<Fiber*> fiber_of_;  // of a started thread
  std::deque<int> ready_;         // threads that waited and may go on
  int unstarted_ = 0;  // threads 0 .. unstarted_ - 1 have not begun: the last ones go first
  int done_ = 0;
  int at_barrier_ = 0;
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

void Engine::start_threads() {
  Fiber* const self = running_;
  while (unstarted_ > 0 && !faulty_) {
    Thread& thread = threads_[--unstarted_];
    fiber_of_[thread.number] = self;
    here.thread = &thread;
    try {
      (*body_)();
    } catch (const Fault& failure) {
      fault_ = failure.text;
      faulty_ = true;
      return;
    }
    thread.done = true;
    ++done_;
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

void Engine::run(const Grid& grid, const std::function<void()>& body) {
  const std::lock_guard lock(turn_);
  const int64_t count = grid.threads.count();
  if (count < 1 || count > kMostThreads) {
    throw Fault{"a block of " + std::to_string(count) + " threads"};
  }
  body_ = &body;
  here.grid = grid;
  threads_.assign(static_cast<size_t>(count), {});
  fiber_of_.assign(static_cast<size_t>(count), nullptr);
  for (int i = 0; i < count; ++i) {
    const auto n = static_cast<uint32_t>(i);
    threads_[i].index = {n % grid.threads.x, n / grid.threads.x % grid.threads.y,
                         n / grid.threads.x / grid.threads.y};
    threads_[i].number = i;
    threads_[i].warp = i / kWarp;
    threads_[i].lane = i % kWarp;
  }
  // Backwards: a GPU promises no order.
  const Dim& blocks = grid.blocks;
  for (int64_t block = blocks.count() - 1; block >= 0; --block) {
    const auto n = static_cast<uint32_t>(block);
    here.block_index = {n % blocks.x, n / blocks.x % blocks.y, n / blocks.x / blocks.y};
    try {
      run_block();
    } catch (...) {
      forget_fibers();
      here.thread = nullptr;
      throw;
    }
  }
  here.thread = nullptr;
}

void Engine::run_block() {
  const int count = static_cast<int>(threads_.size());
  const int warps = (count + kWarp - 1) / kWarp;
  here.thread = nullptr;
  shared_.begin_block(here.grid.shared_bytes, warps);
  warps_.resize(static_cast<size_t>(warps));
  for (Warp& warp : warps_) warp.meetings.clear();
  for (Thread& thread : threads_) {
    thread.done = false;
    thread.waits_for = nullptr;
    thread.copies.clear();
    thread.copy_groups = 0;
  }
  ready_.clear();
  unstarted_ = count;
  done_ = 0;
  at_barrier_ = 0;
  faulty_ = false;
  while (done_ < count) {
    if (!ready_.empty()) {
      const int next = ready_.front();
      ready_.pop_front();
      running_ = fiber_of_[next];
    } else if (unstarted_ > 0) {
      running_ = &idle_fiber();
    } else {
      report_deadlock();
    }
    switch_context(scheduler_, running_->context());
    if (faulty_) throw Fault{fault_};
  }
}

void Engine::wait(const char* what) {
  Thread* const thread = here.thread;
  thread->waits_for = what;
  switch_context(running_->context(), scheduler_);
  here.thread = thread;
  thread->waits_for = nullptr;
}

void Engine::report_deadlock() {
  std::string text = "the block " + at(here.block_index) + " cannot go on: ";
  std::string first;
  int waiting = 0;
  for (const Thread& thread : threads_) {
    if (thread.done) continue;
    ++waiting;
    if (waiting <= 4) {
      first += (waiting == 1 ? "" : ", ") + std::string("thread ") + std::to_string(thread.number) +
               " waits for " + thread.waits_for;
    }
  }
  here.thread = nullptr;
  throw Fault{text + std::to_string(waiting) + " threads wait, " + std::to_string(done_) +
              " have returned (" + first + (waiting > 4 ? ", ..." : "") + ")"};
}

void Engine::barrier() {
  if (++at_barrier_ < static_cast<int>(threads_.size())) return wait("the barrier");
  at_barrier_ = 0;
  shared_.pass_barrier();
  for (const Thread& thread : threads_) {
    if (&thread != here.thread) wake(thread.number);
  }
}

void Engine::collective(uint32_t mask, const char* what, void* mine,
                        void (*complete)(void* const* lanes, uint32_t mask)) {
  const Thread& thread = *here.thread;
  const uint32_t bit = 1u << thread.lane;
  if ((mask & bit) == 0) {
    fault(std::string(what) + ": the mask does not name the lane that calls");
  }
  std::vector<Meeting>& meetings = warps_[thread.warp].meetings;
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
    if (lane != thread.lane && (mask >> lane & 1) != 0) wake(thread.warp * kWarp + lane);
  }
}

}  // namespace

void fault(const std::string& text) {
  if (here.thread == nullptr) throw Fault{text};
  throw Fault{text + " (thread " + at(here.thread->index) + " of block " + at(here.block_index) +
              ")"};
}

void run(const Grid& grid, const std::function<void()>& body) { engine().run(grid, body); }

void barrier() { engine().barrier(); }

void collective(uint32_t mask, const char* what, void* mine,
                void (*complete)(void* const* lanes, uint32_t mask)) {
  engine().collective(mask, what, mine, complete);
}

void sync_warp(uint32_t mask) {
  engine().collective(mask, "sync_warp", nullptr, [](void* const*, uint32_t met) {
    if (met == kWholeWarp) engine().shared().pass_warp(here.thread->warp);
  });
}

std::byte* shared_array(const void* key, int64_t bytes) {
  return engine().shared().array(key, bytes);
}

std::byte* dynamic_shared(int64_t byte_offset, int64_t bytes) {
  return engine().shared().dynamic(byte_offset, bytes);
}

void check_shared_read(const void* at, int64_t bytes, const char* name) {
  engine().shared().check_read(*here.thread, at, bytes, name);
}

void check_shared_write(const void* at, int64_t bytes, const char* name) {
  engine().shared().check_write(*here.thread, at, bytes, name);
}

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
