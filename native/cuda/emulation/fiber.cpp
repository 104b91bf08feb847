#include "cuda/emulation/fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>

// Saves what a called function must leave as it is, and changes stacks.
#if defined(__x86_64__)
asm(R"(
.text
.hidden gatun_switch_stacks
.globl gatun_switch_stacks
.type gatun_switch_stacks, @function
gatun_switch_stacks:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size gatun_switch_stacks, .-gatun_switch_stacks
)");
extern "C" void gatun_switch_stacks(void** from, void* to);
#endif

namespace gatun::cuda::emulation {
namespace {
constexpr size_t kGuardBytes = 4096;  // below the stack, so that an overflow is a fault
}

void switch_context(Context& from, Context& to) {
#if defined(__x86_64__)
  gatun_switch_stacks(&from.stack, to.stack);
#else
  swapcontext(&from.state, &to.state);
#endif
}

Fiber::Fiber(void (*entry)()) : entry_(entry) {
  void* memory = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  memory_ = static_cast<std::byte*>(memory);
  mprotect(memory_, kGuardBytes, PROT_NONE);
  reset();
}

Fiber::~Fiber() { munmap(memory_, kStackBytes); }

void Fiber::reset() {
#if defined(__x86_64__)
  // Stacks lie a power of two apart. If they also began at the same place, those of a block would
  // take the few lines of the cache from each other with each switch.
  const size_t shift = reinterpret_cast<uintptr_t>(memory_) / kStackBytes % 128 * 320;
  auto* top = reinterpret_cast<void**>(memory_ + kStackBytes - shift);
  *--top = nullptr;  // the return address of entry, which keeps the stack aligned as after a call
  *--top = reinterpret_cast<void*>(entry_);
  for (int saved = 0; saved < 6; ++saved) *--top = nullptr;
  context_.stack = top;
#else
  getcontext(&context_.state);
  context_.state.uc_stack.ss_sp = memory_ + kGuardBytes;
  context_.state.uc_stack.ss_size = kStackBytes - kGuardBytes;
  context_.state.uc_link = nullptr;
  makecontext(&context_.state, entry_, 0);
#endif
}

}  // namespace gatun::cuda::emulation
