package dev.gatun.data;

import java.nio.file.Path;
import java.util.Arrays;

/// A text as numbers of characters, to train language models on:
///
/// ```java
/// Text.Split text = Text.read(Path.of("book.txt")).split(0.1);
/// TextBatches batches = text.train().batches(32, 64);
/// int size = text.alphabet().size();
/// Net net = Net.tokens(64).embedding(size, 64).gru(256).dense(size);
/// ```
///
/// Immutable.
public final class Text {
  private final Alphabet alphabet;
  private final int[] tokens;

  private Text(Alphabet alphabet, int[] tokens) {
    this.alphabet = alphabet;
    this.tokens = tokens;
  }

  /// Two parts of a text, with the alphabet of the whole.
  ///
  /// @param train the beginning, to learn from
  /// @param heldOut the rest, to measure on
  public record Split(Text train, Text heldOut) {
    /// The characters of the whole.
    public Alphabet alphabet() {
      return train.alphabet();
    }
  }

  /// A text with its own characters for alphabet.
  ///
  /// @throws IllegalArgumentException when it is empty
  public static Text of(String text) {
    return of(text, Alphabet.of(text));
  }

  /// A text in a given alphabet, such as that of a model which is trained already.
  ///
  /// @throws IllegalArgumentException when it is empty or has characters that the alphabet lacks
  public static Text of(String text, Alphabet alphabet) {
    if (text.isEmpty()) {
      throw new IllegalArgumentException("[text] expected at least one character");
    }
    return new Text(alphabet, alphabet.encode(text));
  }

  /// The content of a file, text in UTF-8, which may be packed with gzip.
  ///
  /// @throws DataFormatException when it cannot be read, is empty, or is not text in UTF-8
  public static Text read(Path file) {
    String text = TextFile.read(file);
    if (text.isEmpty()) {
      throw new DataFormatException(file, "text expected, found none");
    }
    return of(text);
  }

  /// The characters, numbered.
  public Alphabet alphabet() {
    return alphabet;
  }

  /// How many characters the text has.
  public int length() {
    return tokens.length;
  }

  /// The numbers of its characters, in a new array.
  public int[] tokens() {
    return tokens.clone();
  }

  /// The text cut in two, of which the second part is this share of the whole.
  ///
  /// @throws IllegalArgumentException when a part would be empty
  public Split split(double heldOut) {
    int cut = tokens.length - (int) Math.round(heldOut * tokens.length);
    if (!(cut > 0 && cut < tokens.length)) {
      throw new IllegalArgumentException(
          "[text] expected a share that leaves characters in both parts of %d, found %s"
              .formatted(tokens.length, heldOut));
    }
    return new Split(
        new Text(alphabet, Arrays.copyOfRange(tokens, 0, cut)),
        new Text(alphabet, Arrays.copyOfRange(tokens, cut, tokens.length)));
  }

  /// The text in as many streams side by side, which go on from batch to batch, `steps` characters
  /// each: see [TextBatches].
  ///
  /// @throws IllegalArgumentException when the text is too short for one batch
  public TextBatches batches(int streams, int steps) {
    return new TextBatches(tokens, alphabet.size(), streams, steps);
  }
}
