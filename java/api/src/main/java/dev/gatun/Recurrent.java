package dev.gatun;

import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Recurrent layers of one [Cell], one on the other:
///
/// ```java
/// Net.input(100, 2).recurrent(Recurrent.gru(64).layers(2).bidirectional().lastState()).dense(1)
/// ```
///
/// Sequences `x [N, T, F]` of T steps become the outputs after each step, `[N, T, units]`, or with
/// [#lastState] the final states, `[N, units]`; with both directions the two lie side by side, `2 ·
/// units`. States begin as zeros, or where the step before ended if steps carry them on
/// ([Trainer#carryStates], [Stepper]). The products of all steps' inputs are one, and the walk
/// along the sequences is one instruction.
///
/// Parameters of layer k, with G gates in the order of the [Cell] and D directions, the forward
/// cell's rows in front: `layerk.inputWeight` `[D·G·units, F]`, Glorot uniform; `.recurrentWeight`
/// `[D·G·units, units]`, orthogonal, each gate's matrix by itself; `.bias` `[D·G·units]`, zeros but
/// for [#forgetBias]; and of a GRU `.recurrentBias` `[D·units]`, zeros, inside the reset gate.
/// [#layerNorm] adds the gains `.inputNorm` and `.recurrentNorm` `[D·G·units]`, ones. These are the
/// defaults of Keras; PyTorch draws all of them from ±1/√units, and has two offsets where one does
/// the same.
///
/// @param cell what a step computes
/// @param units of each cell
/// @param layers one on the other
/// @param direction the order of the steps
/// @param options what else is asked for
/// @param dropout the share of outputs dropped between layers, in training
/// @param recurrentDropout the share of states dropped on their way to the next step, in training
/// @param forgetBias the first offset of the gates that keep the state
/// @param inputInitializer of each gate's matrix for inputs
/// @param recurrentInitializer of each gate's matrix for states
public record Recurrent(
    Cell cell,
    int units,
    int layers,
    Direction direction,
    Set<Option> options,
    double dropout,
    double recurrentDropout,
    double forgetBias,
    Initializer inputInitializer,
    Initializer recurrentInitializer)
    implements Layer {
  /// What may be asked for.
  public enum Option {
    /// See [Recurrent#lastState].
    LAST_STATE,
    /// See [Recurrent#masked].
    MASKED,
    /// See [Recurrent#layerNorm].
    LAYER_NORM
  }

  /// Checks the ranges.
  public Recurrent {
    options =
        Collections.unmodifiableSet(
            options.isEmpty() ? EnumSet.noneOf(Option.class) : EnumSet.copyOf(options));
    atLeastOne(kind(cell), "units", units);
    atLeastOne(kind(cell), "layers", layers);
    probability(kind(cell), "dropout", dropout);
    probability(kind(cell), "recurrent dropout", recurrentDropout);
    if (!Double.isFinite(forgetBias)) {
      throw new IllegalArgumentException(
          "[%s] expected a finite forget bias, found %s".formatted(kind(cell), forgetBias));
    }
  }

  /// One layer of `cell`, forward, giving its outputs at all steps.
  public static Recurrent of(Cell cell, int units) {
    boolean keeps =
        switch (cell) {
          case UGRNN, LSTM, INTERSECTION -> true;
          case TANH, RELU, SIGMOID, GRU, GRU_RESET_BEFORE -> false;
        };
    return new Recurrent(
        cell,
        units,
        1,
        Direction.FORWARD,
        Set.of(),
        0,
        0,
        keeps ? 1 : 0,
        Initializer.glorotUniform(),
        Initializer.orthogonal(1));
  }

  /// The vanilla cell with tanh, which [#relu] and [#sigmoid] change.
  public static Recurrent rnn(int units) {
    return of(Cell.TANH, units);
  }

  /// The IRNN (Le, Jaitly and Hinton 2015): the vanilla cell with ReLU, whose matrix for states is
  /// at first the identity, and that for inputs normal with deviation 0.001. It wants clipped
  /// gradients.
  public static Recurrent irnn(int units) {
    return rnn(units)
        .relu()
        .inputInitializer(Initializer.normal(0.001))
        .recurrentInitializer(Initializer.identity());
  }

  /// The update gate RNN, its gate with a first offset of 1.
  public static Recurrent ugrnn(int units) {
    return of(Cell.UGRNN, units);
  }

  /// The GRU as cuDNN, PyTorch and Keras have it, which [#resetBefore] changes.
  public static Recurrent gru(int units) {
    return of(Cell.GRU, units);
  }

  /// The LSTM, its forget gate with a first offset of 1 (Gers et al. 2000; Jozefowicz et al. 2015).
  public static Recurrent lstm(int units) {
    return of(Cell.LSTM, units);
  }

  /// The intersection RNN, both gates with a first offset of 1. Its inputs must have as many
  /// features as it has units.
  public static Recurrent intersection(int units) {
    return of(Cell.INTERSECTION, units);
  }

  /// The same vanilla cell with max(a, 0).
  public Recurrent relu() {
    requireVanilla("relu");
    return cell(Cell.RELU);
  }

  /// The same vanilla cell with 1 / (1 + exp(-a)).
  public Recurrent sigmoid() {
    requireVanilla("sigmoid");
    return cell(Cell.SIGMOID);
  }

  /// The same GRU with its reset gate before the product, as in its paper.
  public Recurrent resetBefore() {
    if (cell != Cell.GRU && cell != Cell.GRU_RESET_BEFORE) {
      throw new IllegalArgumentException(
          "[%s] only a gru has a reset gate to put before the product".formatted(kind()));
    }
    return cell(Cell.GRU_RESET_BEFORE);
  }

  /// The same with so many layers, one on the other.
  public Recurrent layers(int newLayers) {
    return new Recurrent(
        cell,
        units,
        newLayers,
        direction,
        options,
        dropout,
        recurrentDropout,
        forgetBias,
        inputInitializer,
        recurrentInitializer);
  }

  /// The same going from the last step to the first.
  public Recurrent reverse() {
    return direction(Direction.REVERSE);
  }

  /// The same in both directions, a cell for each (Schuster and Paliwal 1997).
  public Recurrent bidirectional() {
    return direction(Direction.BOTH);
  }

  /// The same giving the state after the step it takes last instead of the outputs at all steps;
  /// that of an [Cell#INTERSECTION] is its h, that of an [Cell#LSTM] not its c.
  public Recurrent lastState() {
    return with(Option.LAST_STATE);
  }

  /// The same for sequences of different lengths: a step whose inputs are all 0, such as what an
  /// embedding gives for a negative index, is padding. It leaves the state as it is, and its output
  /// is 0.
  public Recurrent masked() {
    return with(Option.MASKED);
  }

  /// The same with layer normalisation (Ba, Kiros and Hinton 2016, section 3.1 and supplement) in
  /// every step: a gate's sum is LN(W input) + LN(U h) + b, each LN over all gates of a cell, x ↦
  /// gain (x - mean) / √(variance + 10⁻⁵). The states' products of both GRUs are normalised in two
  /// parts, as in the paper: those of the reset and update gates together, and those of the
  /// candidate, which are inside the reset gate or behind it.
  ///
  /// The paper differs for the vanilla cell, where it normalises the sum, LN(W input + U h), for a
  /// GRU's inputs, normalised in two parts too, and for an LSTM, whose c it normalises on its way
  /// to h; it has nothing for the other cells.
  public Recurrent layerNorm() {
    return with(Option.LAYER_NORM);
  }

  /// The same with this share of outputs dropped between layers, another mask for each step.
  public Recurrent dropout(double newDropout) {
    return new Recurrent(
        cell,
        units,
        layers,
        direction,
        options,
        newDropout,
        recurrentDropout,
        forgetBias,
        inputInitializer,
        recurrentInitializer);
  }

  /// The same with this share of the state dropped where its matrices read it, by one mask for all
  /// steps of a sequence (Gal and Ghahramani 2016).
  public Recurrent recurrentDropout(double newDropout) {
    return new Recurrent(
        cell,
        units,
        layers,
        direction,
        options,
        dropout,
        newDropout,
        forgetBias,
        inputInitializer,
        recurrentInitializer);
  }

  /// The same with another first offset of the gates that keep the state: the LSTM's f, the UGRNN's
  /// g, the GRU's z, both of the intersection cell. By default 1, but 0 for a GRU; PyTorch has 0
  /// for all.
  ///
  /// @throws IllegalArgumentException if the cell has no such gate
  public Recurrent forgetBias(double newBias) {
    if (cell.gates() == 1) {
      throw new IllegalArgumentException("[%s] has no gate that keeps the state".formatted(kind()));
    }
    return new Recurrent(
        cell,
        units,
        layers,
        direction,
        options,
        dropout,
        recurrentDropout,
        newBias,
        inputInitializer,
        recurrentInitializer);
  }

  /// The same with another initializer of each gate's matrix for inputs.
  public Recurrent inputInitializer(Initializer initializer) {
    return new Recurrent(
        cell,
        units,
        layers,
        direction,
        options,
        dropout,
        recurrentDropout,
        forgetBias,
        initializer,
        recurrentInitializer);
  }

  /// The same with another initializer of each gate's matrix for states.
  public Recurrent recurrentInitializer(Initializer initializer) {
    return new Recurrent(
        cell,
        units,
        layers,
        direction,
        options,
        dropout,
        recurrentDropout,
        forgetBias,
        inputInitializer,
        initializer);
  }

  /// What a network calls the layer: `rnn`, `ugrnn`, `gru`, `lstm` or `intersectionRnn`.
  String kind() {
    return kind(cell);
  }

  @Override
  public Tensor apply(LayerContext context, Tensor x) {
    Layers.expect(kind(), x, 3, "sequences [N, T, features]");
    Tensor sequences = exchange(x); // [T,N,F]
    Tensor mask = has(Option.MASKED) ? sequences.abs().max(-1).sign() : null;
    for (int k = 0; k < layers; k++) {
      boolean last = k == layers - 1;
      boolean state = last && has(Option.LAST_STATE);
      Layer layer = (inside, in) -> layer(inside, in, mask, state);
      sequences = context.apply("layer" + k, layer, sequences);
      sequences = last ? sequences : context.dropout(sequences, dropout);
    }
    if (has(Option.LAST_STATE)) {
      return exchange(sequences).reshape(x.shape().dim(0), width());
    }
    if (mask != null) {
      sequences = sequences.times(mask.reshape(x.shape().dim(1), x.shape().dim(0), 1));
    }
    return exchange(sequences);
  }

  /// Steps `[T,N,F]` to outputs `[T,N,D·units]` or final states `[D,N,units]`.
  private Tensor layer(LayerContext context, Tensor x, @Nullable Tensor mask, boolean state) {
    long steps = x.shape().dim(0);
    long batch = x.shape().dim(1);
    if (cell.hasSkip() && x.shape().dim(2) != units) {
      throw new ShapeException(
          "[%s] expected as many features as units, %d (put dense(%d) in front), found %d"
              .formatted(kind(), units, units, x.shape().dim(2)));
    }
    boolean training = context.mode() == Mode.TRAINING;
    boolean kept = context.mode() != Mode.INFERENCE && recurrentDropout > 0;
    List<Tensor> operands = new ArrayList<>();
    operands.add(inputs(context, x).reshape(steps, batch, (long) cell.gates() * width()));
    if (cell.hasSkip()) {
      operands.add(x);
    }
    operands.add(
        context.parameter(
            "recurrentWeight",
            eachGate(recurrentInitializer),
            (long) cell.gates() * width(),
            units));
    if (cell.hasInnerBias()) {
      operands.add(context.parameter("recurrentBias", Initializer.zeros(), width()));
    }
    Tensor first = context.carried("state", direction.count(), batch, units);
    Tensor cellFirst =
        cell.hasCell() ? context.carried("cell", direction.count(), batch, units) : null;
    if (has(Option.LAYER_NORM)) {
      operands.add(
          context.parameter("recurrentNorm", Initializer.ones(), (long) cell.gates() * width()));
    }
    if (first != null) {
      requireForward();
      operands.add(first);
    }
    if (cellFirst != null) {
      operands.add(cellFirst);
    }
    if (mask != null) {
      operands.add(mask);
    }
    if (kept) {
      operands.add(context.dropoutMask(recurrentDropout, direction.count(), batch, units));
    }
    dev.gatun.graph.op.Recurrent op =
        new dev.gatun.graph.op.Recurrent(
            cell,
            direction,
            cell.hasInnerBias(),
            first != null,
            mask != null,
            kept,
            training,
            has(Option.LAYER_NORM) ? EPSILON : 0);
    List<? extends Tensor> outputs = Tensor.applyAll(op, operands);
    if (first != null) {
      context.update(first, outputs.get(1));
    }
    if (cellFirst != null) {
      context.update(cellFirst, outputs.get(2));
    }
    return outputs.get(state ? 1 : 0);
  }

  private void requireForward() {
    if (direction != Direction.FORWARD) {
      throw new IllegalArgumentException(
          "[%s] a layer that reads sequences from their end has no state to carry on"
              .formatted(kind()));
    }
  }

  /// The inputs' part of the gates' sums, `[T·N, D·G·units]`.
  private Tensor inputs(LayerContext context, Tensor x) {
    long features = x.shape().dim(2);
    long rows = (long) cell.gates() * width();
    Tensor weights = context.parameter("inputWeight", eachGate(inputInitializer), rows, features);
    Tensor bias = context.parameter("bias", eachGate(offsets()), rows);
    Tensor products = x.reshape(x.shape().dim(0) * x.shape().dim(1), features);
    products = products.matmulTransposed(weights);
    if (!has(Option.LAYER_NORM)) {
      return products.plus(bias);
    }
    Tensor gain = context.parameter("inputNorm", Initializer.ones(), rows);
    return direction == Direction.BOTH
        ? products.groupNorm(2, gain, bias, EPSILON)
        : products.layerNorm(gain, bias, EPSILON);
  }

  private static final double EPSILON = 1e-5;

  /// The first offsets of a cell's gates.
  private List<Initializer> offsets() {
    List<Initializer> offsets =
        new ArrayList<>(Collections.nCopies(cell.gates(), Initializer.zeros()));
    switch (cell) {
      case TANH, RELU, SIGMOID -> {}
      case UGRNN, GRU, GRU_RESET_BEFORE, LSTM -> offsets.set(1, Initializer.constant(forgetBias));
      case INTERSECTION -> {
        offsets.set(2, Initializer.constant(forgetBias));
        offsets.set(3, Initializer.constant(forgetBias));
      }
    }
    return offsets;
  }

  private Initializer eachGate(Initializer initializer) {
    return eachGate(Collections.nCopies(cell.gates(), initializer));
  }

  private Initializer eachGate(List<Initializer> gates) {
    List<Initializer> all = new ArrayList<>();
    for (int d = 0; d < direction.count(); d++) {
      all.addAll(gates);
    }
    return Initializer.stacked(all);
  }

  private long width() {
    return (long) direction.count() * units;
  }

  private boolean has(Option option) {
    return options.contains(option);
  }

  /// The two first axes exchanged; if one has extent 1, that moves nothing.
  private static Tensor exchange(Tensor x) {
    long first = x.shape().dim(0);
    long second = x.shape().dim(1);
    return first == 1 || second == 1
        ? x.reshape(second, first, x.shape().dim(2))
        : x.permute(1, 0, 2);
  }

  private void requireVanilla(String function) {
    if (cell.gates() != 1) {
      throw new IllegalArgumentException(
          "[%s] only the vanilla cell can have %s".formatted(kind(), function));
    }
  }

  private Recurrent cell(Cell newCell) {
    return new Recurrent(
        newCell,
        units,
        layers,
        direction,
        options,
        dropout,
        recurrentDropout,
        forgetBias,
        inputInitializer,
        recurrentInitializer);
  }

  private Recurrent direction(Direction newDirection) {
    return new Recurrent(
        cell,
        units,
        layers,
        newDirection,
        options,
        dropout,
        recurrentDropout,
        forgetBias,
        inputInitializer,
        recurrentInitializer);
  }

  private Recurrent with(Option option) {
    Set<Option> all = EnumSet.of(option);
    all.addAll(options);
    return new Recurrent(
        cell,
        units,
        layers,
        direction,
        all,
        dropout,
        recurrentDropout,
        forgetBias,
        inputInitializer,
        recurrentInitializer);
  }

  private static String kind(Cell cell) {
    return switch (cell) {
      case TANH, RELU, SIGMOID -> "rnn";
      case GRU, GRU_RESET_BEFORE -> "gru";
      case INTERSECTION -> "intersectionRnn";
      case UGRNN, LSTM -> cell.name().toLowerCase(Locale.ROOT);
    };
  }

  private static void atLeastOne(String kind, String what, int value) {
    if (value < 1) {
      throw new IllegalArgumentException(
          "[%s] expected %s of at least 1, found %d".formatted(kind, what, value));
    }
  }

  private static void probability(String kind, String what, double value) {
    if (!(value >= 0 && value < 1)) {
      throw new IllegalArgumentException(
          "[%s] expected a %s in [0, 1), found %s".formatted(kind, what, value));
    }
  }
}
