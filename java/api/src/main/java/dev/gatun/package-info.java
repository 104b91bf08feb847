/// What people write: tensors, nets, trainers.
@NullMarked
package dev.gatun;

import org.jspecify.annotations.NullMarked;
