// What a recording holds: see gt_stream_hold.
#pragma once

#include <span>
#include <vector>

#include "core/device.h"

namespace gatun {

class Held {
 public:
  // Throws if an instruction has written it.
  void hold(const Tensor& tensor);
  // Throws if an instruction would write what is held.
  void check(const char* op, std::span<const Use> uses) const;
  void note(std::span<const Use> uses);
  const std::vector<Tensor>& tensors() const { return tensors_; }

 private:
  std::vector<Tensor> tensors_, written_;
};

}  // namespace gatun
