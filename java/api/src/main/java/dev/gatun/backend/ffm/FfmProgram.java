package dev.gatun.backend.ffm;

import dev.gatun.backend.Program;
import dev.gatun.ffi.gatun_h;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Cleaner.Cleanable;

/// A native program.
final class FfmProgram implements Program {
  private final Recorded handle;
  private final Cleanable cleanable;

  private FfmProgram(Recorded handle) {
    this.handle = handle;
    this.cleanable = NativeLeaks.watch(this, handle);
  }

  /// The program of a stream's recording, which ends here.
  static FfmProgram endRecording(MemorySegment stream) {
    MemorySegment scratch = Scratch.segment();
    Status.check(gatun_h.gt_stream_end_recording(scratch, stream));
    MemorySegment program = scratch.get(ValueLayout.ADDRESS, 0);
    Status.check(gatun_h.gt_program_instructions(program, scratch));
    return new FfmProgram(new Recorded(program, scratch.get(ValueLayout.JAVA_LONG, 0)));
  }

  @Override
  public void run() {
    MemorySegment program = handle.acquire("run");
    try {
      Status.check(gatun_h.gt_program_run(program));
    } finally {
      handle.release();
    }
  }

  @Override
  public void feed(int first, int count) {
    MemorySegment program = handle.acquire("feed");
    try {
      Status.check(gatun_h.gt_program_feed(program, first, count));
    } finally {
      handle.release();
    }
  }

  @Override
  public void start(int first, int count) {
    MemorySegment program = handle.acquire("start");
    try {
      Status.check(gatun_h.gt_program_start(program, first, count));
    } finally {
      handle.release();
    }
  }

  @Override
  public void await() {
    MemorySegment program = handle.acquire("await");
    try {
      Status.check(gatun_h.gt_program_wait(program));
    } finally {
      handle.release();
    }
  }

  @Override
  public void refresh() {
    MemorySegment program = handle.acquire("refresh");
    try {
      Status.check(gatun_h.gt_program_refresh(program));
    } finally {
      handle.release();
    }
  }

  @Override
  public long instructions() {
    return handle.instructions;
  }

  @Override
  public void close() {
    handle.close();
    cleanable.clean();
  }

  @Override
  public String toString() {
    return handle.toString();
  }

  private static final class Recorded extends Handle {
    private final long instructions;

    Recorded(MemorySegment address, long instructions) {
      super(address);
      this.instructions = instructions;
    }

    @Override
    void destroy(MemorySegment address) {
      gatun_h.gt_program_destroy(address);
    }

    @Override
    public String toString() {
      return "program of " + instructions + " instructions";
    }
  }
}
