package dev.gatun.diagnosis;

import dev.gatun.History;
import dev.gatun.Watcher;
import java.util.ArrayList;
import java.util.List;

/// Draws the curves of a run while it goes on, learning rates included:
///
/// ```java
/// CurveWatcher curves = new CurveWatcher();
/// trainer.watch(curves).fit(train, test, epochs(30));
/// System.out.println(Diagnosis.of(curves.curves()).report());
/// ```
public final class CurveWatcher implements Watcher {
  private final List<Curves.Epoch> epochs = new ArrayList<>();
  private double rate = Double.NaN;

  /// Nothing drawn yet.
  public CurveWatcher() {}

  @Override
  public void step(Step step) {
    rate = step.learningRate();
  }

  @Override
  public void epoch(History.Epoch epoch) {
    // A run that went back does epochs again.
    epochs.removeIf(before -> before.number() >= epoch.number());
    epochs.add(Curves.Epoch.of(epoch, rate));
  }

  /// The epochs so far.
  public Curves curves() {
    return new Curves(epochs);
  }
}
