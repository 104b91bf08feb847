package dev.gatun.cli.plot;

import dev.gatun.Schedule;
import dev.gatun.Span;
import java.util.List;

/// Schedules over a run of 100 steps: those that fall, those that rise or begin anew.
final class ScheduleFigure {
  private static final int STEPS = 100;

  private ScheduleFigure() {}

  static Figure of() {
    Span tenth = Span.steps(STEPS / 10);
    return Figure.of(
        panel(
            "Falling",
            curve(
                "step decay at 30, 60, 90",
                Schedule.stepDecay(0.1).at(Span.steps(30), Span.steps(60), Span.steps(90))),
            curve("cosine", Schedule.cosine()),
            curve("linear", Schedule.linear()),
            curve("exponential, k = 0.05", Schedule.exponential(Span.steps(20))),
            curve("1 / t, k = 0.1", Schedule.inverseTime(tenth)),
            curve("1 / √t", Schedule.inverseSquareRoot(Span.steps(1)))),
        panel(
            "Rising, or beginning anew",
            curve("warm-up, then cosine", Schedule.linearWarmup(tenth).then(Schedule.cosine())),
            curve("warm-up, then 1 / √t", Schedule.inverseSquareRoot(tenth).warmup(tenth)),
            curve("cosine with restarts", Schedule.cosineRestarts(Span.steps(14), 2)),
            curve("one cycle", Schedule.oneCycle())));
  }

  private static Panel panel(String title, Curve... curves) {
    return new Panel(title, Axis.linear("step"), Axis.linear("share of the rate"), List.of(curves));
  }

  private static Curve curve(String name, Schedule schedule) {
    double[] step = new double[STEPS];
    double[] factor = new double[STEPS];
    for (int t = 0; t < STEPS; t++) {
      step[t] = t;
      factor[t] = schedule.factor(new Schedule.Moment(t, STEPS, STEPS));
    }
    return Curve.line(name, step, factor);
  }
}
