// The machine's limits, for the peer bench: multiply-adds from registers, and traffic with memory.
// Arguments: numbers of threads. Prints a JSON array of {roof, threads, gigaPerSecond}, the best of
// several tries each.
#include <sys/mman.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace {

// Enough independent chains for a latency of four and two units.
constexpr int kChains = 12;
constexpr int64_t kRepeats = 500'000;
constexpr int64_t kFloatsPerThread = int64_t{24} << 20;  // 96 MiB, far above the caches
constexpr int kTries = 24;

volatile float sink;

// Vectors of the compiler's own kind, so that one loop serves every instruction set it is inlined
// into. The chains are spelled out by a fold: constant indices keep them in registers.
template <class V, size_t... I>
__attribute__((always_inline)) inline double multiply_add(std::index_sequence<I...>) {
  constexpr int lanes = sizeof(V) / sizeof(float);
  V a, b;
  for (int i = 0; i < lanes; ++i) {
    a[i] = 0.999999f;
    b[i] = 1e-6f;
  }
  V sums[] = {
      (b * static_cast<float>(I))...};  // different, else the compiler keeps one chain of them
  for (int64_t i = 0; i < kRepeats; ++i) ((sums[I] = sums[I] * a + b), ...);
  sink = (sums[I][0] + ...);
  return 2.0 * lanes * kChains * kRepeats;
}

constexpr std::make_index_sequence<kChains> kAll;

typedef float V64 __attribute__((vector_size(64)));
typedef float V32 __attribute__((vector_size(32)));
typedef float V16 __attribute__((vector_size(16)));

#if defined(__x86_64__)
__attribute__((target("avx512f"))) double f32_avx512() { return multiply_add<V64>(kAll); }
__attribute__((target("avx2,fma"))) double f32_avx2() { return multiply_add<V32>(kAll); }
double f32_sse() { return multiply_add<V16>(kAll); }

double f32_peak() {
  if (__builtin_cpu_supports("avx512f")) return f32_avx512();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return f32_avx2();
  return f32_sse();
}

bool has_bf16() { return __builtin_cpu_supports("avx512bf16"); }

template <size_t... I>
__attribute__((target("avx512f,avx512bf16"))) double bf16_chains(std::index_sequence<I...>) {
  const __m512bh a = (__m512bh)_mm512_set1_epi16(0x3f80);
  __m512 sums[] = {_mm512_set1_ps(static_cast<float>(I))...};
  for (int64_t i = 0; i < kRepeats; ++i) ((sums[I] = _mm512_dpbf16_ps(sums[I], a, a)), ...);
  sink = (_mm512_cvtss_f32(sums[I]) + ...);
  return 4.0 * 16 * kChains * kRepeats;
}

double bf16_peak() { return bf16_chains(kAll); }
#else
double f32_peak() { return multiply_add<V16>(kAll); }
bool has_bf16() { return false; }
double bf16_peak() { return 0; }
#endif

// A thread's own memory, on huge pages where the system gives them.
class Block {
 public:
  Block() {
    void* memory =
        mmap(nullptr, kBytes + kHuge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    start_ = memory;
    data_ =
        reinterpret_cast<float*>((reinterpret_cast<uintptr_t>(memory) + kHuge - 1) / kHuge * kHuge);
    madvise(data_, kBytes, MADV_HUGEPAGE);
    std::fill(data_, data_ + kFloatsPerThread, 1.0f);
  }
  ~Block() { munmap(start_, kBytes + kHuge); }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  float* data() { return data_; }

 private:
  static constexpr size_t kHuge = size_t{2} << 20;
  static constexpr size_t kBytes = kFloatsPerThread * sizeof(float);
  void* start_;
  float* data_;
};

struct Blocks {
  Block from, to;
};

#if defined(__x86_64__)
#define WIDE __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"), noinline))
#else
#define WIDE __attribute__((noinline))
#endif

WIDE double read(Blocks& blocks) {
  const float* data = blocks.from.data();
  V64 sums[8] = {};
  for (int64_t i = 0; i < kFloatsPerThread; i += 8 * 16) {
    for (int k = 0; k < 8; ++k) sums[k] += *reinterpret_cast<const V64*>(data + i + 16 * k);
  }
  float total = 0;
  for (V64& sum : sums) total += sum[0];
  sink = total;
  return 4.0 * kFloatsPerThread;
}

// Stores that bypass the caches where the compiler knows them: what a kernel with a large result
// does.
WIDE double copy(Blocks& blocks) {
  const float* from = blocks.from.data();
  float* to = blocks.to.data();
#if defined(__x86_64__)
  for (int64_t i = 0; i < kFloatsPerThread; i += 4) _mm_stream_ps(to + i, _mm_load_ps(from + i));
  _mm_sfence();
#else
  for (int64_t i = 0; i < kFloatsPerThread; ++i) to[i] = from[i];
#endif
  return 8.0 * kFloatsPerThread;
}

WIDE double in_place(Blocks& blocks) {
  float* data = blocks.from.data();
  for (int64_t i = 0; i < kFloatsPerThread; ++i) data[i] *= 1.0000001f;
  return 8.0 * kFloatsPerThread;
}

// The work with memory of the calling thread's own.
std::function<double()> on_memory(double (*work)(Blocks&)) {
  auto blocks = std::make_shared<Blocks>();
  return [work, blocks] { return work(*blocks); };
}

// The best rate, in units per second, of what `make` makes in each thread, done by all at the same
// time.
using Work = std::function<double()>;
double rate(int threads, const std::function<Work()>& make) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> amounts(threads);
  double best = 0;
  Clock::time_point begin, end;
  int at = 0;
  std::barrier together(threads, [&]() noexcept {
    if (at++ % 2 == 0) {
      begin = Clock::now();
      return;
    }
    end = Clock::now();
    double amount = 0;
    for (double one : amounts) amount += one;
    best = std::max(best, amount / std::chrono::duration<double>(end - begin).count());
  });
  std::vector<std::thread> workers;
  for (int worker = 0; worker < threads; ++worker) {
    workers.emplace_back([&, worker] {
      const Work work = make();
      for (int attempt = 0; attempt < kTries; ++attempt) {
        together.arrive_and_wait();
        amounts[worker] = work();
        together.arrive_and_wait();
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  return best;
}

void print(const char* roof, int threads, double rate) {
  static bool first = true;
  std::printf("%s\n  {\"roof\": \"%s\", \"threads\": %d, \"gigaPerSecond\": %.2f}",
              first ? "" : ",", roof, threads, rate * 1e-9);
  first = false;
}

}  // namespace

int main(int argc, char** argv) {
  std::printf("[");
  for (int i = 1; i < argc; ++i) {
    const int threads = std::atoi(argv[i]);
    if (threads < 1) {
      std::fprintf(stderr, "roofline: expected numbers of threads, found '%s'\n", argv[i]);
      return 2;
    }
    print("F32", threads, rate(threads, [] { return f32_peak; }));
    if (has_bf16()) print("BF16", threads, rate(threads, [] { return bf16_peak; }));
    print("READ", threads, rate(threads, [] { return on_memory(read); }));
    print("COPY", threads, rate(threads, [] { return on_memory(copy); }));
    print("IN_PLACE", threads, rate(threads, [] { return on_memory(in_place); }));
  }
  std::printf("\n]\n");
}
