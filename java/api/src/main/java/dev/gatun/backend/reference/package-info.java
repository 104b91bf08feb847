/// The backend in plain Java: the executable specification of the instruction set, the oracle of
/// the tests, and what runs where there is no native library. One file per family of instructions.
/// Each instruction is a static method that checks its operands and returns an [Instruction]: the
/// loops, ready to run. The loops read as the formulas in `gatun.h`, work in `double` and round
/// once, when they store.
@NullMarked
package dev.gatun.backend.reference;

import org.jspecify.annotations.NullMarked;
