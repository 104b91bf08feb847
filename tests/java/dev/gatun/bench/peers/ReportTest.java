package dev.gatun.bench.peers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;

class ReportTest {
  private static final Work WORK = new Work.Sgemm(1000);
  private static final List<Roofline.Limit> ROOFLINE =
      Roofline.parse(
          """
          [{"roof": "F32", "threads": 2, "gigaPerSecond": 200.0},
           {"roof": "COPY", "threads": 2, "gigaPerSecond": 40.0}]
          """);

  private static Match.Outcome outcome(Work work, double limit) {
    Map<String, Statistics> times = new LinkedHashMap<>();
    times.put("gatun", new Statistics(20, 0.01, 5));
    times.put("slow", new Statistics(50, 0.02, 1));
    times.put("fast", new Statistics(30, 0.03, 5));
    return new Match.Outcome(work, times, Map.of("none", "cannot"), Statistics.of(limit));
  }

  @Test
  void ratioIsTheFastestPeersTimeByGatuns() {
    Report.Row row = Report.Row.of(outcome(WORK, 200e9), 2);
    assertEquals("fast", row.fastest());
    assertEquals(1.5, row.ratio());
    assertEquals(
        0.5, Objects.requireNonNull(row.share()), 1e-12); // 2 Gflop in 20 ms of 200 Gflop/s
    assertEquals("f32 flops", row.roof());
    assertEquals(200, Objects.requireNonNull(row.limit()), 1e-9);
    assertEquals(Map.of("slow", 50.0, "fast", 30.0), row.peers());
  }

  @Test
  void memoryBoundWorkIsAShareOfTheBandwidth() {
    Report.Row row = Report.Row.of(outcome(new Work.Dropout(50_000_000), 40e9), 2);
    assertEquals(0.5, Objects.requireNonNull(row.share()), 1e-12); // 400 MB in 20 ms of 40 GB/s
    assertEquals("bytes copied", row.roof());
  }

  @Test
  void aRowWithoutGatunIsRefused() {
    Match.Outcome outcome =
        new Match.Outcome(WORK, Map.of("fast", Statistics.of(1)), Map.of("gatun", "why"), null);
    IllegalArgumentException refusal =
        assertThrows(IllegalArgumentException.class, () -> Report.Row.of(outcome, 2));
    assertTrue(String.valueOf(refusal.getMessage()).contains("sgemm 1000: why"));
  }

  @Test
  void jsonHoldsWhatWasMeasured() {
    HostMachine machine = HostMachine.of(0.5, "none", Map.of("gatun", "1"));
    Report report =
        new Report(
            "./gatun bench peers",
            machine,
            ROOFLINE,
            List.of(
                Report.Row.of(outcome(WORK, 200e9), 2),
                Report.Row.of(
                    new Match.Outcome(WORK, Map.of("gatun", Statistics.of(1)), Map.of(), null),
                    1)));
    JsonObject json = JsonParser.parseString(report.toJson()).getAsJsonObject();
    assertEquals(0.5, json.getAsJsonObject("machine").get("loadBefore").getAsDouble());
    assertEquals(
        200,
        json.getAsJsonArray("roofline")
            .get(0)
            .getAsJsonObject()
            .get("gigaPerSecond")
            .getAsDouble());
    JsonObject row = json.getAsJsonArray("rows").get(0).getAsJsonObject();
    assertEquals("sgemm 1000", row.get("work").getAsString());
    assertEquals("f32", row.get("precision").getAsString());
    assertEquals(2, row.get("threads").getAsInt());
    assertEquals(20, row.get("gatunMillis").getAsDouble());
    assertEquals(0.01, row.get("spread").getAsDouble());
    assertEquals(30, row.getAsJsonObject("peers").get("fast").getAsDouble());
    assertEquals(1.5, row.get("ratio").getAsDouble());
    assertEquals(0.5, row.get("share").getAsDouble());
    JsonObject alone = json.getAsJsonArray("rows").get(1).getAsJsonObject();
    assertFalse(alone.has("ratio"));
    assertFalse(alone.has("share")); // its limit is not known
  }

  @Test
  void theBetterOfTwoMeasurementsIsTheLimit() {
    List<Roofline.Limit> other =
        List.of(
            new Roofline.Limit(Work.Roof.F32, 2, 190), new Roofline.Limit(Work.Roof.COPY, 2, 45));
    List<Roofline.Limit> best = Roofline.best(ROOFLINE, other);
    assertEquals(200, best.get(0).gigaPerSecond());
    assertEquals(45, best.get(1).gigaPerSecond());
  }
}
