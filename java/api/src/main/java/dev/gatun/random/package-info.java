/// Counter-based randomness, addressed by seed, stream and index: the same numbers on every machine
/// for every number of threads.
@NullMarked
package dev.gatun.random;

import org.jspecify.annotations.NullMarked;
