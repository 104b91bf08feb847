/// Networks as descriptions: shapes, names, counts, and what their layers do in training and in
/// inference.
@NullMarked
package dev.gatun.net;

import org.jspecify.annotations.NullMarked;
