package dev.gatun;

import dev.gatun.backend.Bf16;
import dev.gatun.backend.Memory;
import dev.gatun.backend.View;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.DoubleStream;

/// A tensor with memory on a device.
final class ConcreteTensor extends Tensor {
  /// Bytes that are copied at a time: a buffer ends at 2 GiB, and direct memory is limited.
  private static final int PIECE = 1 << 20;

  private final Device device;
  private final Storage storage;
  private final Cleaner.Cleanable cleanable;

  private ConcreteTensor(Device device, TensorType type) {
    super(type.dtype(), type.shape());
    this.device = device;
    this.storage = Storage.allocate(device, type);
    this.cleanable = Leaks.watch(this, storage);
    Scope.adopt(this);
  }

  static Tensor of(Device device, float[] elements, Shape shape) {
    return of(
        device,
        new TensorType(DType.F32, shape),
        elements.length,
        (piece, first, count) -> piece.asFloatBuffer().put(elements, first, count));
  }

  static Tensor of(Device device, double[] elements, Shape shape) {
    return of(
        device,
        new TensorType(DType.F64, shape),
        elements.length,
        (piece, first, count) -> piece.asDoubleBuffer().put(elements, first, count));
  }

  static Tensor of(Device device, int[] elements, Shape shape) {
    return of(
        device,
        new TensorType(DType.I32, shape),
        elements.length,
        (piece, first, count) -> piece.asIntBuffer().put(elements, first, count));
  }

  static Tensor zeros(Device device, DType dtype, Shape shape) {
    return new ConcreteTensor(device, new TensorType(dtype, shape));
  }

  static Tensor full(Device device, DType dtype, Shape shape, double value) {
    ConcreteTensor tensor = new ConcreteTensor(device, new TensorType(dtype, shape));
    device.backend().fill(tensor.view(), value);
    return tensor;
  }

  /// Runs `op` at once.
  static List<Tensor> run(Op op, List<? extends Tensor> inputs) {
    if (inputs.isEmpty()) {
      throw new IllegalArgumentException("[" + op.name() + "] needs an input to know its device");
    }
    return run(inputs.getFirst().device(), op, inputs);
  }

  static List<Tensor> run(Device device, Op op, List<? extends Tensor> inputs) {
    List<TensorType> types = new ArrayList<>(inputs.size());
    List<View> operands = new ArrayList<>(inputs.size());
    for (Tensor input : inputs) {
      ConcreteTensor concrete = (ConcreteTensor) input;
      if (concrete.device != device) {
        throw new IllegalArgumentException(
            "[%s] operands live on different devices: %s on %s, and %s"
                .formatted(op.name(), TensorType.of(concrete), concrete.device, device));
      }
      types.add(TensorType.of(concrete));
      operands.add(concrete.view());
    }
    List<Tensor> outputs = new ArrayList<>();
    List<View> results = new ArrayList<>();
    try {
      for (TensorType type : op.infer(types)) {
        ConcreteTensor output = new ConcreteTensor(device, type);
        outputs.add(output);
        results.add(output.view());
      }
      op.lower(device.backend(), results, operands);
    } catch (RuntimeException e) {
      outputs.forEach(Tensor::close);
      throw e;
    } finally {
      // Or a tensor whose last use this is could be taken for forgotten in the middle of it.
      Reference.reachabilityFence(inputs);
    }
    return outputs;
  }

  /// For an instruction; the caller keeps this tensor reachable until it has run.
  View view() {
    requireOpen();
    return storage.view;
  }

  @Override
  public Device device() {
    return device;
  }

  @Override
  public float[] toFloatArray() {
    float[] elements = new float[length("toFloatArray")];
    if (dtype() == DType.F32) {
      read((piece, first, count) -> piece.asFloatBuffer().get(elements, first, count));
      return elements;
    }
    double[] wide = toDoubleArray();
    for (int i = 0; i < wide.length; i++) {
      elements[i] = (float) wide[i];
    }
    return elements;
  }

  @Override
  public double[] toDoubleArray() {
    double[] elements = new double[length("toDoubleArray")];
    read(
        (piece, first, count) -> {
          for (int i = first; i < first + count; i++) {
            elements[i] =
                switch (dtype()) {
                  case F32 -> piece.getFloat();
                  case F64 -> piece.getDouble();
                  case I32 -> piece.getInt();
                  case I64 -> piece.getLong();
                  case U8 -> Byte.toUnsignedInt(piece.get());
                  case BF16 -> Bf16.toFloat(piece.getShort());
                };
          }
        });
    return elements;
  }

