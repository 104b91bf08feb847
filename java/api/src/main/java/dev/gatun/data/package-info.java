/// What networks are trained on. Labelled images: readers, a generated set, standardisation,
/// augmentation, and the loader that makes batches beside the training step. Rows of tables, and
/// other examples in memory. Texts.
@NullMarked
package dev.gatun.data;

import org.jspecify.annotations.NullMarked;
