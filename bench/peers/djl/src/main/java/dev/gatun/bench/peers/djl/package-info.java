/// DJL's side, on PyTorch's engine: eager, channels-last by transposed views.
@NullMarked
package dev.gatun.bench.peers.djl;

import org.jspecify.annotations.NullMarked;
