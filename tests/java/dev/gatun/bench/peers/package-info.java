/// Tests of the peer bench, with sides that only pretend.
@NullMarked
package dev.gatun.bench.peers;

import org.jspecify.annotations.NullMarked;
