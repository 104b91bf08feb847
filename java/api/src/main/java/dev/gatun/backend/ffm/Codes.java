package dev.gatun.backend.ffm;

import dev.gatun.Cell;
import dev.gatun.ConvAlgorithm;
import dev.gatun.DType;
import dev.gatun.Direction;
import dev.gatun.backend.Backend.Activation;
import dev.gatun.backend.Backend.AdaptiveRule;
import dev.gatun.backend.Backend.Binary;
import dev.gatun.backend.Backend.Nonlinearity;
import dev.gatun.backend.Backend.Products;
import dev.gatun.backend.Backend.Reduction;
import dev.gatun.backend.Backend.Unary;
import dev.gatun.backend.Memory;
import dev.gatun.ffi.gatun_h;

/// The header's numbers for Java's enumerations.
final class Codes {
  private Codes() {}

  static int code(DType dtype) {
    return switch (dtype) {
      case F32 -> gatun_h.GT_F32();
      case F64 -> gatun_h.GT_F64();
      case I32 -> gatun_h.GT_I32();
      case I64 -> gatun_h.GT_I64();
      case U8 -> gatun_h.GT_U8();
      case BF16 -> gatun_h.GT_BF16();
    };
  }

  static int code(Memory.Kind kind) {
    return switch (kind) {
      case DEVICE -> gatun_h.GT_MEMORY_DEVICE();
      case STAGING -> gatun_h.GT_MEMORY_STAGING();
    };
  }

  static int code(Products products) {
    return switch (products) {
      case F32 -> gatun_h.GT_PRODUCTS_F32();
      case TF32 -> gatun_h.GT_PRODUCTS_TF32();
    };
  }

  static int code(Unary op) {
    return switch (op) {
      case NEGATE -> gatun_h.GT_UNARY_NEGATE();
      case ABS -> gatun_h.GT_UNARY_ABS();
      case SQUARE -> gatun_h.GT_UNARY_SQUARE();
      case SQRT -> gatun_h.GT_UNARY_SQRT();
      case EXP -> gatun_h.GT_UNARY_EXP();
      case LOG -> gatun_h.GT_UNARY_LOG();
      case RELU -> gatun_h.GT_UNARY_RELU();
      case SIGMOID -> gatun_h.GT_UNARY_SIGMOID();
      case TANH -> gatun_h.GT_UNARY_TANH();
      case SIGN -> gatun_h.GT_UNARY_SIGN();
    };
  }

  static int code(Binary op) {
    return switch (op) {
      case ADD -> gatun_h.GT_BINARY_ADD();
      case SUBTRACT -> gatun_h.GT_BINARY_SUBTRACT();
      case MULTIPLY -> gatun_h.GT_BINARY_MULTIPLY();
      case DIVIDE -> gatun_h.GT_BINARY_DIVIDE();
      case MAXIMUM -> gatun_h.GT_BINARY_MAXIMUM();
      case MINIMUM -> gatun_h.GT_BINARY_MINIMUM();
      case GATE -> gatun_h.GT_BINARY_GATE();
    };
  }

  static int code(Nonlinearity function) {
    return switch (function) {
      case LEAKY_RELU -> gatun_h.GT_ACTIVATE_LEAKY_RELU();
      case ELU -> gatun_h.GT_ACTIVATE_ELU();
      case GELU -> gatun_h.GT_ACTIVATE_GELU();
      case GELU_TANH -> gatun_h.GT_ACTIVATE_GELU_TANH();
      case SILU -> gatun_h.GT_ACTIVATE_SILU();
      case SOFTPLUS -> gatun_h.GT_ACTIVATE_SOFTPLUS();
    };
  }

  static int code(Cell cell) {
    return switch (cell) {
      case TANH -> gatun_h.GT_CELL_TANH();
      case RELU -> gatun_h.GT_CELL_RELU();
      case SIGMOID -> gatun_h.GT_CELL_SIGMOID();
      case UGRNN -> gatun_h.GT_CELL_UGRNN();
      case GRU -> gatun_h.GT_CELL_GRU();
      case GRU_RESET_BEFORE -> gatun_h.GT_CELL_GRU_RESET_BEFORE();
      case LSTM -> gatun_h.GT_CELL_LSTM();
      case INTERSECTION -> gatun_h.GT_CELL_INTERSECTION();
    };
  }

  static int code(Direction direction) {
    return switch (direction) {
      case FORWARD -> gatun_h.GT_DIRECTION_FORWARD();
      case REVERSE -> gatun_h.GT_DIRECTION_REVERSE();
      case BOTH -> gatun_h.GT_DIRECTION_BOTH();
    };
  }

  static int code(Reduction op) {
    return switch (op) {
      case SUM -> gatun_h.GT_REDUCE_SUM();
      case MEAN -> gatun_h.GT_REDUCE_MEAN();
      case MAX -> gatun_h.GT_REDUCE_MAX();
    };
  }

  static int code(AdaptiveRule rule) {
    return switch (rule) {
      case AMSGRAD -> gatun_h.GT_ADAPTIVE_AMSGRAD();
      case NADAM -> gatun_h.GT_ADAPTIVE_NADAM();
      case ADAGRAD -> gatun_h.GT_ADAPTIVE_ADAGRAD();
      case RMSPROP -> gatun_h.GT_ADAPTIVE_RMSPROP();
      case LION -> gatun_h.GT_ADAPTIVE_LION();
    };
  }

  static int code(Activation activation) {
    return switch (activation) {
      case NONE -> gatun_h.GT_ACTIVATION_NONE();
      case RELU -> gatun_h.GT_ACTIVATION_RELU();
    };
  }

  static int code(ConvAlgorithm algorithm) {
    return switch (algorithm) {
      case AUTO -> gatun_h.GT_CONV_AUTO();
      case DIRECT -> gatun_h.GT_CONV_DIRECT();
      case WINOGRAD -> gatun_h.GT_CONV_WINOGRAD();
    };
  }
}
