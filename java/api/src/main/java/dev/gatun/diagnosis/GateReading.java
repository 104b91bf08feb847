package dev.gatun.diagnosis;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// How often a gate of a recurrent layer is at its ends for a batch: left-saturated, below 0.1,
/// where it is shut, and right-saturated, above 0.9, where it is open (Karpathy, Johnson and
/// Fei-Fei 2015, "Visualizing and understanding recurrent networks"). Steps that are padding do not
/// count.
///
/// @param path of the layer, such as `lstm0.layer0`
/// @param gate which one
/// @param units that have it, those of both directions together
/// @param rows how many numbers each unit has: steps times examples
/// @param left the share of numbers below 0.1
/// @param right the share of numbers above 0.9
/// @param shutUnits the share of units whose gate is below 0.1 at all steps of all examples
/// @param openUnits the share of units whose gate is above 0.9 at all steps of all examples
/// @param leftByStep the share below 0.1 at each step of the sequences
/// @param rightByStep the share above 0.9 at each step of the sequences
public record GateReading(
    String path,
    Gate gate,
    int units,
    long rows,
    double left,
    double right,
    double shutUnits,
    double openUnits,
    List<Double> leftByStep,
    List<Double> rightByStep) {
  /// Below this a gate is left-saturated.
  public static final double SHUT = 0.1;

  /// Above this a gate is right-saturated.
  public static final double OPEN = 0.9;

  /// A gate with a sigmoid; see [dev.gatun.Cell] for the formulas.
  public enum Gate {
    /// How much of the candidate comes into the state: i of an LSTM.
    INPUT("input"),
    /// How much of the state stays, whatever comes in: f of an LSTM.
    FORGET("forget"),
    /// How much of the state is given out: o of an LSTM.
    OUTPUT("output"),
    /// How much of the state the candidate sees: r of a GRU.
    RESET("reset"),
    /// How much of the state stays, the rest being the candidate's: z of a GRU, g of an update gate
    /// RNN, gh of an intersection cell.
    UPDATE("update"),
    /// How much of the layer's output is its input: gy of an intersection cell.
    SKIP("skip");

    private final String word;

    Gate(String word) {
      this.word = word;
    }

    @Override
    public String toString() {
      return word;
    }
  }

  /// Copies the lists.
  public GateReading {
    leftByStep = List.copyOf(leftByStep);
    rightByStep = List.copyOf(rightByStep);
  }

  /// What is to be seen in `values` `[steps, examples, units]`; padding is NaN.
  public static GateReading of(String path, Gate gate, int steps, int units, float[] values) {
    long[] shut = new long[units];
    long[] open = new long[units];
    long[] rows = new long[units];
    List<Double> leftByStep = new ArrayList<>();
    List<Double> rightByStep = new ArrayList<>();
    int each = values.length / steps;
    for (int t = 0; t < steps; t++) {
      long left = 0;
      long right = 0;
      long all = 0;
      for (int i = 0; i < each; i++) {
        float value = values[t * each + i];
        if (!Float.isNaN(value)) {
          left += value < SHUT ? 1 : 0;
          right += value > OPEN ? 1 : 0;
          all++;
          shut[i % units] += value < SHUT ? 1 : 0;
          open[i % units] += value > OPEN ? 1 : 0;
          rows[i % units]++;
        }
      }
      leftByStep.add((double) left / Math.max(1, all));
      rightByStep.add((double) right / Math.max(1, all));
    }
    double all = Math.max(1, Arrays.stream(rows).sum());
    return new GateReading(
        path,
        gate,
        units,
        Arrays.stream(rows).max().orElse(0),
        Arrays.stream(shut).sum() / all,
        Arrays.stream(open).sum() / all,
        always(shut, rows),
        always(open, rows),
        leftByStep,
        rightByStep);
  }

  private static double always(long[] there, long[] rows) {
    int always = 0;
    for (int i = 0; i < rows.length; i++) {
      always += rows[i] > 0 && there[i] == rows[i] ? 1 : 0;
    }
    return (double) always / rows.length;
  }

  /// The share of numbers at either end.
  public double saturated() {
    return left + right;
  }
}