  @Override
  public int[] toIntArray() {
    if (dtype().isFloating() || dtype() == DType.I64) {
      throw new UnsupportedOperationException(
          "[toIntArray] expected i32 or u8, found "
              + TensorType.of(this)
              + "; convert it by as(DType.I32)");
    }
    int[] elements = new int[length("toIntArray")];
    read(
        (piece, first, count) -> {
          for (int i = first; i < first + count; i++) {
            elements[i] = dtype() == DType.I32 ? piece.getInt() : Byte.toUnsignedInt(piece.get());
          }
        });
    return elements;
  }

  @Override
  public void close() {
    storage.closed = true;
    cleanable.clean();
  }

  /// Such as `f32 (2, 3) on cpu`, with the elements if they are few.
  @Override
  public String toString() {
    String type = TensorType.of(this) + " on " + device.name();
    if (storage.closed) {
      return type + ", closed";
    }
    return shape().count() > 16 ? type : type + " " + elements();
  }

  private String elements() {
    return switch (dtype()) {
      case F32, BF16 -> Arrays.toString(toFloatArray());
      case F64 -> Arrays.toString(toDoubleArray());
      case I32, I64, U8 ->
          Arrays.toString(DoubleStream.of(toDoubleArray()).mapToLong(x -> (long) x).toArray());
    };
  }

  private int length(String op) {
    long count = shape().count();
    if (count > Integer.MAX_VALUE) {
      throw new UnsupportedOperationException(
          "[%s] an array holds at most %d elements, found %s"
              .formatted(op, Integer.MAX_VALUE, TensorType.of(this)));
    }
    return (int) count;
  }

  /// Copies `count` elements from number `first` on between a piece of memory and an array.
  private interface Copy {
    void run(ByteBuffer piece, int first, int count);
  }

  private void read(Copy copy) {
    requireOpen();
    try {
      inPieces(
          TensorType.of(this),
          (piece, first, count) -> {
            storage.memory.read((long) first * dtype().bytes(), piece);
            copy.run(piece.rewind(), first, count);
          });
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  private static void inPieces(TensorType type, Copy copy) {
    int bytes = type.dtype().bytes();
    ByteBuffer piece =
        ByteBuffer.allocateDirect((int) Math.min(PIECE, type.bytes()))
            .order(ByteOrder.nativeOrder());
    for (long first = 0; first < type.shape().count(); first += PIECE / bytes) {
      int count = (int) Math.min(PIECE / bytes, type.shape().count() - first);
      copy.run(piece.clear().limit(count * bytes), (int) first, count);
    }
  }

  private void requireOpen() {
    if (storage.closed) {
      throw new IllegalStateException("the tensor " + TensorType.of(this) + " is closed");
    }
  }

  private static Tensor of(Device device, TensorType type, int elements, Copy copy) {
    if (type.shape().count() != elements) {
      throw new ShapeException(
          "[of] expected %d elements for %s, found %d"
              .formatted(type.shape().count(), type, elements));
    }
    ConcreteTensor tensor = new ConcreteTensor(device, type);
    inPieces(
        type,
        (piece, first, count) -> {
          copy.run(piece, first, count);
          tensor.storage.memory.write((long) first * type.dtype().bytes(), piece);
        });
    return tensor;
  }

  /// What must be given back; knows nothing of the tensor, so that the tensor can become
  /// unreachable.
  private static final class Storage implements Leaks.Resource {
    private final Memory memory;
    private final View view;
    private final String type;
    private volatile boolean closed;

    private Storage(Memory memory, View view, String type) {
      this.memory = memory;
      this.view = view;
      this.type = type;
    }

    static Storage allocate(Device device, TensorType type) {
      Memory memory = device.backend().allocate(type.bytes(), Memory.Kind.DEVICE, "tensors");
      try {
        return new Storage(memory, memory.view(0, type.dtype(), type.shape()), type.toString());
      } catch (RuntimeException e) {
        memory.close();
        throw e;
      }
    }

    @Override
    public boolean closedByOwner() {
      return closed;
    }

    @Override
    public void release() {
      closed = true;
      view.close();
      memory.close();
    }

    @Override
    public String toString() {
      return "tensor " + type;
    }
  }
}
