/// Why a network does not train: what is measured of a batch, of short runs and of curves, and the
/// rules that find faults in it. [dev.gatun.Doctor] measures; everything here is data.
@NullMarked
package dev.gatun.diagnosis;

import org.jspecify.annotations.NullMarked;
