/// A watcher of training that writes the files which TensorBoard reads.
@NullMarked
package dev.gatun.tensorboard;

import org.jspecify.annotations.NullMarked;
