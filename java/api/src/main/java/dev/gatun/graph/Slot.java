package dev.gatun.graph;

import dev.gatun.backend.Memory;

/// A place in memory.
///
/// @param memory the block
/// @param offset in bytes from its start
public record Slot(Memory memory, long offset) {}
