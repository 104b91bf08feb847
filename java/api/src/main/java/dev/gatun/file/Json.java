package dev.gatun.file;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Reads JSON (RFC 8259), as far as headers need it: objects, arrays, strings and whole numbers of
/// 64 bits. A name that stands twice in an object, and anything behind the value but blanks, is
/// refused.
final class Json {
  private static final int MAX_DEPTH = 16;

  private final String text;
  private int at;

  private Json(String text) {
    this.text = text;
  }

  /// A `Map<String, Object>`, a `List<Object>`, a `String` or a `Long`.
  ///
  /// @throws IllegalArgumentException when the text is not such; the message says where
  static Object parse(String text) {
    Json json = new Json(text);
    Object value = json.value(0);
    json.blanks();
    if (json.at != text.length()) {
      throw json.unexpected("the end");
    }
    return value;
  }

  /// `text` in quotes, with what JSON does not allow in strings escaped.
  static String quote(String text) {
    StringBuilder quoted = new StringBuilder("\"");
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '"' || c == '\\') {
        quoted.append('\\').append(c);
      } else if (c < ' ') {
        quoted.append(String.format("\\u%04x", (int) c));
      } else {
        quoted.append(c);
      }
    }
    return quoted.append('"').toString();
  }

  private Object value(int depth) {
    blanks();
    char c = at < text.length() ? text.charAt(at) : 0;
    if (c == '"') {
      return string();
    }
    if (c == '-' || (c >= '0' && c <= '9')) {
      return number();
    }
    if ((c != '{' && c != '[') || depth == MAX_DEPTH) {
      throw unexpected("an object, array, string or whole number");
    }
    return c == '{' ? object(depth) : array(depth);
  }

  private Map<String, Object> object(int depth) {
    Map<String, Object> members = new LinkedHashMap<>();
    expect('{');
    blanks();
    while (!follows('}')) {
      if (!members.isEmpty()) {
        expect(',');
        blanks();
      }
      String name = string();
      blanks();
      expect(':');
      if (members.put(name, value(depth + 1)) != null) {
        throw new IllegalArgumentException(quote(name) + " stands twice");
      }
      blanks();
    }
    expect('}');
    return members;
  }

  private List<Object> array(int depth) {
    List<Object> elements = new ArrayList<>();
    expect('[');
    blanks();
    while (!follows(']')) {
      if (!elements.isEmpty()) {
        expect(',');
      }
      elements.add(value(depth + 1));
      blanks();
    }
    expect(']');
    return elements;
  }

  private Long number() {
    int start = at;
    if (follows('-')) {
      at++;
    }
    int first = at;
    while (at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9') {
      at++;
    }
    boolean padded = at > first + 1 && text.charAt(first) == '0';
    try {
      if (!padded) {
        return Long.valueOf(text.substring(start, at));
      }
    } catch (NumberFormatException e) {
      // said below
    }
    at = start;
    throw unexpected("a whole number of 64 bits");
  }

  private String string() {
    expect('"');
    StringBuilder content = new StringBuilder();
    while (!follows('"')) {
      char c = next();
      if (c < ' ') {
        at--;
        throw unexpected("a character of a string");
      }
      content.append(c == '\\' ? escaped() : c);
    }
    expect('"');
    return content.toString();
  }

  private char escaped() {
    char c = next();
    return switch (c) {
      case '"', '\\', '/' -> c;
      case 'b' -> '\b';
      case 'f' -> '\f';
      case 'n' -> '\n';
      case 'r' -> '\r';
      case 't' -> '\t';
      case 'u' -> (char) (16 * (16 * (16 * digit() + digit()) + digit()) + digit());
      default -> {
        at--;
        throw unexpected("an escape");
      }
    };
  }

  private int digit() {
    int digit = Character.digit(next(), 16);
    if (digit < 0) {
      at--;
      throw unexpected("a hexadecimal digit");
    }
    return digit;
  }

  private boolean follows(char c) {
    return at < text.length() && text.charAt(at) == c;
  }

  private void expect(char c) {
    if (!follows(c)) {
      throw unexpected("'" + c + "'");
    }
    at++;
  }

  private char next() {
    if (at == text.length()) {
      throw unexpected("the end of a string");
    }
    return text.charAt(at++);
  }

  private void blanks() {
    while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
      at++;
    }
  }

  private IllegalArgumentException unexpected(String expected) {
    String found =
        at < text.length() ? quote(String.valueOf(text.charAt(at))) : "the end of the text";
    return new IllegalArgumentException(
        expected + " expected at character " + at + ", found " + found);
  }
}
