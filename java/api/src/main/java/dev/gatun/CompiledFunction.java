package dev.gatun;

import dev.gatun.backend.Backend;
import dev.gatun.backend.Memory;
import dev.gatun.backend.View;
import dev.gatun.graph.Executable;
import dev.gatun.graph.Graph;
import dev.gatun.graph.Placement;
import dev.gatun.graph.Slot;
import dev.gatun.graph.TensorType;
import dev.gatun.graph.Value;
import java.lang.ref.Reference;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// A function over tensors that is traced, fused, planned and recorded once for each set of input
/// types it meets, and then runs as one program. Inputs are copied in and results copied out. Calls
/// take turns; use after close is an [IllegalStateException].
public final class CompiledFunction implements Functions.TensorsFunction, AutoCloseable {
  private final Functions.TensorsFunction function;
  private final Map<Key, Compiled> compiled = new HashMap<>();
  private boolean closed;

  CompiledFunction(Functions.TensorsFunction function) {
    this.function = function;
  }

  @Override
  public synchronized List<Tensor> apply(Tensor... inputs) {
    if (closed) {
      throw new IllegalStateException("the compiled function is closed");
    }
    if (inputs.length == 0) {
      throw new IllegalArgumentException("[compile] needs at least one input");
    }
    if (Arrays.stream(inputs).anyMatch(Value.class::isInstance)) {
      return function.apply(inputs);
    }
    Device device = inputs[0].device();
    for (Tensor input : inputs) {
      if (input.device() != device) {
        throw new IllegalArgumentException(
            "[compile] inputs live on different devices: %s, and %s".formatted(inputs[0], input));
      }
    }
    Key key = new Key(device, Arrays.stream(inputs).map(TensorType::of).toList());
    return compiled.computeIfAbsent(key, any -> new Compiled(device, function, inputs)).run(inputs);
  }

  /// Gives the programs and their memory back; a second call does nothing.
  @Override
  public synchronized void close() {
    closed = true;
    compiled.values().forEach(Compiled::close);
    compiled.clear();
  }

  private record Key(Device device, List<TensorType> types) {}

  private static final class Compiled {
    private final Device device;
    private final List<Memory> memories = new ArrayList<>();
    private final List<View> views = new ArrayList<>();
    private final List<View> inputs = new ArrayList<>();
    private final List<View> results = new ArrayList<>();
    private final List<TensorType> types = new ArrayList<>();
    private final Executable executable;

    Compiled(Device device, Functions.TensorsFunction function, Tensor... examples) {
      this.device = device;
      try {
        this.executable = compile(function, examples);
      } catch (RuntimeException | Error e) {
        free();
        throw e;
      }
    }

    private Executable compile(Functions.TensorsFunction function, Tensor... examples) {
      Graph graph = new Graph();
      Value[] leaves = Functions.leaves(graph, examples);
      List<Tensor> outputs = function.apply(leaves);
      List<Placement> given = new ArrayList<>();
      List<Placement> wanted = new ArrayList<>();
      for (Value leaf : leaves) {
        inputs.add(place(leaf, given));
      }
      graph
          .constants()
          .forEach(
              (leaf, tensor) ->
                  device.backend().copy(place(leaf, given), ((ConcreteTensor) tensor).view()));
      for (Tensor output : outputs) {
        if (!(output instanceof Value value) || value.graph() != graph) {
          throw new IllegalArgumentException(
              "[compile] a result does not depend on the inputs: " + output);
        }
        results.add(place(value, wanted));
        types.add(value.type());
      }
      return Executable.compile(device.backend(), graph, given, wanted);
    }

    List<Tensor> run(Tensor... values) {
      Backend backend = device.backend();
      try {
        for (int i = 0; i < values.length; i++) {
          backend.copy(inputs.get(i), ((ConcreteTensor) values[i]).view());
        }
      } finally {
        Reference.reachabilityFence(values);
      }
      executable.run();
      List<Tensor> outputs = new ArrayList<>();
      for (int i = 0; i < results.size(); i++) {
        Tensor output = ConcreteTensor.zeros(device, types.get(i).dtype(), types.get(i).shape());
        backend.copy(((ConcreteTensor) output).view(), results.get(i));
        outputs.add(output);
      }
      return outputs;
    }

    void close() {
      executable.close();
      free();
    }

    private void free() {
      views.forEach(View::close);
      memories.forEach(Memory::close);
    }

    /// Memory for `value`, noted in `placements`.
    private View place(Value value, List<Placement> placements) {
      Memory memory = device.backend().allocate(value.type().bytes(), Memory.Kind.DEVICE);
      memories.add(memory);
      View view = memory.view(0, value.dtype(), value.shape());
      views.add(view);
      placements.add(new Placement(value, new Slot(memory, 0)));
      return view;
    }
  }
}
