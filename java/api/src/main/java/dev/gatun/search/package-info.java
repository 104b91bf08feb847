/// The search for hyper-parameters: grid, random, coarse to fine.
@NullMarked
package dev.gatun.search;

import org.jspecify.annotations.NullMarked;
