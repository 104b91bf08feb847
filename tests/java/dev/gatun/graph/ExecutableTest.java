package dev.gatun.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.backend.Backend;
import dev.gatun.backend.Memory;
import dev.gatun.suite.Backends;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// What a compiled graph holds, and that it gives it back.
class ExecutableTest {
  @ParameterizedTest
  @EnumSource(Backends.class)
  void aliasesAreNoInstructions(Backends backends) {
    Backend backend = backends.backend();
    Nets nets = new Nets(1);
    Value x = nets.leaf(6);
    Value y = (Value) x.exp().reshape(2, 3).times(2).reshape(3, 2).sum();
    long before = backend.memoryUse().bytes();
    try (Memory given = backend.allocate(48, Memory.Kind.DEVICE);
        Memory wanted = backend.allocate(8, Memory.Kind.DEVICE);
        Executable executable = compile(backend, nets.graph, x, given, y, wanted)) {
      assertEquals(3, executable.instructions());
      assertEquals(48, executable.arenaBytes());
      assertEquals(before + 48 + 8 + 48, backend.memoryUse().bytes());
    }
    assertEquals(before, backend.memoryUse().bytes());
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void aClosedExecutableDoesNotRun(Backends backends) {
    Backend backend = backends.backend();
    Nets nets = new Nets(1);
    Value x = nets.leaf(1);
    Value y = (Value) x.exp();
    try (Memory given = backend.allocate(8, Memory.Kind.DEVICE);
        Memory wanted = backend.allocate(8, Memory.Kind.DEVICE)) {
      Executable executable = compile(backend, nets.graph, x, given, y, wanted);
      executable.run();
      executable.close();
      executable.close();
      assertThrows(IllegalStateException.class, executable::run);
    }
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void aGraphThatCannotBeRecordedLeavesNoMemoryBehind(Backends backends) {
    Backend backend = backends.backend();
    Nets nets = new Nets(1);
    Value y = (Value) nets.leaf(2, 3).exp().sum();
    try (Memory memory = backend.allocate(8, Memory.Kind.DEVICE)) {
      long before = backend.memoryUse().bytes();
      List<Placement> wanted = List.of(new Placement(y, new Slot(memory, 0)));
      IllegalArgumentException e =
          assertThrows(
              IllegalArgumentException.class,
              () -> Executable.compile(backend, nets.graph, List.of(), wanted));
      String message = String.valueOf(e.getMessage());
      assertTrue(message.contains("the leaf %leaf0: f64 (2, 3) has no memory"), message);
      assertEquals(before, backend.memoryUse().bytes());
    }
  }

  /// Also where it is no exception but an error that ends the recording: of the preparation, or of
  /// the program.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void anErrorWhileRecordingLeavesNoMemoryBehind(Backends backends) {
    Backend backend = backends.backend();
    for (int failing = 1; failing <= 2; failing++) {
      Nets nets = new Nets(1);
      Value x = nets.leaf(4);
      Value y = (Value) x.exp().sum();
      try (Memory given = backend.allocate(32, Memory.Kind.DEVICE);
          Memory wanted = backend.allocate(8, Memory.Kind.DEVICE)) {
        long before = backend.memoryUse().bytes();
        Backend broken = failing(backend, failing);
        assertThrows(
            StackOverflowError.class, () -> compile(broken, nets.graph, x, given, y, wanted));
        assertEquals(before, backend.memoryUse().bytes());
      }
    }
  }

  /// `backend`, whose recording of this number ends in an error.
  private static Backend failing(Backend backend, int number) {
    AtomicInteger recordings = new AtomicInteger();
    return (Backend)
        Proxy.newProxyInstance(
            Backend.class.getClassLoader(),
            new Class<?>[] {Backend.class},
            (_, method, arguments) -> {
              if (method.getName().equals("record") && recordings.incrementAndGet() == number) {
                throw new StackOverflowError();
              }
              return method.invoke(backend, arguments);
            });
  }

  /// Memory of results that is too small is refused when the graph is compiled, not written past.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void aSlotThatIsTooSmallIsRefused(Backends backends) {
    Backend backend = backends.backend();
    Nets nets = new Nets(1);
    Value x = nets.leaf(4);
    Value y = (Value) x.exp();
    try (Memory given = backend.allocate(32, Memory.Kind.DEVICE);
        Memory small = backend.allocate(24, Memory.Kind.DEVICE)) {
      long before = backend.memoryUse().bytes();
      assertThrows(
          IllegalArgumentException.class,
          () -> compile(backend, nets.graph, x, given, y, small).close());
      assertEquals(before, backend.memoryUse().bytes());
    }
  }

  /// Also one that depends on constants alone, in whatever form it is wanted.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void everyRunStoresEveryResult(Backends backends) {
    Backend backend = backends.backend();
    Nets nets = new Nets(1);
    Value x = nets.leaf(2, 2);
    Value y = (Value) x.exp().reshape(4);
    try (Memory given = backend.allocate(32, Memory.Kind.DEVICE);
        Memory wanted = backend.allocate(32, Memory.Kind.DEVICE);
        Executable executable =
            Executable.compile(
                backend,
                nets.graph,
                List.of(new Placement(x, new Slot(given, 0))),
                List.of(new Placement(y, new Slot(wanted, 0))),
                Set.of(x))) {
      given.write(0, ByteBuffer.allocate(32));
      executable.prepare();
      for (int run = 0; run < 2; run++) {
        wanted.write(0, ByteBuffer.allocate(32));
        executable.run();
        ByteBuffer found = ByteBuffer.allocate(32).order(ByteOrder.nativeOrder());
        wanted.read(0, found);
        assertEquals(1, found.flip().getDouble());
      }
    }
  }

  private static Executable compile(
      Backend backend, Graph graph, Value x, Memory given, Value y, Memory wanted) {
    return Executable.compile(
        backend,
        graph,
        List.of(new Placement(x, new Slot(given, 0))),
        List.of(new Placement(y, new Slot(wanted, 0))));
  }
}
