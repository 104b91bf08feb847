// The order in which a GPU may do what it is asked for: what computes is one stream, copies beside
// it are another. The first is done as late as can be, when somebody waits for it; the second as
// late, or as early: when it is asked for. A wait that is missing then shows in the results.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>

namespace gatun::cuda::emulation {

class Streams {
 public:
  using Work = std::function<void()>;
  enum class Order { COPIES_LATE, COPIES_EARLY };

  // `forgets_joins`: a mistake, for tests.
  Streams(Order order, bool forgets_joins) : order_(order), forgets_joins_(forgets_joins) {}

  void compute(Work work);
  void copy(Work work);
  // What computes from here on comes after the copies so far.
  void join();
  // Does all that computes, and the copies that it comes after. If some work throws, what was to
  // compute after it is dropped.
  void finish();
  void finish_copies();

 private:
  void do_copies(int64_t until);

  const Order order_;
  const bool forgets_joins_;
  std::mutex mutex_;
  std::deque<Work> computations_, copies_;
  int64_t copies_asked_for_ = 0, copies_done_ = 0;
};

}  // namespace gatun::cuda::emulation
