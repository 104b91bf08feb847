/// `./gatun bench peers`: Gatun and other libraries on the same work, each in a process of its own,
/// in turns. [Works] names the work, [Side] is who does it, [Worker] is the process around a side,
/// [PeersCommand] runs them against each other and writes a [Report].
@NullMarked
package dev.gatun.bench.peers;

import org.jspecify.annotations.NullMarked;
