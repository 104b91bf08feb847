package dev.gatun.diagnosis;

import dev.gatun.diagnosis.GateReading.Gate;
import java.util.ArrayList;
import java.util.List;

/// Gates of recurrent layers that are shut for the whole batch, and such as jump from one end to
/// the other. Open ones are no fault: a forget gate that stays open is a long memory.
final class GateRule implements Rule {
  private static final double MANY = 0.5;
  private static final double MOST = 0.9;

  /// The share at both ends together, and at each of them, of gates that jump.
  private static final double JUMPING = 0.85;

  private static final double EACH_END = 0.1;

  /// With fewer numbers a unit's may all be at an end by chance.
  private static final int LEAST_ROWS = 24;

  @Override
  public List<Finding> apply(Examination examination) {
    List<Finding> findings = new ArrayList<>();
    List<GateReading> gates = examination.latest().map(Inspection::gates).orElse(List.of());
    for (GateReading gate : gates) {
      if (gate.rows() < LEAST_ROWS) {
        continue;
      }
      if (gate.shutUnits() >= MANY) {
        findings.add(shut(gate));
      } else if (gate.saturated() >= JUMPING
          && gate.left() >= EACH_END
          && gate.right() >= EACH_END) {
        findings.add(jumping(gate));
      }
    }
    return findings;
  }

  private static Finding shut(GateReading gate) {
    boolean passes = gate.gate() == Gate.INPUT || gate.gate() == Gate.OUTPUT;
    return new Finding(
        passes && gate.shutUnits() >= MOST ? Severity.SEVERE : Severity.WARNING,
        "shut gates",
        gate.path(),
        "the %s gate of %s of %d units is below %s at all steps of all examples"
            .formatted(
                gate.gate(), Words.percent(gate.shutUnits()), gate.units(), GateReading.SHUT),
        switch (gate.gate()) {
          case INPUT -> "nothing new comes into these units";
          case OUTPUT -> "nothing of their state comes out of these units";
          case FORGET, UPDATE -> "these units keep nothing from one step to the next";
          case RESET -> "what comes into these units does not depend on the state";
          case SKIP -> "nothing of the inputs passes these units by";
        },
        gate.gate() == Gate.FORGET || gate.gate() == Gate.UPDATE
            ? "forgetBias(1), smaller weights, standardised inputs, a lower rate"
            : "offsets of 0, smaller weights, standardised inputs, a lower rate");
  }

  private static Finding jumping(GateReading gate) {
    return new Finding(
        Severity.WARNING,
        "saturated gates",
        gate.path(),
        "%s of the %s gate's numbers are below %s, %s above %s"
            .formatted(
                Words.percent(gate.left()),
                gate.gate(),
                GateReading.SHUT,
                Words.percent(gate.right()),
                GateReading.OPEN),
        "the gate jumps between shut and open, and where it is either, little gradient moves it",
        "smaller weights, standardised inputs, layerNorm() in the layer, a lower rate");
  }
}
