package dev.gatun.data;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Texts as numbers, in streams.
class TextTest {
  @Test
  void alphabet_numbersCharactersInOrder() {
    Alphabet alphabet = Alphabet.of("banana 😀"); // the last is two chars
    assertEquals(5, alphabet.size());
    assertEquals(" abn😀", alphabet.toString());
    assertArrayEquals(new int[] {2, 1, 3, 4, 0}, alphabet.encode("ban😀 "));
    assertEquals("ban😀 ", alphabet.decode(2, 1, 3, 4, 0));
    assertEquals(alphabet, Alphabet.of("😀 nab"));
    assertEquals(
        "[alphabet] the character U+006F is not among the 5 known ones",
        assertThrows(IllegalArgumentException.class, () -> alphabet.encode("box")).getMessage());
    assertThrows(IllegalArgumentException.class, () -> Alphabet.of(""));
  }

  @Test
  void split_keepsTheAlphabetOfTheWhole() {
    Text.Split split = Text.of("aaaaaaaaab").split(0.1);
    assertEquals(9, split.train().length());
    assertArrayEquals(new int[] {1}, split.heldOut().tokens());
    assertEquals(2, split.alphabet().size());
    assertThrows(IllegalArgumentException.class, () -> Text.of("ab").split(0.01));
    assertThrows(IllegalArgumentException.class, () -> Text.of("ab").split(1));
  }

  /// 23 characters: two streams of 11, one batch of 5 steps after the other.
  @Test
  void batches_areStreamsThatGoOn() {
    Text text = Text.of("abcdefghijklmnopqrstuvw");
    TextBatches batches = text.batches(2, 5);
    assertEquals(2, batches.count());
    Alphabet alphabet = text.alphabet();
    assertEquals("abcdelmnop", alphabet.decode(batches.inputs(0)));
    assertEquals("bcdefmnopq", alphabet.decode(batches.targets(0)));
    assertEquals("fghijqrstu", alphabet.decode(batches.inputs(1)));
    assertEquals("ghijkrstuv", alphabet.decode(batches.targets(1)));
    assertThrows(IndexOutOfBoundsException.class, () -> batches.inputs(2));
  }

  /// Every character but the first is a target.
  @Test
  void batches_endWithTheText() {
    Text text = Text.of("abcdefghijklm");
    TextBatches batches = text.batches(3, 2);
    assertEquals(2, batches.count());
    assertEquals("cdghkl", text.alphabet().decode(batches.inputs(1)));
    assertEquals("dehilm", text.alphabet().decode(batches.targets(1)));
    assertEquals(
        "[text] 3 streams of 5 steps need 16 characters, found 13",
        assertThrows(IllegalArgumentException.class, () -> text.batches(3, 5)).getMessage());
    assertThrows(IllegalArgumentException.class, () -> text.batches(0, 5));
  }

  @Test
  void files_areUtf8(@TempDir Path folder) throws IOException {
    Path file = folder.resolve("text.txt");
    Files.writeString(file, "\uFEFFgrün", UTF_8);
    assertEquals("gnrü", Text.read(file).alphabet().toString());
    Files.write(file, new byte[] {'a', (byte) 0xFF});
    assertThrows(DataFormatException.class, () -> Text.read(file));
    Files.writeString(file, "");
    assertEquals(
        "[data] " + file + ": text expected, found none",
        assertThrows(DataFormatException.class, () -> Text.read(file)).getMessage());
    assertThrows(DataFormatException.class, () -> Text.read(folder.resolve("none")));
  }
}
