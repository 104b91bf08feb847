#include "cuda/emulation/shared_memory.h"

#include <algorithm>
#include <cstring>

namespace gatun::cuda::emulation {
namespace {

constexpr char kClusterBarrier[] = "cluster barrier";

constexpr int64_t align(int64_t offset) { return (offset + 127) / 128 * 128; }

}  // namespace

SharedMemory::SharedMemory() : memory_(kBytes), shadows_(kBytes / kGranule) {}

void SharedMemory::begin_block(int64_t dynamic_bytes, int warps) {
  std::memset(memory_.data(), 0xff, static_cast<size_t>(used_));
  arrays_.clear();
  dynamic_bytes_ = dynamic_bytes;
  used_ = align(dynamic_bytes);
  if (used_ > kBytes) fault("the launch asks for more shared memory than any GPU has");
  std::memset(memory_.data(), 0xff, static_cast<size_t>(used_));
  block_epoch_ = cluster_epoch_ = ++epoch_;
  warp_epochs_.assign(static_cast<size_t>(warps), 1);
}

void SharedMemory::end_block() {
  if (stored_epoch_ >= cluster_epoch_) {
    fault("the block leaves, and since the last cluster barrier block " +
          std::to_string(stored_by_) + " of the cluster has stored to its shared memory");
  }
}

std::byte* SharedMemory::array(const void* key, int64_t bytes) {
  for (const Array& array : arrays_) {
    if (array.key == key) return memory_.data() + array.offset;
  }
  const int64_t offset = used_;
  used_ = align(used_ + bytes);
  if (used_ > kBytes) fault("the block's arrays need more shared memory than any GPU has");
  std::memset(memory_.data() + offset, 0xff, static_cast<size_t>(used_ - offset));
  arrays_.push_back({key, offset, bytes});
  return memory_.data() + offset;
}

std::byte* SharedMemory::dynamic(int64_t byte_offset, int64_t bytes) {
  if (byte_offset < 0 || byte_offset + bytes > dynamic_bytes_) {
    fault("dynamic_shared: bytes " + std::to_string(byte_offset) + " to " +
          std::to_string(byte_offset + bytes) + " of " + std::to_string(dynamic_bytes_));
  }
  return memory_.data() + byte_offset;
}

template <typename F>
void SharedMemory::for_shadows(const void* at, int64_t bytes, F&& check) {
  const int64_t begin = offset(at);
  for (int64_t i = begin / kGranule; i * kGranule < begin + bytes; ++i) check(shadows_[i]);
}

void SharedMemory::race(const Thread& thread, const void* at, const char* name, const char* did,
                        int other, const char* other_did, int other_block,
                        const char* barrier) const {
  const int64_t place = offset(at);
  int64_t start = 0;
  for (const Array& array : arrays_) {
    if (array.offset <= place && place < array.offset + array.bytes) start = array.offset;
  }
  fault(
      "race on shared memory " + std::string(name) + ", byte " + std::to_string(place - start) +
      ": thread " + std::to_string(thread.number) + " " + did + " what " +
      (other < 0 ? "several threads" : "thread " + std::to_string(other)) +
      (other_block == kOwn ? "" : " of block " + std::to_string(other_block) + " of the cluster") +
      " " + other_did + " since the last " + barrier);
}

void SharedMemory::check_read(const Thread& thread, const void* at, int64_t bytes,
                              const char* name) {
  const uint32_t warp_epoch = warp_epochs_[thread.warp];
  for_shadows(at, bytes, [&](Shadow& s) {
    if (s.write_epoch < block_epoch_) {
      fault("shared memory " + std::string(name) + " is read before it is written");
    }
    if (is_foreign(s)) race(thread, at, name, "reads", s.writer, "wrote", s.block, kClusterBarrier);
    if (s.write_epoch == epoch_ && s.writer != thread.number &&
        (s.writer / kWarp != thread.warp || s.write_warp_epoch == warp_epoch)) {
      race(thread, at, name, "reads", s.writer, "wrote");
    }
    const auto warp = static_cast<int16_t>(thread.warp);
    const auto number = static_cast<int16_t>(thread.number);
    if (s.read_epoch != epoch_) {
      s.reader = number;
      s.reading_warp = warp;
    } else if (s.reading_warp != warp) {
      s.reading_warp = kManyWarps;
      s.reader = -1;
    } else if (s.reader != number) {
      s.reader = -1;
    }
    s.read_epoch = epoch_;
    s.read_warp_epoch = warp_epoch;
  });
}

void SharedMemory::check_write(const Thread& thread, const void* at, int64_t bytes,
                               const char* name) {
  const uint32_t warp_epoch = warp_epochs_[thread.warp];
  for_shadows(at, bytes, [&](Shadow& s) {
    if (is_foreign(s)) {
      race(thread, at, name, "writes", s.writer, "wrote", s.block, kClusterBarrier);
    }
    if (s.write_epoch == epoch_ && s.writer != thread.number &&
        (s.writer / kWarp != thread.warp || s.write_warp_epoch == warp_epoch)) {
      race(thread, at, name, "writes", s.writer, "wrote");
    }
    if (s.read_epoch == epoch_ && s.reader != thread.number &&
        (s.reading_warp != thread.warp || s.read_warp_epoch == warp_epoch)) {
      race(thread, at, name, "writes", s.reader, "read");
    }
    s.writer = static_cast<int16_t>(thread.number);
    s.block = kOwn;
    s.write_epoch = epoch_;
    s.write_warp_epoch = warp_epoch;
  });
}

void SharedMemory::check_cluster_store(const Thread& thread, int block, const void* at,
                                       int64_t bytes, const char* name) {
  if (cluster_epoch_ == block_epoch_) {
    fault("cluster_store: the other block may not have begun, for the cluster has not met yet");
  }
  for_shadows(at, bytes, [&](Shadow& s) {
    if (s.write_epoch >= cluster_epoch_ && (s.block != block || s.writer != thread.number)) {
      race(thread, at, name, "stores to the cluster over", s.writer, "wrote", s.block,
           kClusterBarrier);
    }
    if (s.read_epoch >= cluster_epoch_) {
      race(thread, at, name, "stores to the cluster over", s.reader, "read", kOwn, kClusterBarrier);
    }
    s.writer = static_cast<int16_t>(thread.number);
    s.block = static_cast<int16_t>(block);
    s.write_epoch = epoch_;
  });
  stored_epoch_ = epoch_;
  stored_by_ = block;
}

}  // namespace gatun::cuda::emulation
