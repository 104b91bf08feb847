package dev.gatun.diagnosis;

import java.util.List;

/// Finds one kind of fault. The built-in ones are small classes of this package, with the limits
/// they judge by; your own is a lambda for [Diagnosis#of(Examination, List)].
@FunctionalInterface
public interface Rule {
  /// The faults there are; none where what the rule looks at was not measured.
  List<Finding> apply(Examination examination);

  /// The built-in rules, causes before their consequences.
  static List<Rule> all() {
    return List.of(
        new InputRule(),
        new LabelRule(),
        new TargetRule(),
        new ObjectiveRule(),
        new NotFiniteRule(),
        new InitialLossRule(),
        new LogitRule(),
        new RestraintRule(),
        new SignalScaleRule(),
        new LearningRateRule(),
        new GradientScaleRule(),
        new DeadUnitRule(),
        new SaturationRule(),
        new GateRule(),
        new ConstantOutputRule(),
        new NoGradientRule(),
        new SmallBatchNormRule(),
        new UpdateRatioRule(),
        new OverfitRule(),
        new CurveRules.FlatStart(),
        new CurveRules.Plateau(),
        new CurveRules.EarlyDecay(),
        new CurveRules.Oscillation(),
        new CurveRules.Overfitting(),
        new CurveRules.Underfitting());
  }
}
