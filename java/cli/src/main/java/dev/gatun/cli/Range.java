package dev.gatun.cli;

import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/// Numbers greater than 0 from one to another, written `1e-4..1e-1`.
record Range(double low, double high) {
  static final class Converter implements ITypeConverter<Range> {
    @Override
    public Range convert(String text) {
      String[] ends = text.split("\\.\\.", -1);
      if (ends.length == 2) {
        try {
          Range range = new Range(Double.parseDouble(ends[0]), Double.parseDouble(ends[1]));
          if (range.low > 0 && range.low < range.high && Double.isFinite(range.high)) {
            return range;
          }
        } catch (NumberFormatException e) {
          // told below
        }
      }
      throw new TypeConversionException(
          "expected LOW..HIGH, such as 1e-4..1e-1, found '" + text + "'");
    }
  }
}
