package dev.gatun;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

/// In which batches predictions run.
class InferenceStepTest {
  @Test
  void batches_arePowersOfTwo_upTo256() {
    Net small = Net.input(8).dense(2);
    assertEquals(1, InferenceStep.batch(small, 0));
    assertEquals(1, InferenceStep.batch(small, 1));
    assertEquals(4, InferenceStep.batch(small, 3));
    assertEquals(4, InferenceStep.batch(small, 4));
    assertEquals(256, InferenceStep.batch(small, 200));
    assertEquals(256, InferenceStep.batch(small, Integer.MAX_VALUE));
  }

  /// 256 of these would be 8 GiB, more than the host sees.
  @Test
  void batchesOfLargeInputs_areSmaller() {
    Net large = Net.input(1 << 10, 1 << 10, 4);
    assertEquals(8, InferenceStep.batch(large, 1000));
    assertEquals(2, InferenceStep.batch(large, 2));
    assertEquals(1, InferenceStep.batch(Net.input(1 << 13, 1 << 13, 4), 1000));
  }
}
