/// Training: what a step computes, what a run repeats, what both cost, and how their memory ends.
@NullMarked
package dev.gatun.train;

import org.jspecify.annotations.NullMarked;
