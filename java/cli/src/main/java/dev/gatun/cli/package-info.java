/// The commands behind `./gatun`.
@NullMarked
package dev.gatun.cli;

import org.jspecify.annotations.NullMarked;
