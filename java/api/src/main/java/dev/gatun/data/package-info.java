/// Labelled images: readers, a generated set, standardisation, augmentation, and the loader that
/// makes batches beside the training step.
@NullMarked
package dev.gatun.data;

import org.jspecify.annotations.NullMarked;
