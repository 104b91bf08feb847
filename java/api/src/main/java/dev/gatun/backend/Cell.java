package dev.gatun.backend;

/// The cells of recurrent layers, in the numbering and with the formulas of `gatun.h`.
public enum Cell {
  /// h' = tanh(a₀).
  TANH(1, 0),
  /// h' = max(a₀, 0).
  RELU(1, 0),
  /// h' = sigmoid(a₀).
  SIGMOID(1, 0),
  /// The update gate RNN of Collins, Sohl-Dickstein and Sussillo (2016).
  UGRNN(2, 2),
  /// The GRU of Cho et al. (2014) with its reset gate after the product, as cuDNN and PyTorch have
  /// it.
  GRU(3, 4),
  /// The GRU with its reset gate before the product, as in its paper.
  GRU_RESET_BEFORE(3, 3),
  /// The LSTM of Hochreiter and Schmidhuber (1997) with a forget gate, without peepholes.
  LSTM(4, 5),
  /// The intersection RNN ("+RNN") of Collins, Sohl-Dickstein and Sussillo (2016).
  INTERSECTION(4, 5);

  private final int gates;
  private final int saved;

  Cell(int gates, int saved) {
    this.gates = gates;
    this.saved = saved;
  }

  /// How many products of the state a unit has.
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
