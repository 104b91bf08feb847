package dev.gatun.data;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// Splits text into records and fields by RFC 4180: fields in quotes may hold separators, line ends
/// and doubled quotes. Lines end with LF or CRLF; those of nothing but white space are left out.
final class CsvReader {
  private static final int BLANKS = ' ';

  private final Path file;
  private final String text;
  private final char separator;
  private int at;
  private int line = 1;

  /// A record.
  ///
  /// @param line where it begins, from 1
  /// @param fields at least one
  record Row(int line, List<String> fields) {}

  /// A reader of `file`, which may be packed with gzip.
  ///
  /// @param separator between fields; a blank stands for any number of blanks and tabs
  /// @throws DataFormatException when it cannot be read or is not text in UTF-8
  CsvReader(Path file, char separator) {
    this.file = file;
    this.separator = separator;
    this.text = TextFile.read(file);
  }

  /// Leaves out the rest of the line.
  void skipLine() {
    int end = text.indexOf('\n', at);
    at = end < 0 ? text.length() : end + 1;
    line++;
  }

  /// The records that are left.
  ///
  /// @throws DataFormatException when quotes are not as they should be; the message names the line
  List<Row> rows() {
    List<Row> rows = new ArrayList<>();
    while (at < text.length()) {
      if (!passesBlankLine()) {
        rows.add(row());
      }
    }
    return rows;
  }

  /// Goes over a line of nothing but white space; whether there was one. Separators are no white
  /// space here: a line of tabs between which nothing stands is a record of empty fields.
  private boolean passesBlankLine() {
    int start = at;
    while (at < text.length() && isBlank(text.charAt(at))) {
      at++;
    }
    if (at < text.length() && !endsLine()) {
      at = start;
      return false;
    }
    endLine();
    return true;
  }

  private boolean isBlank(char c) {
    return (c == ' ' || c == '\t') && (separator == BLANKS || c != separator);
  }

  private Row row() {
    int start = line;
    List<String> fields = new ArrayList<>();
    blanks();
    while (true) {
      fields.add(text.startsWith("\"", at) ? quoted() : plain());
      if (!separated()) {
        break;
      }
    }
    endLine();
    return new Row(start, fields);
  }

  /// Goes over a separator; whether there was one.
  private boolean separated() {
    if (at == text.length() || endsLine()) {
      return false;
    }
    if (separator == BLANKS) {
      blanks();
      return at < text.length() && !endsLine();
    }
    at++;
    return true;
  }

  private String plain() {
    int start = at;
    while (at < text.length() && !endsLine() && !separates(text.charAt(at))) {
      if (text.charAt(at) == '"') {
        throw problem("quotes around the whole field expected, found them inside");
      }
      at++;
    }
    return text.substring(start, at);
  }

  private String quoted() {
    StringBuilder field = new StringBuilder();
    int start = line;
    at++;
    while (true) {
      int end = text.indexOf('"', at);
      if (end < 0) {
        throw new DataFormatException(
            file, "line " + start + ": the quotes that are opened here are not closed");
      }
      field.append(text, at, end);
      line += (int) text.substring(at, end).chars().filter(c -> c == '\n').count();
      at = end + 1;
      if (!text.startsWith("\"", at)) {
        break;
      }
      field.append('"');
      at++;
    }
    if (at < text.length() && !endsLine() && !separates(text.charAt(at))) {
      throw problem("a separator expected behind quotes, found " + text.charAt(at));
    }
    return field.toString();
  }

  private boolean separates(char c) {
    return c == separator || (separator == BLANKS && c == '\t');
  }

  private void blanks() {
    while (separator == BLANKS && at < text.length() && separates(text.charAt(at))) {
      at++;
    }
  }

  private boolean endsLine() {
    return text.startsWith("\n", at) || text.startsWith("\r\n", at);
  }

  private void endLine() {
    if (at < text.length()) {
      at += text.charAt(at) == '\r' ? 2 : 1;
      line++;
    }
  }

  private DataFormatException problem(String problem) {
    return new DataFormatException(file, "line " + line + ": " + problem);
  }
}
