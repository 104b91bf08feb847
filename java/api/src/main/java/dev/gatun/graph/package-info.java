/// The network as data: a graph of ops in SSA form, its gradients, its fusions, its memory plan.
@NullMarked
package dev.gatun.graph;

import org.jspecify.annotations.NullMarked;
