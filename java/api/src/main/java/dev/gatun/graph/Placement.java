package dev.gatun.graph;

/// Where a value lives: for a leaf, where it is found; for a result, where it is to be stored.
///
/// @param value the leaf or result
/// @param slot its place
public record Placement(Value value, Slot slot) {}
