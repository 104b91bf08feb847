package dev.gatun.backend.reference;

import java.util.List;

/// An instruction whose operands are checked: `loops` may run, once or many times. It holds all
/// scratch memory it needs, so running it allocates nothing, and it must not run twice at the same
/// time.
record Instruction(String op, List<Operand> operands, Runnable loops) {}
