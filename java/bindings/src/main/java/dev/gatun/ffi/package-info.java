/// The bindings that jextract makes of `gatun.h` ([gatun_h]), the loader of the native library and
/// the few restricted operations on native memory that its users need. Nothing here knows what the
/// instructions mean.
@NullMarked
package dev.gatun.ffi;

import org.jspecify.annotations.NullMarked;
