package dev.gatun.cli.plot;

import java.awt.BasicStroke;
import java.awt.Color;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.DoubleConsumer;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler;
import org.knowm.xchart.style.XYStyler;
import org.knowm.xchart.style.markers.SeriesMarkers;

/// A [Panel] as a chart of XChart's.
final class Chart {
  /// Told apart by those who see colours otherwise, too (Okabe and Ito 2008).
  static final List<Color> COLORS =
      List.of(
          new Color(0x0072B2),
          new Color(0xD55E00),
          new Color(0x009E73),
          new Color(0xCC79A7),
          new Color(0xE69F00),
          new Color(0x56B4E9),
          new Color(0x000000));

  private static final Color BEHIND = new Color(0xC8C8C8);
  private static final int MARKER = 5;
  private static final int MANY = 20; // points of a line

  private Chart() {}

  static XYChart of(Panel panel, int width, int height) {
    XYChart chart = new XYChart(width, height);
    chart.setTitle(panel.title());
    chart.setXAxisTitle(panel.x().label());
    chart.setYAxisTitle(panel.y().label());
    style(chart.getStyler(), panel);
    int color = 0;
    for (Curve curve : panel.curves()) {
      double[] x = drawable(curve.x(), panel.x());
      double[] y = drawable(curve.y(), panel.y());
      String name = curve.name().isEmpty() ? "curve " + chart.getSeriesMap().size() : curve.name();
      XYSeries series = chart.addSeries(name, x, y);
      series.setShowInLegend(!curve.name().isEmpty());
      boolean behind = curve.style() == Curve.Style.CONTOUR || curve.style() == Curve.Style.CLOUD;
      style(series, curve.style(), behind ? BEHIND : COLORS.get(color++ % COLORS.size()));
    }
    letTicksBeRound(chart, panel);
    return chart;
  }

  /// XChart counts ticks by the points where these are equally spaced, and labels 1, 14, 27, …, or
  /// two losses with all their digits; a point between them, which is not drawn, makes it choose
  /// round numbers.
  private static void letTicksBeRound(XYChart chart, Panel panel) {
    double[] x = panel.curves().getFirst().x();
    if (x.length > MANY) {
      addUnseen(chart, "ticks", x[0] + 0.3 * (x[1] - x[0]), Double.NaN);
    }
    double[] levels =
        panel.curves().stream()
            .flatMapToDouble(curve -> Arrays.stream(curve.y()))
            .filter(Double::isFinite)
            .distinct()
            .limit(3)
            .toArray();
    if (levels.length == 2) {
      addUnseen(chart, "levels", x[0], levels[0] + 0.3 * (levels[1] - levels[0]));
    }
  }

  private static void addUnseen(XYChart chart, String name, double x, double y) {
    XYSeries unseen = chart.addSeries(name, new double[] {x}, new double[] {y});
    unseen.setMarker(SeriesMarkers.NONE);
    unseen.setShowInLegend(false);
  }

  private static void style(XYStyler styler, Panel panel) {
    styler.setLocale(Locale.ROOT);
    styler.setChartBackgroundColor(Color.WHITE);
    styler.setPlotBorderVisible(false);
    styler.setPlotGridLinesColor(new Color(0xEBEBEB));
    styler.setLegendBorderColor(Color.WHITE);
    styler.setLegendPosition(Styler.LegendPosition.OutsideE);
    styler.setMarkerSize(MARKER);
    styler.setXAxisLogarithmic(panel.x().logarithmic());
    styler.setYAxisLogarithmic(panel.y().logarithmic());
    limit(panel.x().least(), styler::setXAxisMin);
    limit(panel.x().greatest(), styler::setXAxisMax);
    limit(panel.y().least(), styler::setYAxisMin);
    limit(panel.y().greatest(), styler::setYAxisMax);
  }

  private static void limit(double limit, DoubleConsumer setter) {
    if (!Double.isNaN(limit)) {
      setter.accept(limit);
    }
  }

  private static void style(XYSeries series, Curve.Style style, Color color) {
    boolean joined = style != Curve.Style.DOTS && style != Curve.Style.CLOUD;
    boolean marked = style == Curve.Style.PATH || !joined;
    series.setXYSeriesRenderStyle(
        joined ? XYSeries.XYSeriesRenderStyle.Line : XYSeries.XYSeriesRenderStyle.Scatter);
    series.setMarker(marked ? SeriesMarkers.CIRCLE : SeriesMarkers.NONE);
    series.setMarkerColor(color);
    series.setLineColor(color);
    series.setLineStyle(new BasicStroke(style == Curve.Style.LINE ? 2 : 1));
  }

  /// The same, with NaN for what is infinite, or not above 0 on a logarithmic axis.
  private static double[] drawable(double[] values, Axis axis) {
    double[] drawable = values.clone();
    for (int i = 0; i < drawable.length; i++) {
      if (Double.isInfinite(drawable[i]) || (axis.logarithmic() && drawable[i] <= 0)) {
        drawable[i] = Double.NaN;
      }
    }
    return drawable;
  }
}
