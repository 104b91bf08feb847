/// TensorFlow's side: graphs with channels last, run by a session.
@NullMarked
package dev.gatun.bench.peers.tensorflow;

import org.jspecify.annotations.NullMarked;
