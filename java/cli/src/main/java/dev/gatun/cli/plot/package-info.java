/// Figures: what they show, computed by Gatun, and how they are drawn.
@NullMarked
package dev.gatun.cli.plot;

import org.jspecify.annotations.NullMarked;
