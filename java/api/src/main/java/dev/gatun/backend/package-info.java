/// The instruction set and the memory that it works on. Everything that computes is a [Backend].
@NullMarked
package dev.gatun.backend;

import org.jspecify.annotations.NullMarked;
