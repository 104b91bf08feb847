package dev.gatun.backend.ffm;

import java.util.Comparator;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Collectors;

/// Who holds how much of a device's memory, for the message when it runs out.
final class Holders {
  static final String OTHERS = "others";

  private record Share(long bytes, int pieces) {}

  private final Map<String, Share> shares = new HashMap<>();

  synchronized void add(String holder, long bytes) {
    shares.merge(
        holder,
        new Share(bytes, 1),
        (a, b) -> new Share(a.bytes() + b.bytes(), a.pieces() + b.pieces()));
  }

  synchronized void remove(String holder, long bytes) {
    shares.computeIfPresent(
        holder,
        (_, share) ->
            share.pieces() == 1 ? null : new Share(share.bytes() - bytes, share.pieces() - 1));
  }

  /// `gradients 1000 bytes, tensors 300 bytes in 12 pieces`, the greatest first.
  @Override
  public synchronized String toString() {
    return shares.isEmpty()
        ? "nobody"
        : shares.entrySet().stream()
            .sorted(
                Map.Entry.<String, Share>comparingByValue(
                        Comparator.comparingLong(Share::bytes).reversed())
                    .thenComparing(Map.Entry.comparingByKey()))
            .map(entry -> describe(entry.getKey(), entry.getValue()))
            .collect(Collectors.joining(", "));
  }

  private static String describe(String holder, Share share) {
    String text = holder + " " + share.bytes() + " bytes";
    return share.pieces() == 1 ? text : text + " in " + share.pieces() + " pieces";
  }
}
