/// The backend on the native library: each instruction is one call into the bindings.
@NullMarked
package dev.gatun.backend.ffm;

import org.jspecify.annotations.NullMarked;
