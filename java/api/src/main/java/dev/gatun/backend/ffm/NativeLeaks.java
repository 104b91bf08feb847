package dev.gatun.backend.ffm;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.lang.ref.Cleaner;
import java.lang.ref.Cleaner.Cleanable;
import java.util.ArrayDeque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The safety net under objects that hold native memory: one that becomes unreachable without
/// having been closed is freed and reported, in the log and here. With `-Dgatun.leaks=trace` the
/// report says where it was made.
public final class NativeLeaks {
  private static final boolean TRACE = "trace".equals(System.getProperty("gatun.leaks"));
  private static final int REPORTS_KEPT = 100;

  private static final Cleaner CLEANER = Cleaner.create();
  private static final Logger LOGGER = System.getLogger(NativeLeaks.class.getName());

  private static final ArrayDeque<String> REPORTS = new ArrayDeque<>();
  private static long count;

  private NativeLeaks() {}

  /// How many leaks have been found since the JVM started.
  public static long count() {
    synchronized (REPORTS) {
      return count;
    }
  }

  /// The latest reports, oldest first, at most 100.
  public static List<String> reports() {
    synchronized (REPORTS) {
      return List.copyOf(REPORTS);
    }
  }

  /// Frees and reports `handle` when `owner` is unreachable. `clean()` after an explicit close ends
  /// the watch.
  static Cleanable watch(Object owner, Handle handle) {
    return CLEANER.register(owner, new Net(handle, TRACE ? new Throwable() : null));
  }

  /// Frees `handle` when `owner` is unreachable, without a word: for views, which are small and
  /// many, and whose memory is watched itself.
  static Cleanable watchQuietly(Object owner, Handle handle) {
    return CLEANER.register(owner, handle::close);
  }

  private static void report(String what, @Nullable Throwable madeAt) {
    StringBuilder text = new StringBuilder(what);
    text.append(" was never closed; it has become unreachable and was freed. ");
    if (madeAt == null) {
      text.append("Start Java with -Dgatun.leaks=trace to see where it was made.");
    } else {
      text.append("It was made here:");
      for (StackTraceElement frame : madeAt.getStackTrace()) {
        text.append("\n\tat ").append(frame);
      }
    }
    synchronized (REPORTS) {
      count++;
      if (REPORTS.size() == REPORTS_KEPT) {
        REPORTS.removeFirst();
      }
      REPORTS.addLast(text.toString());
    }
    LOGGER.log(Level.WARNING, text.toString());
  }

  private record Net(Handle handle, @Nullable Throwable madeAt) implements Runnable {
    @Override
    public void run() {
      if (handle.close()) {
        report(handle.toString(), madeAt);
      }
    }
  }
}
