package dev.gatun;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/// What the published POMs promise to those who depend on them.
class PomTest {
  private static Element pom(String module) throws Exception {
    Path file = Repository.file(module).resolve("pom.xml");
    return DocumentBuilderFactory.newInstance()
        .newDocumentBuilder()
        .parse(file.toFile())
        .getDocumentElement();
  }

  private static String text(Element parent, String child) {
    NodeList nodes = parent.getElementsByTagName(child);
    return nodes.getLength() == 0 ? "" : nodes.item(0).getTextContent().strip();
  }

  /// A module that requires one of these is compiled with what that requires transitively, `static`
  /// or not: javac looks for it, so Maven has to hand it on.
  @ParameterizedTest
  @ValueSource(strings = {"java/bindings", "java/api", "java/tensorboard"})
  void whatADescriptorHandsOn_isADependency(String module) throws Exception {
    String descriptor =
        Files.readString(Repository.file(module).resolve("src/main/java/module-info.java"));
    assertTrue(descriptor.contains("requires static transitive org.jspecify;"), descriptor);
    NodeList dependencies = pom(module).getElementsByTagName("dependency");
    Element jspecify = null;
    for (int i = 0; i < dependencies.getLength(); i++) {
      Element dependency = (Element) dependencies.item(i);
      jspecify = text(dependency, "artifactId").equals("jspecify") ? dependency : jspecify;
    }
    assertNotNull(jspecify, "no dependency jspecify");
    assertEquals("", text(jspecify, "optional"));
    assertEquals("", text(jspecify, "scope"));
  }

  /// Whoever depends on it sees these.
  @Test
  void everyArtifactSaysWhatItIs() throws Exception {
    Element parent = pom(".");
    for (String name : new String[] {"licenses", "developers", "description"}) {
      assertFalse(text(parent, name).isEmpty(), name);
    }
    for (String module :
        new String[] {"java/bindings", "java/api", "java/tensorboard", "java/cli"}) {
      assertFalse(text(pom(module), "name").isEmpty(), module);
      assertFalse(text(pom(module), "description").isEmpty(), module);
    }
  }
}
