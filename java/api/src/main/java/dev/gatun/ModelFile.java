package dev.gatun;

import dev.gatun.data.Preprocessing;
import dev.gatun.file.SafeTensors;
import dev.gatun.file.SafeTensorsWriter;
import dev.gatun.file.SafeTensorsWriter.Source;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// What of a model is in a file: parameters and states under their names, and the values of the
/// preprocessing, in double precision, under `__preprocessing__.` and theirs; its kind is in the
/// metadata. Other names that begin with two underscores are a trainer's ([CheckpointFile]).
final class ModelFile {
  private static final String KIND = "preprocessing";
  static final String PREFIX = "__preprocessing__.";

  private ModelFile() {}

  static void write(Model model, Path file) throws IOException {
    Map<String, String> metadata = new TreeMap<>(Map.of("format", "gatun"));
    List<Source> sources = new ArrayList<>();
    for (String name : names(model)) {
      sources.add(new Source(name, DType.F32, model.shape(name), () -> model.read(name)));
    }
    Preprocessing preprocessing = model.preprocessing();
    if (preprocessing != null) {
      write(preprocessing, metadata, sources);
    }
    SafeTensorsWriter.write(file, metadata, sources);
  }

  static void write(
      Preprocessing preprocessing, Map<String, String> metadata, List<Source> sources) {
    metadata.put(KIND, preprocessing.kind());
    new TreeMap<>(preprocessing.values())
        .forEach(
            (name, values) ->
                sources.add(
                    new Source(PREFIX + name, DType.F64, Shape.of(values.length), () -> values)));
  }

  static void read(Model model, SafeTensors tensors) {
    List<String> names = names(model);
    List<String> unknown =
        tensors.names().stream()
            .filter(name -> !name.startsWith(Checkpoint.FOREIGN) && !names.contains(name))
            .toList();
    if (!unknown.isEmpty()) {
      throw tensors.bad("the tensors of the network expected, found also " + unknown);
    }
    read(model, tensors, names);
  }

  /// The selected ones.
  static void read(Model model, SafeTensors tensors, ParameterSelector selector) {
    List<String> all = names(model);
    Map<String, Shape> shapes = new LinkedHashMap<>();
    all.forEach(name -> shapes.put(name, model.shape(name)));
    Selectors.requireFound("restore", selector, shapes);
    List<String> names =
        all.stream().filter(name -> selector.selects(name, model.shape(name))).toList();
    if (names.isEmpty()) {
      throw new IllegalArgumentException(
          "[restore] expected a selector of some of %s, found one of none".formatted(all));
    }
    read(model, tensors, names);
  }

  private static void read(Model model, SafeTensors tensors, List<String> names) {
    for (String name : names) {
      Shape expected = model.shape(name);
      if (!tensors.shape(name).equals(expected) || !tensors.dtype(name).equals("F32")) {
        throw tensors.bad(
            "tensor %s: F32 %s expected, found %s %s"
                .formatted(name, expected, tensors.dtype(name), tensors.shape(name)));
      }
    }
    Preprocessing preprocessing = preprocessing(tensors);
    for (String name : names) {
      model.write(name, tensors.floats(name));
    }
    if (preprocessing != null) {
      model.preprocessing(preprocessing);
    }
  }

  static @Nullable Preprocessing preprocessing(SafeTensors tensors) {
    String kind = tensors.metadata().get(KIND);
    if (kind == null) {
      return null;
    }
    Map<String, double[]> values = new LinkedHashMap<>();
    for (String name : tensors.names()) {
      if (name.startsWith(PREFIX)) {
        values.put(name.substring(PREFIX.length()), tensors.doubles(name));
      }
    }
    try {
      return Preprocessing.of(kind, values);
    } catch (IllegalArgumentException e) {
      throw tensors.bad(String.valueOf(e.getMessage()), e);
    }
  }

  private static List<String> names(Model model) {
    List<String> names = new ArrayList<>(model.parameterNames());
    names.addAll(model.stateNames());
    return names;
  }
}
