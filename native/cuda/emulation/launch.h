// How the emulation launches a kernel.
#pragma once

#include "cuda/queue.h"

namespace gatun::cuda {

template <typename... Parameters>
Launch make_launch(void (*kernel)(Parameters...), const Grid& grid,
                   const std::tuple<Parameters...>& arguments) {
  return [=](void*) { emulation::run(grid, [&] { std::apply(kernel, arguments); }); };
}

}  // namespace gatun::cuda
