package dev.gatun.bench.peers;

import dev.gatun.DType;
import dev.gatun.Shape;
import dev.gatun.backend.Backend;
import dev.gatun.backend.Memory;
import dev.gatun.backend.Program;
import dev.gatun.backend.View;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// Instructions recorded as a program, with their operands.
class GatunKernel implements Side.Task {
  private final Backend backend;
  private final IdentityHashMap<View, Memory> memories = new IdentityHashMap<>();
  private final List<View> results = new ArrayList<>();
  private @Nullable Program program;

  GatunKernel(Backend backend) {
    this.backend = backend;
  }

  GatunKernel record(Consumer<Backend> instructions) {
    program = backend.record(instructions);
    return this;
  }

  View view(DType dtype, long... dims) {
    Shape shape = Shape.of(dims);
    Memory memory = backend.allocate(shape.count() * dtype.bytes(), Memory.Kind.DEVICE);
    View view = memory.view(0, dtype, shape);
    memories.put(view, memory);
    return view;
  }

  View scratch(long... dims) {
    return view(DType.F32, dims);
  }

  View output(long... dims) {
    return result(scratch(dims));
  }

  /// What `view` holds after the first run is compared with the other sides'.
  View result(View view) {
    results.add(view);
    return view;
  }

  View filled(int seed, long... dims) {
    View view = scratch(dims);
    float[] values = Values.uniform(view.shape().count(), seed);
    ByteBuffer bytes = bytes(values.length);
    bytes.asFloatBuffer().put(values);
    memory(view).write(0, bytes);
    return view;
  }

  View labels(int rows, int classes) {
    View view = view(DType.I32, rows);
    ByteBuffer bytes = bytes(rows);
    bytes.asIntBuffer().put(Values.labels(rows, classes));
    memory(view).write(0, bytes);
    return view;
  }

  /// The elements of a result.
  float[] read(int result) {
    View view = results.get(result);
    float[] values = new float[Math.toIntExact(view.shape().count())];
    ByteBuffer bytes = bytes(values.length);
    memory(view).read(0, bytes);
    bytes.flip().asFloatBuffer().get(values);
    return values;
  }

  private Memory memory(View view) {
    Memory memory = memories.get(view);
    if (memory == null) {
      throw new IllegalArgumentException("not a view of this kernel: " + view);
    }
    return memory;
  }

  private static ByteBuffer bytes(int elements) {
    return ByteBuffer.allocateDirect(4 * elements).order(ByteOrder.nativeOrder());
  }

  @Override
  public void run() {
    if (program == null) {
      throw new IllegalStateException("nothing is recorded");
    }
    program.run();
  }

  @Override
  public float[] results() {
    float[][] samples = new float[results.size()][];
    for (int i = 0; i < samples.length; i++) {
      samples[i] = Values.sample(read(i));
    }
    return Values.join(samples);
  }

  @Override
  public void close() {
    if (program != null) {
      program.close();
    }
    memories.keySet().forEach(View::close);
    memories.values().forEach(Memory::close);
  }
}
