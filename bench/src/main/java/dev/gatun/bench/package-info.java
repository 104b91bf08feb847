/// Measurements: native against pure Java, per instruction and for a whole training step.
@NullMarked
package dev.gatun.bench;

import org.jspecify.annotations.NullMarked;
