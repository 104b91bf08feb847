package dev.gatun;

import dev.gatun.data.ImageShape;
import dev.gatun.data.Preprocessing;
import dev.gatun.data.TestViews;
import dev.gatun.file.SafeTensors;
import dev.gatun.graph.Placement;
import java.io.IOException;
import java.lang.ref.Cleaner;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/// A network with its parameters on a device; owns their memory. Calls take turns; use after close
/// is an [IllegalStateException]. Close the model before its device.
public final class Model implements AutoCloseable {
  /// Those of an array.
  static final int MAX_ELEMENTS = Integer.MAX_VALUE - 8;

  private final Net net;
  private final Device device;
  private final Slab parameters;
  private final Slab states;
  private final Holdings holdings;
  private final Cleaner.Cleanable cleanable;
  private final Map<Integer, InferenceStep> predictors = new HashMap<>();
  private final AtomicLong version = new AtomicLong();
  private @Nullable Preprocessing preprocessing;

  private Model(Net net, Device device, long seed) {
    this.net = net;
    this.device = device;
    this.holdings =
        new Holdings("model of " + net.parameterCount() + " parameters on " + device.name());
    NetTrace trace = NetTrace.dryRun(net);
    Map<String, Shape> parameterShapes = new LinkedHashMap<>();
    trace.parameters().forEach(spec -> parameterShapes.put(spec.name(), spec.shape()));
    Map<String, Shape> stateShapes = new LinkedHashMap<>();
    trace.states().forEach(state -> stateShapes.put(state.name(), state.leaf().shape()));
    trace.parameters().forEach(Model::requireArray);
    try {
      this.parameters = holdings.add(new Slab(device.backend(), "parameters", parameterShapes));
      this.states = holdings.add(new Slab(device.backend(), "states of layers", stateShapes));
      long stream = 0;
      for (NetTrace.Parameter spec : trace.parameters()) {
        parameters.write(spec.name(), initial(spec, seed, stream++));
      }
      for (NetTrace.State state : trace.states()) {
        float[] initial = new float[Math.toIntExact(state.leaf().shape().count())];
        Arrays.fill(initial, (float) state.initialValue());
        states.write(state.name(), initial);
      }
    } catch (RuntimeException | Error e) {
      holdings.release();
      throw e;
    }
    this.cleanable = Leaks.watch(this, holdings);
  }

  /// A model of `net` on `device` with initial parameters drawn from `seed`.
  public static Model of(Net net, Device device, long seed) {
    return new Model(net, device, seed);
  }

  /// The network.
  public Net net() {
    return net;
  }

  /// Where the model lives.
  public Device device() {
    return device;
  }

  /// The names of the trained tensors, such as `stage1.residual0.branch.conv0.weight`, in the order
  /// of the network.
  public List<String> parameterNames() {
    return List.copyOf(parameters.shapes().keySet());
  }

  /// The names of the kept but untrained tensors, such as `batchNorm0.runningMean`.
  public List<String> stateNames() {
    return List.copyOf(states.shapes().keySet());
  }

  /// The extents of a parameter or state.
  ///
  /// @throws IllegalArgumentException if there is none of this name
  public Shape shape(String name) {
    Shape shape = slab(name).shapes().get(name);
    if (shape == null) {
      throw new IllegalArgumentException("the model has no tensor " + name);
    }
    return shape;
  }

  /// The elements of a parameter or state, in a new array.
  ///
  /// @throws IllegalArgumentException if there is none of this name
  public synchronized float[] read(String name) {
    holdings.requireOpen();
    return slab(name).read(name);
  }

  /// Changes the elements of a parameter or state.
  ///
  /// @throws IllegalArgumentException if there is none of this name
  /// @throws ShapeException if the number of elements differs
  public synchronized void write(String name, float[] elements) {
    holdings.requireOpen();
    slab(name).write(name, elements);
    changed();
  }

  /// What inputs go through before they come here, or null if that is not known: training sets it,
  /// and files keep it.
  public synchronized @Nullable Preprocessing preprocessing() {
    return preprocessing;
  }

