package dev.gatun;

/// What a recurrent layer computes at each step, by the sums `a₀, a₁, …` of its gates, h the state
/// before the step. A sum is `W input + b + U h`; offsets are added, so B of lectures that subtract
/// it is -b.
public enum Cell {
  /// The vanilla cell: h' = tanh(a₀).
  TANH(1, 0),
  /// The vanilla cell with max(a₀, 0).
  RELU(1, 0),
  /// The vanilla cell with sigmoid(a₀), as lectures have it.
  SIGMOID(1, 0),
  /// The update gate RNN of Collins, Sohl-Dickstein and Sussillo (2016): h' = g h + (1 - g)
  /// tanh(a₀), g = sigmoid(a₁).
  UGRNN(2, 2),
  /// The GRU of Cho et al. (2014) with its reset gate after the product, as cuDNN and PyTorch have
  /// it: h' = (1 - z) n + z h, r = sigmoid(a₀), z = sigmoid(a₁), n = tanh(W₂ input + b₂ + r (U₂ h +
  /// c)), c an offset of its own.
  GRU(3, 4),
  /// The GRU with its reset gate before the product, as in its paper: n = tanh(W₂ input + b₂ + U₂
  /// (r h)).
  GRU_RESET_BEFORE(3, 3),
  /// The LSTM of Hochreiter and Schmidhuber (1997) with a forget gate (Gers et al. 2000), without
  /// peepholes: c' = f c + i g, h' = o tanh(c'), i, f, o = sigmoid(a₀, a₁, a₃), g = tanh(a₂).
  LSTM(4, 5),
  /// The intersection RNN ("+RNN") of Collins, Sohl-Dickstein and Sussillo (2016), whose output y
  /// is not its state: h' = gh h + (1 - gh) tanh(a₁), y = gy input + (1 - gy) max(a₀, 0), gy, gh =
  /// sigmoid(a₂, a₃).
  INTERSECTION(4, 5);

  private final int gates;
  private final int saved;

  Cell(int gates, int saved) {
    this.gates = gates;
    this.saved = saved;
  }

  /// How many sums a unit has.
  public int gates() {
    return gates;
  }

  /// How many values of a unit and step the gradient reads beside the state.
  public int saved() {
    return saved;
  }

  /// Whether there is a second state.
  public boolean hasCell() {
    return this == LSTM;
  }

  /// Whether the cell reads the input itself too, and has an output apart from its state.
  public boolean hasSkip() {
    return this == INTERSECTION;
  }

  /// Whether there may be an offset inside the reset gate.
  public boolean hasInnerBias() {
    return this == GRU;
  }
}
