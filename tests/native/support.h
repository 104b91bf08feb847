// What the native tests share: arrays on the host, a launcher that runs kernels in this thread,
// devices and tensors behind the C ABI, SIMD levels, distances.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "core/bf16.h"
#include "core/launcher.h"
#include "core/simd_level.h"
#include "core/tensor.h"
#include "gatun.h"
#include "hwy/targets.h"

namespace gatun {
inline std::ostream& operator<<(std::ostream& out, Bf16 x) { return out << to_float(x); }
}  // namespace gatun

namespace gatun::test {

using Dims = std::vector<int64_t>;

inline int64_t count_of(const Dims& dims) {
  return std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<>());
}

template <typename T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, float>) return DType::F32;
  if constexpr (std::is_same_v<T, double>) return DType::F64;
  if constexpr (std::is_same_v<T, int32_t>) return DType::I32;
  if constexpr (std::is_same_v<T, int64_t>) return DType::I64;
  if constexpr (std::is_same_v<T, Bf16>) return DType::BF16;
  static_assert(sizeof(T) != 1 || std::is_same_v<T, uint8_t>);
  return DType::U8;
}

// A 64-byte aligned host array with a shape, copyable, for kernels that are called directly.
template <typename T>
class Array {
 public:
  explicit Array(Dims dims, T value = T{})
      : dims_(std::move(dims)), values_(count_of(dims_) + kPad, value) {}
  Array(Dims dims, const std::vector<T>& values) : Array(std::move(dims)) {
    EXPECT_EQ(count(), static_cast<int64_t>(values.size()));
    std::copy(values.begin(), values.end(), data());
  }
  Array(const Array& other) : Array(other.dims_) { *this = other; }
  Array& operator=(const Array& other) {
    dims_ = other.dims_;
    values_.resize(other.values_.size());
    std::copy(other.data(), other.data() + other.count(), data());
    return *this;
  }

  const Dims& dims() const { return dims_; }
  int64_t count() const { return count_of(dims_); }
  T* data() { return align(values_.data()); }
  const T* data() const { return align(const_cast<T*>(values_.data())); }
  T& operator[](int64_t i) { return data()[i]; }
  const T& operator[](int64_t i) const { return data()[i]; }
  std::vector<T> to_vector() const { return {data(), data() + count()}; }

  Tensor tensor() {
    Tensor t;
    t.data = data();
    t.dtype = dtype_of<T>();
    t.rank = static_cast<int32_t>(dims_.size());
    std::copy(dims_.begin(), dims_.end(), t.dims.begin());
    t.count = count();
    return t;
  }

 private:
  static constexpr int64_t kPad = 64 / sizeof(T);
  static T* align(T* p) {
    return reinterpret_cast<T*>((reinterpret_cast<uintptr_t>(p) + 63) & ~uintptr_t{63});
  }
  Dims dims_;
  std::vector<T> values_;
};

// Uniform in [low, high), the same for the same seed.
template <typename T>
Array<T> random_array(Dims dims, uint32_t seed = 1, double low = -1, double high = 1) {
  Array<T> a(std::move(dims));
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform(low, high);
  for (int64_t i = 0; i < a.count(); ++i) a[i] = static_cast<T>(uniform(random));
  return a;
}

// Runs sections at once in this thread, tasks backwards and on pretended workers in turn, with
// scratch full of NaN bytes: what leans on an order, on a worker or on zeroed scratch fails.
class SerialLauncher final : public Launcher {
 public:
  explicit SerialLauncher(int workers = 1) : workers_(workers) {}

  void parallel(int64_t tasks, BodyRef body) override {
    Context context;
    context.workers = workers_;
    context.scratch = memory_.get();
    for (int64_t task = tasks - 1; task >= 0; --task) {
      context.worker = static_cast<int>(task % workers_);
      body(context, task);
    }
  }

  int workers() const override { return workers_; }

 protected:
  int64_t reserve(int64_t bytes) override {
    const int64_t offset = used_;
    used_ += (bytes + 63) / 64 * 64;
    Memory larger(static_cast<std::byte*>(std::aligned_alloc(64, used_)), &std::free);
    std::memset(larger.get(), 0xff, used_);
    if (offset > 0) std::memcpy(larger.get(), memory_.get(), offset);
    memory_ = std::move(larger);
    return offset;
  }

 private:
  using Memory = std::unique_ptr<std::byte[], decltype(&std::free)>;
  int workers_;
  int64_t used_ = 0;
  Memory memory_{nullptr, &std::free};
};

// ---- Behind the C ABI

// Fails the test with the library's message if a call does not succeed.
#define EXPECT_OK(call) EXPECT_EQ((call), GT_OK) << gt_last_error_message()
#define ASSERT_OK(call) ASSERT_EQ((call), GT_OK) << gt_last_error_message()