  /// Says what inputs go through before they come here.
  public synchronized void preprocessing(Preprocessing newPreprocessing) {
    preprocessing = newPreprocessing;
  }

  /// Writes parameters, states and the preprocessing to `file` in the safetensors format, F32 under
  /// their names. The network itself is code, and the optimizer's state is not kept. An old file is
  /// replaced when the new one is complete.
  ///
  /// @throws IOException when it cannot be written; an old file is as it was then
  public synchronized void save(Path file) throws IOException {
    holdings.requireOpen();
    ModelFile.write(this, file);
  }

  /// Takes parameters, states and the preprocessing from a file that [#save] or another program
  /// wrote. Nothing changes if the file does not fit.
  ///
  /// @throws dev.gatun.data.DataFormatException when the file cannot be read, is damaged, or its
  ///   tensors are not those of the network, F32 with the same names and shapes
  public synchronized void restore(Path file) {
    holdings.requireOpen();
    try (SafeTensors tensors = SafeTensors.open(file)) {
      ModelFile.read(this, tensors);
    }
  }

  /// Takes the selected parameters and states from a file, and the preprocessing if it has one; the
  /// rest stays as it is, and other tensors of the file do no harm. To go on with the body of a
  /// trained network under another head: `trainer.model().restore(file, under("head").not())`.
  ///
  /// @throws IllegalArgumentException if none of the model's tensors is selected
  /// @throws dev.gatun.data.DataFormatException when the file cannot be read, is damaged, or a
  ///   selected tensor is not in it, F32 with the same name and shape; nothing changes then
  public synchronized void restore(Path file, ParameterSelector selector) {
    holdings.requireOpen();
    try (SafeTensors tensors = SafeTensors.open(file)) {
      ModelFile.read(this, tensors, selector);
    }
  }

  /// A model of `net` on `device` with the content of a file; see [#restore].
  ///
  /// @throws dev.gatun.data.DataFormatException see [#restore]
  public static Model load(Net net, Device device, Path file) {
    Model model = of(net, device, 0);
    try {
      model.restore(file);
      return model;
    } catch (RuntimeException | Error e) {
      model.close();
      throw e;
    }
  }

  /// The network's outputs in inference mode. An input's outputs may differ in their last bits with
  /// how many inputs there are, for sums are then cut in other ways.
  ///
  /// @param inputs any number of inputs one after the other, preprocessed as in training
  /// @return as many outputs one after the other
  /// @throws ShapeException if the length is not a multiple of an input's
  public synchronized float[] predict(float[] inputs) {
    net.requireInputs("predict", DType.F32);
    return predict(inputs.length, (step, from, length) -> step.run(inputs, from, length));
  }

  /// The same for a network of tokens: see [Net#tokens].
  ///
  /// @param tokens `[N, T]`, any number of sequences one after the other
  /// @throws IllegalArgumentException if a token is not below the vocabulary of an embedding
  public synchronized float[] predict(int[] tokens) {
    net.requireInputs("predict", DType.I32);
    net.requireTokens("predict", tokens);
    return predict(tokens.length, (step, from, length) -> step.run(tokens, from, length));
  }

  /// Runs a step on a part of the inputs.
  private interface Part {
    void run(InferenceStep step, int from, int length);
  }

  private float[] predict(int elements, Part part) {
    holdings.requireOpen();
    int in = Math.toIntExact(net.inputShape().count());
    int out = Math.toIntExact(net.outputShape().count());
    if (in == 0 || elements % in != 0) {
      throw new ShapeException(
          "[predict] expected a multiple of %d elements for inputs %s, found %d"
              .formatted(in, net.inputShape(), elements));
    }
    int count = elements / in;
    float[] outputs = InferenceStep.outputs("predict", net, count);
    int batch = InferenceStep.batch(net, count);
    InferenceStep step =
        predictors.computeIfAbsent(
            batch, size -> holdings.add(InferenceStep.predicting(this, size)));
    for (int first = 0; first < count; first += batch) {
      int size = Math.min(batch, count - first);
      part.run(step, first * in, size * in);
      step.readOutputs(outputs, first * out, size * out);
    }
    return outputs;
  }

