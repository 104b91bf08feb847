#include "core/thread_pool.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <system_error>

#include "core/check.h"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <signal.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace gatun {
namespace {

// Between the sections of a step there are a few microseconds; a sleeping thread needs tens of them
// to come back. A worker whose spinning was in vain spins for half the time next, so that an idle
// or crowded machine is left alone.
constexpr int64_t kLongestSpinNanos = 50'000;
constexpr int64_t kShortestSpinNanos = 2'000;
// The caller waits for the end of tasks that are running: longer, since the next section begins
// right after.
constexpr int64_t kCallerSpinNanos = 100'000;

int64_t now_nanos() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#else
  std::this_thread::yield();
#endif
}

// Spins until done() or for `nanos`; says whether it is done.
template <typename Done>
bool spin(int64_t nanos, Done&& done) {
  if (done()) return true;
  const int64_t end = now_nanos() + nanos;
  do {
    for (int i = 0; i < 16; ++i) {
      pause();
      if (done()) return true;
    }
  } while (now_nanos() < end);
  return false;
}

// Threads inherit the mask of the thread that starts them. Signals sent to the process belong to
// its other threads (those of the JVM); what an instruction itself raises stays open, so that a
// crash is still reported.
class BlockSignals {
 public:
#if defined(__unix__) || defined(__APPLE__)
  BlockSignals() {
    sigset_t blocked;
    sigfillset(&blocked);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT}) {
      sigdelset(&blocked, fault);
    }
    pthread_sigmask(SIG_SETMASK, &blocked, &saved_);
  }
  ~BlockSignals() { pthread_sigmask(SIG_SETMASK, &saved_, nullptr); }

 private:
  sigset_t saved_;
#endif
};

void name_this_thread([[maybe_unused]] const std::string& name) {
#if defined(__linux__)
  pthread_setname_np(pthread_self(), name.c_str());
#endif
}

// What kernels need of a thread's stack, so that no step meets a page fault there.
[[gnu::noinline]] void touch_stack() {
  volatile char stack[64 << 10];
  for (size_t i = 0; i < sizeof(stack); i += 4096) stack[i] = 0;
}

}  // namespace

ThreadPool::ThreadPool(int workers) : workers_(workers) {}

ThreadPool::~ThreadPool() {
  stop_.store(true);
  alarm_.fetch_add(1);
  alarm_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::start_threads() {
  if (static_cast<int>(threads_.size()) == workers_ - 1) return;
  const BlockSignals block_signals;
  threads_.reserve(workers_ - 1);
  while (static_cast<int>(threads_.size()) < workers_ - 1) {
    const int worker = static_cast<int>(threads_.size()) + 1;
    try {
      threads_.emplace_back([this, worker] { work(worker); });
    } catch (const std::system_error& error) {
      fail(GT_DEVICE_FAILURE, "[device] cannot start thread ", worker, " of ", workers_ - 1, ": ",
           error.what());
    }
  }
}

void ThreadPool::run(int64_t tasks, const BodyRef& body, std::byte* scratch) {
  if (tasks <= 0) return;
  require(tasks <= kMaxTasks, "[device] a section has ", tasks, " tasks, more than ", kMaxTasks);
  if (tasks == 1 || workers_ == 1) {
    const Context context{scratch, 0, workers_};
    for (int64_t task = 0; task < tasks; ++task) body(context, task);
    return;
  }
  start_threads();
  body_ = &body;
  tasks_ = tasks;
  scratch_ = scratch;
  publish(tasks);
  int64_t left_to_others = tasks;
  for (Claim mine = claim(); mine.count > 0; mine = claim()) {
    run_tasks(mine, 0);
    left_to_others -= mine.count;
  }
  wait_for_workers(left_to_others);
  if (failed_.load(std::memory_order_relaxed)) {
    failed_.store(false, std::memory_order_relaxed);
    std::rethrow_exception(std::exchange(failure_, nullptr));
  }
}

// Sequential consistency here and in wait_for_work: either this thread sees the sleeper, or the
// sleeper sees the tasks.
void ThreadPool::publish(int64_t tasks) {
  finished_.store(0, std::memory_order_relaxed);
  const uint64_t section = (unclaimed_.load(std::memory_order_relaxed) >> 32) + 1;
  unclaimed_.store(section << 32 | static_cast<uint64_t>(tasks));
  const int sleepers = sleepers_.load();
  if (sleepers == 0) return;
  alarm_.fetch_add(1);
  if (tasks > sleepers) {
    alarm_.notify_all();
  } else {
    for (int64_t i = 1; i < tasks; ++i) alarm_.notify_one();
  }
}

// Large claims first, single tasks at the end: few collisions on the word, and an even end.
ThreadPool::Claim ThreadPool::claim() {
  uint64_t word = unclaimed_.load(std::memory_order_acquire);
  while (true) {
    const int64_t left = static_cast<int64_t>(word & 0xffff'ffff);
    if (left == 0) return {};
    const int64_t count = std::max<int64_t>(1, left / (4 * workers_));
    // The number of the section in the word makes a claim on a later section fail. After a claim
    // the section cannot end before its tasks have, so its fields are safe to read.
    if (unclaimed_.compare_exchange_weak(word, word - static_cast<uint64_t>(count),
                                         std::memory_order_acq_rel, std::memory_order_acquire)) {
      return {tasks_ - left, count};
    }
  }
}

void ThreadPool::run_tasks(Claim claim, int worker) {
  const Context context{scratch_, worker, workers_};
  try {
    for (int64_t i = 0; i < claim.count && !failed_.load(std::memory_order_relaxed); ++i) {
      (*body_)(context, claim.first + i);
    }
  } catch (...) {
    if (!failed_.exchange(true)) failure_ = std::current_exception();
  }
}

void ThreadPool::work(int worker) {
  name_this_thread("gatun-" + std::to_string(worker));
  const FlushDenormals flush;
  touch_stack();
  int64_t spin_nanos = kLongestSpinNanos;
  while (wait_for_work(spin_nanos)) {
    for (Claim mine = claim(); mine.count > 0; mine = claim()) {
      run_tasks(mine, worker);
      finished_.fetch_add(static_cast<int>(mine.count));
      if (caller_sleeps_.load()) finished_.notify_one();
    }
  }
}

// False if the pool stops.
bool ThreadPool::wait_for_work(int64_t& spin_nanos) {
  const auto ready = [&] {
    return (unclaimed_.load() & 0xffff'ffff) != 0 || stop_.load(std::memory_order_relaxed);
  };
  if (spin(spin_nanos, ready)) {
    spin_nanos = std::min(2 * spin_nanos, kLongestSpinNanos);
  } else {
    spin_nanos = std::max(spin_nanos / 2, kShortestSpinNanos);
    sleepers_.fetch_add(1);
    while (true) {
      const int alarm = alarm_.load();
      if (ready()) break;
      alarm_.wait(alarm);
    }
    sleepers_.fetch_sub(1);
  }
  return !stop_.load();
}

void ThreadPool::wait_for_workers(int64_t tasks) {
  const auto done = [&] { return finished_.load(std::memory_order_acquire) == tasks; };
  if (spin(kCallerSpinNanos, done)) return;
  // As above: either the worker sees that the caller sleeps, or the caller sees that the worker has
  // finished.
  caller_sleeps_.store(true);
  for (int finished = finished_.load(); finished != tasks; finished = finished_.load()) {
    finished_.wait(finished);
  }
  caller_sleeps_.store(false, std::memory_order_relaxed);
}

}  // namespace gatun
