// The one way a kernel runs. A kernel's launch function checks nothing (the ABI has), asks for
// scratch, and issues one or more parallel sections. An eager stream runs each section at once; a
// recording stream keeps it for the program. So bodies must capture by value, and read tensors,
// scalars in tensors included, only when they run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <new>
#include <type_traits>

#include "core/tensor.h"

namespace gatun {

// A place in the scratch memory that the running stream or program provides; see Context::at. What
// a program keeps lies in front of what its instructions share.
template <typename T>
struct Scratch {
  int64_t byte_offset = 0;
};

// What a task knows while it runs.
struct Context {
  std::byte* scratch = nullptr;
  int worker = 0;  // 0 .. workers - 1, each running at most one task at a time
  int workers = 1;

  template <typename T>
  T* at(Scratch<T> place) const {
    return reinterpret_cast<T*>(scratch + place.byte_offset);
  }
};

// What can be done with a section's body, the same for all bodies of a type.
struct BodyKind {
  void (*call)(const void* body, const Context&, int64_t task);
  size_t bytes;
  void (*copy)(void* to, const void* body);  // NULL: its bytes are all
  void (*destroy)(void* body) noexcept;      // NULL: nothing to do
};

template <typename F>
constexpr BodyKind body_kind() {
  static_assert(alignof(F) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
  BodyKind kind{[](const void* body, const Context& context, int64_t task) {
                  (*static_cast<const F*>(body))(context, task);
                },
                sizeof(F), nullptr, nullptr};
  if constexpr (!std::is_trivially_copyable_v<F>) {
    kind.copy = [](void* to, const void* body) { new (to) F(*static_cast<const F*>(body)); };
    kind.destroy = [](void* body) noexcept { static_cast<F*>(body)->~F(); };
  }
  return kind;
}

// A section's body that a program keeps. A std::function would have the code of each body once
// more.
class Body {
 public:
  Body(const void* body, const BodyKind& kind)
      : kind_(&kind), body_(::operator new(kind.bytes), Release{nullptr}) {
    if (kind.copy == nullptr) {
      std::memcpy(body_.get(), body, kind.bytes);
    } else {
      kind.copy(body_.get(), body);
    }
    body_.get_deleter().destroy = kind.destroy;
  }

 private:
  friend class BodyRef;

  struct Release {
    void (*destroy)(void*) noexcept;
    void operator()(void* body) const {
      if (destroy != nullptr) destroy(body);
      ::operator delete(body);
    }
  };

  const BodyKind* kind_;
  std::unique_ptr<void, Release> body_;
};

// A section's body where its caller has it: to be called at once without an allocation, or kept.
class BodyRef {
 public:
  template <typename F>
  BodyRef(const F& body) : body_(&body), kind_(&kKind<F>) {}  // implicit, for lambdas
  BodyRef(const Body& body) : body_(body.body_.get()), kind_(body.kind_) {}

  void operator()(const Context& context, int64_t task) const { kind_->call(body_, context, task); }
  Body keep() const { return {body_, *kind_}; }

 private:
  template <typename F>
  static constexpr BodyKind kKind = body_kind<F>();

  const void* body_;
  const BodyKind* kind_;
};

struct CudaTarget;
class Derivation;

class Launcher {
 public:
  virtual ~Launcher() = default;

  // Where an instruction goes that does not run on the CPU; see abi/launch.h.
  virtual const CudaTarget* cuda() const { return nullptr; }

  // Uninitialised, 64-byte aligned, shared by all workers, valid until the instruction's last
  // section has run.
  template <typename T>
  Scratch<T> scratch(int64_t count) {
    return {reserve(count * static_cast<int64_t>(sizeof(T)))};
  }

  // Runs body(context, 0 .. tasks - 1), each once, on any worker in any order; a section begins
  // when the former has ended. What a task computes must not depend on worker or workers, or
  // results would change with the number of threads (workers may only choose between private
  // scratch areas of equal content).
  virtual void parallel(int64_t tasks, BodyRef body) = 0;

  // How many workers the device has, to size private scratch and to choose how finely to cut.
  virtual int workers() const = 0;

  // For what is computed from these tensors alone (each may be NULL).
  Derivation derive(std::initializer_list<const Tensor*> sources);

 protected:
  virtual int64_t reserve(int64_t bytes) = 0;

  // Those of a program that may keep what it derives; see Derivation.
  virtual bool holds(const Tensor&) const { return false; }
  virtual int64_t reserve_kept(int64_t bytes) { return reserve(bytes); }
  virtual void derive_once(int64_t tasks, BodyRef body) { parallel(tasks, body); }

 private:
  friend class Derivation;
};

// Scratch memory and sections as those of its launcher. If a program holds all tensors that they
// depend on, the memory keeps its content from run to run, and the sections run in the first run
// and after a refresh only. They must read nothing else that changes.
class Derivation {
 public:
  Derivation(Launcher& launcher, bool kept) : launcher_(launcher), kept_(kept) {}

  template <typename T>
  Scratch<T> scratch(int64_t count) {
    const auto bytes = count * static_cast<int64_t>(sizeof(T));
    return {kept_ ? launcher_.reserve_kept(bytes) : launcher_.reserve(bytes)};
  }

  void parallel(int64_t tasks, BodyRef body) {
    if (kept_) {
      launcher_.derive_once(tasks, body);
    } else {
      launcher_.parallel(tasks, body);
    }
  }

 private:
  Launcher& launcher_;
  const bool kept_;
};

inline Derivation Launcher::derive(std::initializer_list<const Tensor*> sources) {
  bool kept = true;
  for (const Tensor* source : sources) kept &= source == nullptr || holds(*source);
  return {*this, kept};
}

}  // namespace gatun
