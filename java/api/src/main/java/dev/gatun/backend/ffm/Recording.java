package dev.gatun.backend.ffm;

import dev.gatun.backend.Backend;
import dev.gatun.backend.Memory;
import dev.gatun.backend.Program;
import dev.gatun.ffi.gatun_h;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// The backend that a recording is given: its instructions go to a stream of its own, which keeps
/// them. It dies with the recording; all but instructions is answered by the backend that records.
final class Recording extends Instructions {
  private final FfmBackend backend;

  private Recording(FfmBackend backend, Handle stream) {
    super(stream);
    this.backend = backend;
  }

  /// The program of what `instructions` issues. If it throws, the recording is dropped.
  static Program of(
      FfmBackend backend,
      MemorySegment device,
      @Nullable Frames frames,
      Consumer<Backend> instructions) {
    RecordingStream stream = RecordingStream.open(device);
    MemorySegment address = stream.acquire("record");
    try {
      if (frames != null) {
        FfmMemory.setFrames(address, frames);
      }
      instructions.accept(new Recording(backend, stream));
      // Closed first: on a stream that no longer records, a late instruction would run at once.
      stream.close();
      return FfmProgram.endRecording(address);
    } finally {
      stream.close();
      stream.release();
    }
  }

  @Override
  public String name() {
    return backend.name();
  }

  @Override
  public String description() {
    return backend.description();
  }

  @Override
  public int threads() {
    return backend.threads();
  }

  @Override
  public Memory allocate(long bytes, Memory.Kind kind) {
    return backend.allocate(bytes, kind);
  }

  @Override
  public Memory allocate(long bytes, Memory.Kind kind, String holder) {
    return backend.allocate(bytes, kind, holder);
  }

  @Override
  public boolean copiesStaging() {
    return backend.copiesStaging();
  }

  @Override
  public MemoryUse memoryUse() {
    return backend.memoryUse();
  }

  /// @throws IllegalStateException always: recordings do not nest
  @Override
  public Program record(@Nullable Frames frames, Consumer<Backend> instructions) {
    throw new IllegalStateException("[record] a recording cannot be started inside a recording");
  }

  /// @throws IllegalStateException always: `record` ends the recording
  @Override
  public void close() {
    throw new IllegalStateException("[close] the recording ends by itself when record returns");
  }

  @Override
  public String toString() {
    return stream.toString();
  }

  private static final class RecordingStream extends Handle {
    private RecordingStream(MemorySegment address) {
      super(address);
    }

    static RecordingStream open(MemorySegment device) {
      MemorySegment scratch = Scratch.segment();
      Status.check(gatun_h.gt_stream_create(scratch, device));
      RecordingStream stream = new RecordingStream(scratch.get(ValueLayout.ADDRESS, 0));
      try {
        Status.check(gatun_h.gt_stream_begin_recording(stream.address()));
        return stream;
      } catch (RuntimeException | Error e) {
        stream.close();
        throw e;
      }
    }

    @Override
    void destroy(MemorySegment address) {
      gatun_h.gt_stream_destroy(address);
    }

    @Override
    public String toString() {
      return "the backend of a recording";
    }
  }
}
