package dev.gatun.bench.peers;

import java.io.IOException;

/// A side that sleeps instead of multiplying, prints what nobody asked for, and dies of dropout.
final class FakeSide implements Side {
  public static void main(String[] args) throws IOException {
    System.out.println("a library's banner");
    Worker.serve(new FakeSide());
  }

  @Override
  public String description() {
    return "a fake";
  }

  @Override
  public Task prepare(Work work) {
    return switch (work) {
      case Work.Sgemm sgemm -> new Sleep(sgemm.n());
      case Work.Dropout dropout -> {
        Runtime.getRuntime().halt(dropout.elements() > 0 ? 3 : 0);
        throw new IllegalStateException("halted");
      }
      default -> throw new UnsupportedOperationException("only sgemm");
    };
  }

  private record Sleep(int n) implements Task {
    @Override
    public void run() {
      System.out.println("working");
      try {
        Thread.sleep(1);
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
    }

    @Override
    public float[] results() {
      return new float[] {n, 1};
    }

    @Override
    public void close() {}
  }
}
