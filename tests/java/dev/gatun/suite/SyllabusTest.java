package dev.gatun.suite;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.Repository;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/// Each link of `docs/syllabus.md` leads to a file, and a name behind `#` stands in that file, in a
/// page as a heading.
class SyllabusTest {
  private static final Pattern LINK = Pattern.compile("]\\(([^)#]+)(?:#([^)]+))?\\)");

  @Test
  void noLinkIsDead() throws IOException {
    Path folder = Repository.file("docs");
    String page = Files.readString(folder.resolve("syllabus.md"), UTF_8);
    List<String> dead = new ArrayList<>();
    List<MatchResult> links = LINK.matcher(page).results().toList();
    for (MatchResult link : links) {
      Path file = folder.resolve(link.group(1)).normalize();
      String name = link.group(2);
      if (!Files.isRegularFile(file)) {
        dead.add(link.group(1) + ": there is no such file");
      } else if (name != null && !has(file, name)) {
        dead.add(link.group(1) + ": there is no " + name + " in it");
      }
    }
    assertTrue(links.size() > 100, links.size() + " links");
    assertEquals(List.of(), dead);
  }

  /// Every row of a table has its technique, a class and evidence.
  @Test
  void everyRowIsWhole() throws IOException {
    String page = Files.readString(Repository.file("docs/syllabus.md"), UTF_8);
    List<String> lame =
        page.lines()
            .filter(line -> line.startsWith("|") && !line.startsWith("|---"))
            .filter(line -> !line.equals("| | technique | class | evidence |"))
            .filter(
                line -> {
                  String[] cells = line.split("\\|", -1);
                  return cells.length != 6
                      || cells[2].isBlank()
                      || !cells[3].contains("](")
                      || !cells[4].contains("](");
                })
            .toList();
    assertEquals(List.of(), lame);
  }

  /// A page has a heading of this anchor, any other file a word.
  private static boolean has(Path file, String name) throws IOException {
    String text = Files.readString(file, UTF_8);
    return file.toString().endsWith(".md")
        ? text.lines()
            .filter(line -> line.startsWith("#"))
            .map(line -> line.replaceFirst("#+ ", "").toLowerCase(Locale.ROOT).replace(' ', '-'))
            .anyMatch(name::equals)
        : mentions(text, name);
  }

  private static boolean mentions(String text, String name) {
    return Pattern.compile("\\b" + Pattern.quote(name) + "\\b").matcher(text).find();
  }
}
