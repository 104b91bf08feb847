/// The suites that read the op table.
@NullMarked
package dev.gatun.suite;

import org.jspecify.annotations.NullMarked;
