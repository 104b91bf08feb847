package dev.gatun.backend.ffm;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gatun.DType;
import dev.gatun.backend.Backend;
import dev.gatun.backend.Backend.Activation;
import dev.gatun.backend.Backend.AdaptiveRule;
import dev.gatun.backend.Backend.Binary;
import dev.gatun.backend.Backend.Products;
import dev.gatun.backend.Backend.Reduction;
import dev.gatun.backend.Backend.Unary;
import dev.gatun.backend.Memory;
import dev.gatun.ffi.gatun_h;
import dev.gatun.graph.op.Concat;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToIntFunction;
import org.junit.jupiter.api.Test;

/// Every constant of an enumeration has the number of the header's constant of the same name, and
/// no number is missing; limits are the header's.
class CodesTest {
  @Test
  void everyEnumeration_hasTheHeadersNumbers() throws Exception {
    check("GT_", DType.values(), Codes::code);
    check("GT_MEMORY_", Memory.Kind.values(), Codes::code);
    check("GT_PRODUCTS_", Products.values(), Codes::code);
    check("GT_UNARY_", Unary.values(), Codes::code);
    check("GT_BINARY_", Binary.values(), Codes::code);
    check("GT_REDUCE_", Reduction.values(), Codes::code);
    check("GT_ACTIVATION_", Activation.values(), Codes::code);
    check("GT_ADAPTIVE_", AdaptiveRule.values(), Codes::code);
  }

  @Test
  void limits_areTheHeaders() {
    assertEquals(gatun_h.GT_CONCAT_MAX_INPUTS(), Concat.MAX_INPUTS);
    assertEquals(gatun_h.GT_ELEMENTWISE_MAX_INPUTS(), Backend.MAX_STEP_INPUTS);
    assertEquals(gatun_h.GT_ELEMENTWISE_MAX_STEPS(), Backend.MAX_STEPS);
  }

  private static <E extends Enum<E>> void check(String prefix, E[] values, ToIntFunction<E> code)
      throws Exception {
    List<String> names = new ArrayList<>();
    for (E value : values) {
      String name = prefix + value.name();
      assertEquals(gatun_h.class.getMethod(name).invoke(null), code.applyAsInt(value), name);
      names.add(name);
    }
    if (!prefix.equals("GT_")) {
      for (Method method : gatun_h.class.getMethods()) {
        if (method.getName().startsWith(prefix) && !names.contains(method.getName())) {
          throw new AssertionError("Java does not have " + method.getName());
        }
      }
    }
  }
}
