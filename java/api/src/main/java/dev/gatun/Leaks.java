package dev.gatun;

import dev.gatun.backend.ffm.NativeLeaks;
import java.lang.ref.Cleaner;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/// The safety net under forgotten resources: frees them when they become unreachable, and says so.
/// A leak is a bug of the program that leaks; the report names what leaked and, with
/// `-Dgatun.leaks=trace`, where it was made.
public final class Leaks {
  private static final System.Logger LOGGER = System.getLogger("dev.gatun.leaks");
  private static final Cleaner CLEANER = Cleaner.create();
  private static final AtomicLong REPORTED = new AtomicLong();

  private Leaks() {}

  /// How many leaks were reported in this process, forgotten devices included.
  public static long reported() {
    return REPORTED.get() + NativeLeaks.count();
  }

  /// Registers `owner`; `resource` must not refer to it.
  static Cleaner.Cleanable watch(Object owner, Resource resource) {
    boolean trace = "trace".equals(System.getProperty("gatun.leaks"));
    Throwable place = trace ? new Throwable("made here") : null;
    return CLEANER.register(owner, () -> release(resource, place));
  }

  private static void release(Resource resource, @Nullable Throwable place) {
    if (!resource.closedByOwner()) {
      REPORTED.incrementAndGet();
      String hint = place == null ? "; run with -Dgatun.leaks=trace to see where it was made" : "";
      LOGGER.log(System.Logger.Level.WARNING, "never closed: " + resource + hint, place);
    }
    resource.release();
  }

  /// Something to give back.
  interface Resource {
    /// Whether the owner closed it, as it should.
    boolean closedByOwner();

    /// Gives it back; a second call does nothing.
    void release();
  }
}
