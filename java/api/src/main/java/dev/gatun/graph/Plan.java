package dev.gatun.graph;

import dev.gatun.Precision;
import dev.gatun.graph.op.Copy;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Where every value of a graph is stored. Values that share memory (reshapes, in-place results)
/// form one block; a block is either given a slot from outside or an offset in one arena, where
/// blocks that are never alive together overlap.
final class Plan {
  /// Offsets are multiples of a cache line, which is also the widest vector.
  private static final long ALIGNMENT = 64;

  private final Map<Value, Block> blocks = new LinkedHashMap<>(); // whose order breaks ties
  private long arenaBytes;

  /// Plans `graph`. Results that cannot be computed where they belong get a copy node, so the graph
  /// may grow.
  static Plan of(Graph graph, List<Placement> leaves, List<Placement> results) {
    return of(graph, leaves, results, Set.of());
  }

  /// The same, where what the nodes of `prepared` compute stays: they run once, the others often.
  static Plan of(Graph graph, List<Placement> leaves, List<Placement> results, Set<Node> prepared) {
    Plan plan = new Plan();
    for (Placement leaf : leaves) {
      plan.blocks.put(leaf.value(), new Block(leaf.slot()));
    }
    Map<Value, Slot> wanted = plan.placeResults(graph, results);
    plan.assign(graph, wanted, prepared);
    plan.pack();
    return plan;
  }

  long arenaBytes() {
    return arenaBytes;
  }

  /// The slot of `value`; in the arena if its memory is null.
  Location locate(Value value) {
    Block block = block(value);
    return block.slot == null
        ? new Location(null, block.offset)
        : new Location(block.slot, block.slot.offset());
  }

  /// A place: in `slot`, or at `offset` of the arena.
  record Location(@Nullable Slot slot, long offset) {}

  /// Settles which value is computed into which slot. A value that is a leaf, shares a leaf's
  /// memory, or already has another slot is copied instead, as soon as it is there: a later node
  /// may read the slot.
  private Map<Value, Slot> placeResults(Graph graph, List<Placement> results) {
    Map<Value, Slot> wanted = new HashMap<>();
    Set<Value> taken = new HashSet<>();
    for (Placement result : results) {
      Value root = root(result.value());
      if (root.producer() != null && taken.add(root)) {
        wanted.put(root, result.slot());
      } else {
        Node copy = graph.node(new Copy(), List.of(root), "", Precision.F32);
        graph.nodes().add(1 + graph.nodes().indexOf(root.producer()), copy);
        wanted.put(copy.outputs().getFirst(), result.slot());
      }
    }
    return wanted;
  }

  private void assign(Graph graph, Map<Value, Slot> wanted, Set<Node> prepared) {
    List<Node> nodes = graph.nodes();
    Map<Value, Integer> lastUse = lastUses(nodes);
    for (Node node : nodes) {
      if (!prepared.contains(node)) {
        node.inputs().stream()
            .filter(input -> input.producer() != null && prepared.contains(input.producer()))
            .forEach(input -> lastUse.put(input, nodes.size()));
      }
    }
    for (int i = 0; i < nodes.size(); i++) {
      Node node = nodes.get(i);
      for (int k = 0; k < node.outputs().size(); k++) {
        Value output = node.outputs().get(k);
        Slot slot = wanted.get(output);
        Block block;
        if (node.op().isAlias()) {
          block = block(node.inputs().getFirst());
        } else if (slot != null) {
          block = new Block(slot);
        } else {
          Block reused = reusable(node, k, i);
          block = reused == null ? new Block(output.type().bytes(), i) : reused;
        }
        blocks.put(output, block);
        block.last = Math.max(block.last, lastUse.getOrDefault(output, i));
      }
    }
  }

  /// The block of an input that output `k` may overwrite: nobody needs it after node `i`, and the
  /// op allows it.
  private @Nullable Block reusable(Node node, int k, int i) {
    Value output = node.outputs().get(k);
    for (int j = 0; j < node.inputs().size(); j++) {
      Value input = node.inputs().get(j);
      Block block = block(input);
      if (node.op().inPlace(k, j)
          && input.type().equals(output.type())
          && block.slot == null
          && block.last == i
          && readsOnce(node, block)
          && node.outputs().stream().limit(k).noneMatch(other -> blocks.get(other) == block)) {
        return block;
      }
    }
    return null;
  }

  private boolean readsOnce(Node node, Block block) {
    return node.inputs().stream().filter(input -> block(input) == block).count() == 1;
  }

  /// The last node that reads each value.
  private static Map<Value, Integer> lastUses(List<Node> nodes) {
    Map<Value, Integer> last = new HashMap<>();
    for (int i = 0; i < nodes.size(); i++) {
      for (Value input : nodes.get(i).inputs()) {
        last.put(input, i);
      }
    }
    return last;
  }

  /// Gives offsets, the largest blocks first, each at the lowest place that is free for its whole
  /// life.
  private void pack() {
    List<Block> free =
        blocks.values().stream()
            .distinct()
            .filter(block -> block.slot == null)
            .sorted(ORDER)
            .toList();
    List<Block> placed = new ArrayList<>();
    for (Block block : free) {
      long offset = 0;
      for (Block other : placed) {
        if (other.first <= block.last && block.first <= other.last) {
          if (offset + block.bytes <= other.offset) {
            break;
          }
          offset = Math.max(offset, align(other.offset + other.bytes));
        }
      }
      block.offset = offset;
      arenaBytes = Math.max(arenaBytes, offset + block.bytes);
      placed.add(block);
      placed.sort(Comparator.comparingLong(other -> other.offset));
    }
  }

  private static long align(long offset) {
    return Math.ceilDiv(offset, ALIGNMENT) * ALIGNMENT;
  }

  private Block block(Value value) {
    Block block = blocks.get(value);
    if (block == null) {
      throw new IllegalArgumentException("the leaf " + value + " has no memory");
    }
    return block;
  }

  /// The value whose memory `value` shares.
  static Value root(Value value) {
    Node producer = value.producer();
    return producer != null && producer.op().isAlias() ? root(producer.inputs().getFirst()) : value;
  }

  private static final Comparator<Block> ORDER =
      Comparator.comparingLong((Block block) -> -block.bytes)
          .thenComparingInt(block -> block.first);

  private static final class Block {
    private final @Nullable Slot slot;
    private final long bytes;
    private final int first;
    private int last;
    private long offset;

    Block(Slot slot) {
      this.slot = slot;
      this.bytes = 0;
      this.first = 0;
    }

    Block(long bytes, int first) {
      this.slot = null;
      this.bytes = bytes;
      this.first = first;
      this.last = first;
    }
  }
}
