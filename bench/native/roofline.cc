// The machine's limits, for the peer bench: multiply-adds from registers, and traffic with memory.
// Arguments: numbers of threads. Prints a JSON array of {roof, threads, gigaPerSecond}, the best of
// several tries each. `roofline serve THREADS` reads names of roofs from standard input instead and
// answers each with its rate now, the median of a few tries.
#include <sys/mman.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif
#if defined(__linux__)
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace {

// Enough independent chains for a latency of four and two units.
constexpr int kChains = 12;
constexpr int64_t kRepeats = 500'000;
constexpr int64_t kFloatsPerThread = int64_t{24} << 20;  // 96 MiB, far above the caches
constexpr int kTries = 24;
constexpr int kTriesToServe = 5;

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

// The tile unit, where the system lets this process use it. Kernels take it then, so it is the
// roof.
bool has_tiles() {
#if defined(__linux__)
  static const bool has = [] {
    unsigned a = 0, b = 0, c = 0, d = 0;
    constexpr unsigned kBf16 = 1u << 22, kTile = 1u << 24;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
    if ((d & kBf16) == 0 || (d & kTile) == 0) return false;
    constexpr long kRequestPermission = 0x1023, kTileData = 18;
    return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  }();
  return has;
#else
  return false;
#endif
}

struct alignas(64) TileConfiguration {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

__attribute__((target("amx-tile,amx-bf16"))) double bf16_tiles() {
  static const TileConfiguration configuration;
  _tile_loadconfig(&configuration);
  // Sums in four tiles, of products of two by two more.
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_zero(4);
  _tile_zero(5);
  _tile_zero(6);
  _tile_zero(7);
  constexpr int64_t kSteps = kRepeats / 8;
  for (int64_t i = 0; i < kSteps; ++i) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_release();
  return 4.0 * kSteps * 2 * 16 * 16 * 32;
}

double bf16_peak() { return has_tiles() ? bf16_tiles() : bf16_chains(kAll); }
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

using Clock = std::chrono::steady_clock;

// Keeps the calling thread to the n-th processor that it may use, if there are `threads` of them:
// else two that wake each other may share one while another is idle.
void stay_on([[maybe_unused]] int n, [[maybe_unused]] int threads) {
#if defined(__linux__)
  cpu_set_t allowed, own;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) != threads) return;
  int processor = 0;
  while (!CPU_ISSET(processor, &allowed) || n-- > 0) ++processor;
  CPU_ZERO(&own);
  CPU_SET(processor, &own);
  sched_setaffinity(0, sizeof own, &own);
#endif
}

// Threads that do the same work at the same time, each on memory of its own.
class Team {
 public:
  explicit Team(int threads) : blocks_(threads) {}

  // Units per second, of all together, in each try; ascending.
  template <class Work>
  std::vector<double> rates(int tries, const Work& work) {
    const auto threads = static_cast<int>(blocks_.size());
    std::vector<double> amounts(threads), rates;
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
      rates.push_back(amount / std::chrono::duration<double>(end - begin).count());
    });
    rates.reserve(tries);
    std::vector<std::thread> workers;
    for (int worker = 0; worker < threads; ++worker) {
      workers.emplace_back([&, worker] {
        stay_on(worker, threads);
        for (int attempt = 0; attempt < tries; ++attempt) {
          together.arrive_and_wait();
          amounts[worker] = work(blocks_[worker]);
          together.arrive_and_wait();
        }
      });
    }
    for (std::thread& worker : workers) worker.join();
    std::sort(rates.begin(), rates.end());
    return rates;
  }

 private:
  std::vector<Blocks> blocks_;
};

struct Roof {
  const char* name;
  double (*work)(Blocks&);
};

std::vector<Roof> roofs() {
  std::vector<Roof> known = {{"F32", [](Blocks&) { return f32_peak(); }},
                             {"READ", read},
                             {"COPY", copy},
                             {"IN_PLACE", in_place}};
  if (has_bf16()) known.push_back({"BF16", [](Blocks&) { return bf16_peak(); }});
  return known;
}

int threads_from(const char* argument) {
  const int threads = std::atoi(argument);
  if (threads >= 1) return threads;
  std::fprintf(stderr, "roofline: expected a number of threads, found '%s'\n", argument);
  std::exit(2);
}

void serve(int threads) {
  Team team(threads);
  for (std::string name; std::getline(std::cin, name);) {
    double rate = 0;
    for (const Roof& roof : roofs()) {
      if (name == roof.name) rate = team.rates(kTriesToServe, roof.work)[kTriesToServe / 2];
    }
    std::printf("%.4f\n", rate * 1e-9);
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::string(argv[1]) == "serve") {
    serve(threads_from(argv[2]));
    return 0;
  }
  const char* separator = "[";
  for (int i = 1; i < argc; ++i) {
    const int threads = threads_from(argv[i]);
    Team team(threads);
    for (const Roof& roof : roofs()) {
      std::printf("%s\n  {\"roof\": \"%s\", \"threads\": %d, \"gigaPerSecond\": %.2f}", separator,
                  roof.name, threads, team.rates(kTries, roof.work).back() * 1e-9);
      separator = ",";
    }
  }
  std::printf("\n]\n");
}
