/// PyTorch's side, through JavaCPP: eager mode, channels-last, fused optimizers.
@NullMarked
package dev.gatun.bench.peers.pytorch;

import org.jspecify.annotations.NullMarked;
