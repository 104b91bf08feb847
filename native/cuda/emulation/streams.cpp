#include "cuda/emulation/streams.h"

#include <utility>

namespace gatun::cuda::emulation {

void Streams::compute(Work work) {
  const std::lock_guard lock(mutex_);
  computations_.push_back(std::move(work));
}

void Streams::copy(Work work) {
  const std::lock_guard lock(mutex_);
  copies_.push_back(std::move(work));
  ++copies_asked_for_;
  if (order_ == Order::COPIES_EARLY) do_copies(copies_asked_for_);
}

void Streams::join() {
  const std::lock_guard lock(mutex_);
  if (forgets_joins_) return;
  computations_.emplace_back([this, until = copies_asked_for_] { do_copies(until); });
}

void Streams::finish() {
  const std::lock_guard lock(mutex_);
  std::deque<Work> computations = std::exchange(computations_, {});
  for (const Work& work : computations) work();
}

void Streams::finish_copies() {
  const std::lock_guard lock(mutex_);
  do_copies(copies_asked_for_);
}

void Streams::do_copies(int64_t until) {
  while (copies_done_ < until) {
    const Work work = std::move(copies_.front());
    copies_.pop_front();
    ++copies_done_;
    work();
  }
}

}  // namespace gatun::cuda::emulation
