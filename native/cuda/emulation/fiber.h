// A stack of its own, to run a function on that may be left in the middle and gone on with later.
#pragma once

#include <cstddef>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace gatun::cuda::emulation {

// Where somebody has left off.
#if defined(__x86_64__)
struct Context {
  void* stack = nullptr;
};
#else
struct Context {
  ucontext_t state;
};
#endif

// Leaves off here, in `from`, and goes on at `to`.
void switch_context(Context& from, Context& to);

class Fiber {
 public:
  // `entry` never returns.
  explicit Fiber(void (*entry)());
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  Context& context() { return context_; }
  // From the start again; what was on the stack is forgotten.
  void reset();

 private:
  static constexpr size_t kStackBytes = 128 << 10;

  void (*const entry_)();
  std::byte* memory_;
  Context context_;
};

}  // namespace gatun::cuda::emulation