  /// The mean of the network's outputs (logits, as a rule) over the views of an image.
  ///
  /// @param image unsigned bytes of shape `shape`, channels-last
  /// @throws IllegalStateException if the preprocessing is not known
  /// @throws ShapeException if the image has not the elements of its shape, or a view is not an
  ///   input of the network
  public synchronized float[] predict(byte[] image, ImageShape shape, TestViews views) {
    Preprocessing known = preprocessing;
    if (known == null) {
      throw new IllegalStateException(
          "[predict] the images' preprocessing is not known: train, load, or set it");
    }
    if (image.length != shape.elements()) {
      throw new ShapeException(
          "[predict] expected an image of %s, %d bytes, found %d"
              .formatted(shape, shape.elements(), image.length));
    }
    byte[] view = new byte[views.output(shape).elements()];
    int elements = known.output(views.output(shape)).elements();
    if (elements != net.inputShape().count()) {
      throw new ShapeException(
          "[predict] the network expects inputs %s, the views are %s"
              .formatted(net.inputShape(), known.output(views.output(shape))));
    }
    float[] input = new float[elements];
    double[] sums = new double[Math.toIntExact(net.outputShape().count())];
    for (int k = 0; k < views.count(); k++) {
      views.read(k, image, shape, view);
      known.apply(view, input, 0);
      float[] outputs = predict(input);
      for (int i = 0; i < sums.length; i++) {
        sums[i] += outputs[i];
      }
    }
    float[] mean = new float[sums.length];
    for (int i = 0; i < mean.length; i++) {
      mean[i] = (float) (sums[i] / views.count());
    }
    return mean;
  }

  /// Gives the memory back; a second call does nothing.
  @Override
  public synchronized void close() {
    holdings.closeByOwner();
    cleanable.clean();
  }

  @Override
  public String toString() {
    return holdings.toString();
  }

  /// Says that parameters or states have another content.
  void changed() {
    version.incrementAndGet();
  }

  /// Another number after each change, by which whoever keeps what depends on the content knows
  /// that it is out of date.
  long version() {
    return version.get();
  }

  void requireOpen() {
    holdings.requireOpen();
  }

  Slab parameters() {
    return parameters;
  }

  Slab states() {
    return states;
  }

  /// Where a trace finds this model's tensors.
  List<Placement> placements(NetTrace trace) {
    holdings.requireOpen();
    List<Placement> places = new ArrayList<>();
    for (NetTrace.Parameter spec : trace.parameters()) {
      requireShape(spec.name(), spec.shape());
      places.add(new Placement(spec.leaf(), parameters.slot(spec.name())));
    }
    for (NetTrace.State state : trace.states()) {
      requireShape(state.name(), state.leaf().shape());
      places.add(new Placement(state.leaf(), states.slot(state.name())));
    }
    return places;
  }

  /// With inputs of other extents, a network may want other parameters.
  private void requireShape(String name, Shape wanted) {
    if (!shape(name).equals(wanted)) {
      throw new ShapeException(
          "the model's %s is %s, with inputs of this shape it would be %s"
              .formatted(name, shape(name), wanted));
    }
  }

  private static void requireArray(NetTrace.Parameter spec) {
    if (spec.shape().count() > MAX_ELEMENTS) {
      throw new ShapeException(
          "%s is %s; a parameter may have %d elements at most"
              .formatted(spec.name(), spec.shape(), MAX_ELEMENTS));
    }
  }

  private static float[] initial(NetTrace.Parameter spec, long seed, long stream) {
    try {
      float[] elements = spec.initializer().sample(spec.shape(), seed, stream);
      if (elements.length != spec.shape().count()) {
        throw new ShapeException(
            "[initializer] expected %d elements for %s, found %d"
                .formatted(spec.shape().count(), spec.shape(), elements.length));
      }
      return elements;
    } catch (ShapeException e) {
      throw new ShapeException(spec.name() + ": " + e.getMessage());
    }
  }

  private Slab slab(String name) {
    return states.shapes().containsKey(name) ? states : parameters;
  }
}
