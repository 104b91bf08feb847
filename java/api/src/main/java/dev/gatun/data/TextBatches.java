package dev.gatun.data;

import java.util.Arrays;
import java.util.Objects;

/// A text in pieces for a recurrent model: it is cut into equal streams, and batch i has the i-th
/// `steps` characters of each, so that sequence n of a batch goes on where sequence n of the batch
/// before ended ([dev.gatun.Trainer#carryStates]). Targets are the characters that follow. What
/// does not fill a batch at the end of a stream is left out. Immutable.
public final class TextBatches {
  private final int[] tokens;
  private final int classes;
  private final int streams;
  private final int steps;
  private final int count;

  TextBatches(int[] tokens, int classes, int streams, int steps) {
    if (streams < 1 || steps < 1) {
      throw new IllegalArgumentException(
          "[text] expected at least 1 stream and 1 step, found %d and %d"
              .formatted(streams, steps));
    }
    this.tokens = tokens;
    this.classes = classes;
    this.streams = streams;
    this.steps = steps;
    this.count = length() / steps;
    if (count < 1) {
      throw new IllegalArgumentException(
          "[text] %d streams of %d steps need %d characters, found %d"
              .formatted(streams, steps, (long) streams * steps + 1, tokens.length));
    }
  }

  /// How many batches there are.
  public int count() {
    return count;
  }

  /// The characters of the alphabet.
  public int classes() {
    return classes;
  }

  /// Sequences in a batch.
  public int streams() {
    return streams;
  }

  /// Characters of each sequence in a batch.
  public int steps() {
    return steps;
  }

  /// The characters of a batch, `[streams, steps]`, in a new array.
  ///
  /// @throws IndexOutOfBoundsException when `batch` is not in `[0, count())`
  public int[] inputs(int batch) {
    return piece(batch, 0);
  }

  /// The character that follows each of a batch's, `[streams, steps]`, in a new array.
  ///
  /// @throws IndexOutOfBoundsException when `batch` is not in `[0, count())`
  public int[] targets(int batch) {
    return piece(batch, 1);
  }

  /// Of a stream; a target is needed behind the last.
  private int length() {
    return (tokens.length - 1) / streams;
  }

  private int[] piece(int batch, int shift) {
    Objects.checkIndex(batch, count);
    int[] piece = new int[streams * steps];
    Arrays.setAll(piece, i -> tokens[i / steps * length() + batch * steps + i % steps + shift]);
    return piece;
  }
}
