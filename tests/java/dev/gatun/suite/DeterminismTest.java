package dev.gatun.suite;

import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// The same inputs give the same bits with 1, 2 and 3 threads, and again.
class DeterminismTest {
  @TestFactory
  Stream<DynamicTest> threadsDoNotChangeABit() {
    return Cases.each(
        example -> {
          try (Trial one = new Trial(Backends.cpu(1), example);
              Trial two = new Trial(Backends.cpu(2), example);
              Trial three = new Trial(Backends.cpu(3), example)) {
            one.run();
            two.run().checkSameBits(one, "2 threads against 1");
            three.run().checkSameBits(one, "3 threads against 1");
            three.run().checkSameBits(one, "a second time");
          }
        });
  }
}
