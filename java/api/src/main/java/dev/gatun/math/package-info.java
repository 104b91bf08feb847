/// Small numerical algorithms in double precision, for what is fitted rather than trained.
@NullMarked
package dev.gatun.math;

import org.jspecify.annotations.NullMarked;
