/// Tracing, differentiating, fusing and planning.
@NullMarked
package dev.gatun.graph;

import org.jspecify.annotations.NullMarked;
