/// Tensors as users meet them: eager, owned, printed.
@NullMarked
package dev.gatun.tensor;

import org.jspecify.annotations.NullMarked;
