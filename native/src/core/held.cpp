#include "core/held.h"

#include "core/check.h"

namespace gatun {

void Held::hold(const Tensor& tensor) {
  for (const Tensor& written : written_) {
    require(!overlap(tensor, written), "[stream_hold] an instruction writes the tensor ", tensor);
  }
  tensors_.push_back(tensor);
}

void Held::check(const char* op, std::span<const Use> uses) const {
  for (const Use& use : uses) {
    for (const Tensor& held : tensors_) {
      require(!use.written || !overlap(*use.tensor, held), "[", op, "] the tensor ", *use.tensor,
              " is held by the recording, and cannot be written");
    }
  }
}

void Held::note(std::span<const Use> uses) {
  for (const Use& use : uses) {
    if (use.written) written_.push_back(*use.tensor);
  }
}

}  // namespace gatun
