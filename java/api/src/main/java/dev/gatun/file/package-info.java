/// The file in which a model is kept: safetensors.
@NullMarked
package dev.gatun.file;

import org.jspecify.annotations.NullMarked;
