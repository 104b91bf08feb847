/// DL4J's side: ND4J's operations, single ones only. Its networks take tens of times as long as the
/// other libraries', so they are left out.
@NullMarked
package dev.gatun.bench.peers.dl4j;

import org.jspecify.annotations.NullMarked;