// The call must fail with this status, and its message must contain `part`.
#define EXPECT_REFUSED(call, status, part)                                        \
  do {                                                                            \
    EXPECT_EQ((call), (status)) << #call;                                         \
    EXPECT_NE(std::string(gt_last_error_message()).find(part), std::string::npos) \
        << "message: " << gt_last_error_message();                                \
  } while (false)

// A device, the CPU unless another kind is asked for, with one stream.
class TestDevice {
 public:
  explicit TestDevice(int threads = 2, int32_t kind = GT_DEVICE_CPU) {
    EXPECT_OK(gt_device_create(&device_, kind, 0, threads));
    EXPECT_OK(gt_stream_create(&stream_, device_));
  }
  ~TestDevice() {
    gt_stream_destroy(stream_);
    gt_device_destroy(device_);
  }
  TestDevice(const TestDevice&) = delete;

  gt_device device() const { return device_; }
  gt_stream stream() const { return stream_; }

 private:
  gt_device device_ = nullptr;
  gt_stream stream_ = nullptr;
};

// A tensor in a buffer of its own; converts to gt_tensor.
template <typename T>
class TestTensor {
 public:
  TestTensor(const TestDevice& device, Dims dims) : dims_(std::move(dims)) {
    EXPECT_OK(gt_buffer_create(&buffer_, device.device(), bytes(), GT_MEMORY_DEVICE));
    EXPECT_OK(gt_tensor_create(&tensor_, buffer_, 0, static_cast<int32_t>(dtype_of<T>()),
                               static_cast<int32_t>(dims_.size()), dims_.data()));
  }
  TestTensor(const TestDevice& device, const Array<T>& values) : TestTensor(device, values.dims()) {
    write(values);
  }
  TestTensor(TestTensor&& other) noexcept
      : dims_(other.dims_),
        buffer_(std::exchange(other.buffer_, nullptr)),
        tensor_(std::exchange(other.tensor_, nullptr)) {}
  ~TestTensor() {
    gt_tensor_destroy(tensor_);
    gt_buffer_destroy(buffer_);
  }

  operator gt_tensor() const { return tensor_; }
  gt_buffer buffer() const { return buffer_; }
  const Dims& dims() const { return dims_; }
  void write(const Array<T>& values) {
    EXPECT_OK(gt_buffer_write(buffer_, 0, values.data(), bytes()));
  }
  Array<T> read() const {
    Array<T> values(dims_);
    EXPECT_OK(gt_buffer_read(buffer_, 0, values.data(), bytes()));
    return values;
  }

 private:
  int64_t bytes() const { return count_of(dims_) * static_cast<int64_t>(sizeof(T)); }
  Dims dims_;
  gt_buffer buffer_ = nullptr;
  gt_tensor tensor_ = nullptr;
};

// Calls check(level) at every SIMD level that is compiled in and that this machine has, best first.
template <typename F>
void for_each_simd_level(F&& check) {
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    const char* level = hwy::TargetName(target);
    SCOPED_TRACE(std::string("SIMD level ") + level);
    EXPECT_OK(gt_simd_level_limit(level));
    check(level);
  }
  EXPECT_OK(gt_simd_level_limit(""));
  if (may_use_tiles()) {
    SCOPED_TRACE("SIMD level AMX");
    EXPECT_OK(gt_simd_level_limit("AMX"));
    check("AMX");
  }
}

// ---- Distances

// Distance in units in the last place of f32; 0 for two NaN, very large if only one is.
inline int64_t ulps(float a, float b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b) ? 0 : int64_t{1} << 40;
  const auto ordered = [](float x) {
    const auto bits = static_cast<int64_t>(std::bit_cast<uint32_t>(x));
    return bits < 0x80000000 ? bits : 0x80000000 - bits;
  };
  return std::abs(ordered(a) - ordered(b));
}

// |actual - expected| <= absolute + relative |expected| everywhere; NaN and infinities must agree.
template <typename T, typename U>
void expect_close(const Array<T>& actual, const Array<U>& expected, double relative,
                  double absolute) {
  ASSERT_EQ(actual.dims(), expected.dims());
  for (int64_t i = 0; i < actual.count(); ++i) {
    const double a = static_cast<double>(actual[i]), e = static_cast<double>(expected[i]);
    if (a == e || (std::isnan(a) && std::isnan(e))) continue;
    ASSERT_LE(std::abs(a - e), absolute + relative * std::abs(e))
        << "element " << i << " is " << a << ", expected " << e;
  }
}

// The same bits everywhere.
template <typename T>
void expect_same_bits(const Array<T>& actual, const Array<T>& expected) {
  ASSERT_EQ(actual.dims(), expected.dims());
  for (int64_t i = 0; i < actual.count(); ++i) {
    ASSERT_EQ(std::memcmp(&actual[i], &expected[i], sizeof(T)), 0)
        << "element " << i << " is " << actual[i] << ", expected " << expected[i];
  }
}

}  // namespace gatun::test
