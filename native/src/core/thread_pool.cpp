#include "core/thread_pool.h"

#include <algorithm>
#include <chrono>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include "core/affinity.h"
#include "core/check.h"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <signal.h>
#endif
#if defined(__linux__)
#include <sys/resource.h>
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
// How often workers look whether they are disturbed, and how long that counts.
constexpr int64_t kLookNanos = 10'000'000;
constexpr int64_t kDisturbedNanos = 1'000'000'000;

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

// What a thread loses to others: it was not done, and yet had to leave its processor. A kernel's
// thread of the system does that now and then, another program all the time.
class Disturbances {
 public:
  // Whether there were many since the last look.
  bool look() {
#if defined(__linux__)
    rusage usage{};
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nivcsw - std::exchange(seen_, usage.ru_nivcsw) >= kMany;
  }

 private:
  static constexpr long kMany = 2;
  long seen_ = 0;
#else
    return false;
  }
#endif
};

// What kernels need of a thread's stack, so that no step meets a page fault there.
[[gnu::noinline]] void touch_stack() {
  volatile char stack[64 << 10];
  for (size_t i = 0; i < sizeof(stack); i += 4096) stack[i] = 0;
}

}  // namespace

ThreadPool::ThreadPool(int workers)
    : workers_(workers), disturbed_nanos_(now_nanos() - 2 * kDisturbedNanos) {}

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
  place_threads();
}

void ThreadPool::place_threads() {
  std::vector<int> places = allowed_processors();
  if (static_cast<int>(places.size()) != workers_) return;
  const auto here = std::find(places.begin(), places.end(), current_processor());
  if (here == places.end()) return;
  std::iter_swap(places.begin(), here);
  places_ = std::move(places);
  settle();
}

// At the beginning of a turn.
void ThreadPool::settle() {
  if (places_.empty()) return;
  const int64_t quiet = now_nanos() - disturbed_nanos_.load(std::memory_order_relaxed);
  const bool keep = quiet > kDisturbedNanos;
  if (keep != keeps_places_) {
    keeps_places_ = keep;
    for (int worker = 1; worker < workers_; ++worker) {
      allow_processors(threads_[worker - 1],
                       keep ? std::span(&places_[worker], 1) : std::span<const int>(places_));
    }
  }
  if (keep) make_room_for_caller();
}

// A worker cannot leave its processor while the caller is there, and the system may take long to
// move the caller.
void ThreadPool::make_room_for_caller() {
  const int here = current_processor();
  if (here == places_[0]) return;
  const auto taken = std::find(places_.begin(), places_.end(), here);
  if (taken == places_.end()) return;
  std::swap(*taken, places_[0]);
  allow_processors(threads_[taken - places_.begin() - 1], std::span(&*taken, 1));
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
  int64_t spin_nanos = kLongestSpinNanos, next_look = 0;
  Disturbances disturbances;
  while (wait_for_work(spin_nanos)) {
    for (Claim mine = claim(); mine.count > 0; mine = claim()) {
      run_tasks(mine, worker);
      finished_.fetch_add(static_cast<int>(mine.count));
      if (caller_sleeps_.load()) finished_.notify_one();
    }
    if (const int64_t now = now_nanos(); now > next_look) {
      if (disturbances.look()) disturbed_nanos_.store(now, std::memory_order_relaxed);
      next_look = now + kLookNanos;
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
