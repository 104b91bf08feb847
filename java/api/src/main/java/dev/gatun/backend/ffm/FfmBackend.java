package dev.gatun.backend.ffm;

import dev.gatun.DeviceUnavailableException;
import dev.gatun.backend.Backend;
import dev.gatun.backend.Memory;
import dev.gatun.backend.Program;
import dev.gatun.ffi.CudaLibrary;
import dev.gatun.ffi.NativeLibrary;
import dev.gatun.ffi.NativeLibraryException;
import dev.gatun.ffi.gatun_h;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Cleaner.Cleanable;
import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// A device of the native library. Instructions run at once on one stream, one after the other.
public final class FfmBackend extends Instructions {
  private final Session session;
  private final Cleanable cleanable;
  private final String name;
  private final int threads;

  private FfmBackend(Session session, String name, int threads) {
    super(session);
    this.session = session;
    this.name = name;
    this.threads = threads;
    this.cleanable = NativeLeaks.watch(this, session);
  }

  /// The CPU.
  ///
  /// @param threads workers, the calling thread included; 0 takes all processors that Java sees
  /// @throws DeviceUnavailableException if the native library cannot be used; the message tells why
  ///   and what to do
  public static FfmBackend cpu(int threads) {
    if (threads < 0) {
      throw new IllegalArgumentException("threads must not be negative, found " + threads);
    }
    load();
    int workers = threads == 0 ? Runtime.getRuntime().availableProcessors() : threads;
    return new FfmBackend(Session.open(gatun_h.GT_DEVICE_CPU(), 0, workers), "cpu", workers);
  }

  /// A GPU, by NVIDIA's numbers from 0.
  ///
  /// @throws DeviceUnavailableException if the native library, the one for CUDA, the driver or the
  ///   GPU is missing; the message tells which
  public static FfmBackend cuda(int index) {
    if (index < 0) {
      throw new IllegalArgumentException("the index must not be negative, found " + index);
    }
    load();
    Optional<String> missing = CudaLibrary.locate();
    if (missing.isPresent()) {
      throw new DeviceUnavailableException(missing.get());
    }
    try {
      return new FfmBackend(Session.open(gatun_h.GT_DEVICE_CUDA(), index, 0), "cuda", 1);
    } catch (UnsupportedOperationException e) {
      throw new DeviceUnavailableException(String.valueOf(e.getMessage()), e);
    }
  }

  /// How many GPUs there are to choose from: 0 without the library for them, a driver or a GPU. An
  /// emulation is no GPU: it is opened by those who ask for it.
  ///
  /// @throws DeviceUnavailableException if the native library cannot be used
  public static int cudaCount() {
    load();
    if (CudaLibrary.locate().isPresent()) {
      return 0;
    }
    MemorySegment out = Scratch.segment();
    Status.check(gatun_h.gt_device_count(out, gatun_h.GT_DEVICE_CUDA()));
    return out.get(ValueLayout.JAVA_INT, 0);
  }

  private static void load() {
    try {
      NativeLibrary.load();
    } catch (NativeLibraryException e) { // whose message is told once
      throw new DeviceUnavailableException(String.valueOf(e.getMessage()), e.getCause());
    }
  }

  /// Why [#cpu] cannot work in this process; empty if it can.
  public static Optional<String> unavailableReason() {
    return NativeLibrary.unavailableReason();
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public String description() {
    return session.description;
  }

  @Override
  public int threads() {
    return threads;
  }

  @Override
  public Memory allocate(long bytes, Memory.Kind kind) {
    return allocate(bytes, kind, Holders.OTHERS);
  }

  @Override
  public Memory allocate(long bytes, Memory.Kind kind, String holder) {
    session.acquire("allocate");
    try {
      return FfmMemory.create(session.device, bytes, kind, holder, session.holders);
    } finally {
      session.release();
    }
  }

  @Override
  public Program record(@Nullable Frames frames, Consumer<Backend> instructions) {
    session.acquire("record");
    try {
      return Recording.of(this, session.device, frames, instructions);
    } finally {
      session.release();
    }
  }

  @Override
  public boolean copiesStaging() {
    return name.equals("cuda");
  }

  @Override
  public MemoryUse memoryUse() {
    session.acquire("memoryUse");
    try {
      MemorySegment out = Scratch.segment();
      Status.check(
          gatun_h.gt_device_memory(
              session.device, out, out.asSlice(Long.BYTES), out.asSlice(2 * Long.BYTES)));
      return new MemoryUse(
          out.getAtIndex(ValueLayout.JAVA_LONG, 0),
          out.getAtIndex(ValueLayout.JAVA_LONG, 1),
          out.getAtIndex(ValueLayout.JAVA_LONG, 2));
    } finally {
      session.release();
    }
  }

  @Override
  public void close() {
    session.close();
    cleanable.clean();
  }

  @Override
  public String toString() {
    return session.toString();
  }

  /// The stream that eager instructions go to, and its device.
  private static final class Session extends Handle {
    private final MemorySegment device;
    private final String description;
    private final Holders holders = new Holders();

    private Session(MemorySegment stream, MemorySegment device, String description) {
      super(stream);
      this.device = device;
      this.description = description;
    }

    static Session open(int kind, int index, int threads) {
      MemorySegment scratch = Scratch.segment();
      Status.check(gatun_h.gt_device_create(scratch, kind, index, threads));
      MemorySegment device = scratch.get(ValueLayout.ADDRESS, 0);
      try {
        Status.check(gatun_h.gt_device_describe(device, scratch, Scratch.BYTES));
        String description = scratch.getString(0);
        Status.check(gatun_h.gt_stream_create(scratch, device));
        return new Session(scratch.get(ValueLayout.ADDRESS, 0), device, description);
      } catch (RuntimeException | Error e) {
        gatun_h.gt_device_destroy(device);
        throw e;
      }
    }

    @Override
    void destroy(MemorySegment stream) {
      gatun_h.gt_stream_destroy(stream);
      gatun_h.gt_device_destroy(device);
    }

    @Override
    public String toString() {
      return "backend " + description;
    }
  }
}
