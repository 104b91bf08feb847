package dev.gatun.diagnosis;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// Labels that outputs do not know, that say nothing, or that come sorted.
final class LabelRule implements Rule {
  private static final double IMBALANCE = 0.8;

  @Override
  public List<Finding> apply(Examination examination) {
    DataReading data = examination.data();
    if (data == null || data.values() != null) {
      return List.of();
    }
    List<Finding> findings = new ArrayList<>();
    Map<Integer, Long> labels = data.labels();
    long all = labels.values().stream().mapToLong(Long::longValue).sum();
    List<Integer> outside =
        labels.keySet().stream().filter(label -> label >= data.classes()).sorted().toList();
    if (data.classes() > 1 && !outside.isEmpty()) {
      findings.add(
          Finding.severe(
              "labels outside the classes",
              "",
              "%d classes, and labels %s"
                  .formatted(
                      data.classes(), Words.names(outside.stream().map(Object::toString).toList())),
              "outputs have no place for them; labels count from 0",
              "dense(%d) at the end of the network, or labels from 0 on"
                  .formatted(outside.getLast() + 1)));
      return findings;
    }
    if (all == 0) {
      findings.add(
          Finding.severe(
              "labels all ignored",
              "",
              "all %d labels are negative".formatted(data.ignored()),
              "rows with negative labels do not count, so the loss has no gradient",
              "labels from 0 on"));
      return findings;
    }
    Map.Entry<Integer, Long> commonest =
        labels.entrySet().stream()
            .max(Map.Entry.<Integer, Long>comparingByValue().thenComparing(Map.Entry::getKey))
            .orElseThrow();
    double share = (double) commonest.getValue() / all;
    if (labels.size() == 1 && all > 1) {
      findings.add(
          Finding.severe(
              "labels all alike",
              "",
              "all %d labels are %d".formatted(all, commonest.getKey()),
              "the network need only say so, whatever the input is",
              "look at what the reader gives, and shuffle the examples"));
    } else if (share >= IMBALANCE && all > 1) {
      findings.add(
          Finding.warning(
              "labels imbalanced",
              "",
              "%s of the labels are %d".formatted(Words.percent(share), commonest.getKey()),
              "who always says %d is right as often".formatted(commonest.getKey()),
              "classWeights of the cross-entropy, the rare classes more often, and another measure"
                  + " than accuracy"));
    }
    if (labels.size() > 1 && data.sortedBatches() * 2 > data.batches()) {
      findings.add(
          Finding.warning(
              "batches sorted by label",
              "",
              "%d of %d batches have one label only"
                  .formatted(data.sortedBatches(), data.batches()),
              "each step unlearns what the one before has learned",
              "shuffle the examples before they are cut into batches"));
    }
    return findings;
  }
}
