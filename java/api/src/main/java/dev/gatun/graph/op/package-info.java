/// The ops: each a record with its shape rule, its gradient rule and its lowering to one
/// instruction.
@NullMarked
package dev.gatun.graph.op;

import org.jspecify.annotations.NullMarked;
