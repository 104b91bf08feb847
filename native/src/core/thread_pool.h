// Runs parallel sections. The calling thread is worker 0 and works too; the others claim tasks from
// an atomic word, so a worker that the system has put aside holds nobody up unless it is inside a
// task. If the pool fills all processors that the process may use, each of the others keeps to one
// of them, and makes room when the caller comes to be there; otherwise, and as long as other
// programs take processors from workers, the system places them, for it knows who else is about.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "core/flush_denormals.h"
#include "core/launcher.h"

namespace gatun {

class ThreadPool {
 public:
  static constexpr int kMaxWorkers = 1024;
  static constexpr int64_t kMaxTasks = (int64_t{1} << 31) - 1;

  // Threads start with the first section that needs them.
  explicit ThreadPool(int workers);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int workers() const { return workers_; }

  // The right to run sections: one thread has it at a time, others wait in the constructor.
  class Turn {
   public:
    explicit Turn(ThreadPool& pool) : pool_(pool), lock_(pool.turn_) { pool.settle(); }

    // Runs body(context, 0 .. tasks - 1) and waits. Rethrows the first exception of a task; tasks
    // not yet begun by then are left out.
    void run(int64_t tasks, BodyRef body, std::byte* scratch) { pool_.run(tasks, body, scratch); }

   private:
    ThreadPool& pool_;
    std::unique_lock<std::mutex> lock_;
    FlushDenormals flush_;
  };

 private:
  struct Claim {
    int64_t first = 0;
    int64_t count = 0;
  };

  void run(int64_t tasks, const BodyRef& body, std::byte* scratch);
  void start_threads();
  void place_threads();
  void settle();
  void make_room_for_caller();
  void work(int worker);
  Claim claim();
  void run_tasks(Claim claim, int worker);
  void publish(int64_t tasks);
  bool wait_for_work(int64_t& spin_nanos);
  void wait_for_workers(int64_t tasks);

  const int workers_;
  std::mutex turn_;
  std::vector<std::thread> threads_;
  std::vector<int> places_;  // the processor of each worker, [0] left to the caller; or none
  bool keeps_places_ = false;

  // The section in progress. Written by the caller before `unclaimed_`, read by those who claimed a
  // task of it.
  const BodyRef* body_ = nullptr;
  int64_t tasks_ = 0;
  std::byte* scratch_ = nullptr;
  std::exception_ptr failure_;  // guarded by failed_: who sets it writes it

  // High half: number of the section; low half: its tasks that nobody has claimed, which are the
  // last ones.
  alignas(64) std::atomic<uint64_t> unclaimed_{0};
  // Tasks of the section that threads other than the caller have finished.
  alignas(64) std::atomic<int> finished_{0};
  std::atomic<bool> failed_{false};
  std::atomic<bool> caller_sleeps_{false};
  alignas(64) std::atomic<int> sleepers_{0};
  std::atomic<int> alarm_{0};
  std::atomic<bool> stop_{false};
  // When a worker last saw that its processor was taken from it.
  std::atomic<int64_t> disturbed_nanos_;
};

}  // namespace gatun
