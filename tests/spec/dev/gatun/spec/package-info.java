/// The op table: what every op is tried with, and what it promises. Suites and benchmarks read it;
/// it knows none of them.
@NullMarked
package dev.gatun.spec;

import org.jspecify.annotations.NullMarked;
