//! The plots, as SVG. Colours are names in disguise: the page's style sheet gives
//! them those of light and dark.

use anyhow::anyhow;
use graft_host::report::{About, Estimate, Forecast, Method, MethodCurves, ReliabilityBin};
use plotters::prelude::*;

const INK: RGBColor = RGBColor(1, 1, 1);
const LINE: RGBColor = RGBColor(2, 2, 2);
/// Of a phone's screen in portrait, about, so that letters keep their size there.
const SIZE: (u32, u32) = (400, 280);

fn colour(method: Method) -> RGBColor {
    match method {
        Method::Scratch => RGBColor(3, 3, 1),
        Method::Frozen => RGBColor(3, 3, 2),
        Method::FineTuned => RGBColor(3, 3, 3),
    }
}

/// A line with its band.
struct Series {
    method: Method,
    points: Vec<(f64, Estimate)>,
}

/// Accuracy by examples, and beyond them as the law has it. The axis doubles.
pub fn by_examples(
    methods: &[MethodCurves],
    baseline: f64,
    about: About,
) -> anyhow::Result<String> {
    let sizes: Vec<f64> = methods
        .iter()
        .flat_map(|curves| curves.by_examples.iter().map(|p| p.examples as f64))
        .collect();
    let axis = Axis::Doubling { from: sizes.iter().copied().fold(1.0, f64::max), sizes: &sizes };
    let series = methods.iter().map(|curves| Series {
        method: curves.method,
        points: curves
            .by_examples
            .iter()
            .map(|point| (axis.doublings(point.examples as f64), point.accuracy))
            .collect(),
    });
    let forecasts: Vec<(Method, &Forecast)> =
        methods.iter().filter_map(|m| Some((m.method, m.forecast.as_ref()?))).collect();
    let title = format!("{} to learn from", about.plural());
    lines(&series.collect::<Vec<_>>(), baseline, &title, axis, &forecasts)
}

/// Accuracy along the epochs.
pub fn by_epoch(
    methods: &[MethodCurves],
    baseline: f64,
    about: About,
) -> anyhow::Result<Option<String>> {
    let mut series: Vec<Series> = methods
        .iter()
        .filter(|curves| !curves.by_epoch.is_empty())
        .map(|curves| Series {
            method: curves.method,
            points: curves.by_epoch.iter().map(|p| (p.epoch as f64, p.accuracy)).collect(),
        })
        .collect();
    let Some(most) = series.iter().filter_map(|s| s.points.last()).map(|p| p.0).reduce(f64::max)
    else {
        return Ok(None);
    };
    // A head that is solved has no epochs: a level to compare with.
    for curves in methods.iter().filter(|curves| curves.by_epoch.is_empty()) {
        if let Some(last) = curves.by_examples.last() {
            let points = vec![(0.0, last.accuracy), (most, last.accuracy)];
            series.push(Series { method: curves.method, points });
        }
    }
    let axis = format!("epochs, all {}", about.plural());
    lines(&series, baseline, &axis, Axis::Plain, &[]).map(Some)
}

#[derive(Clone, Copy, PartialEq)]
enum Axis<'a> {
    /// Of doublings of the largest number of photos: ticks are where the runs are, which
    /// have about half of them, a fourth and so on.
    Doubling {
        from: f64,
        sizes: &'a [f64],
    },
    Plain,
}

impl Axis<'_> {
    fn doublings(self, examples: f64) -> f64 {
        match self {
            Axis::Doubling { from, .. } => (examples / from).log2(),
            Axis::Plain => examples,
        }
    }
}

fn lines(
    series: &[Series],
    baseline: f64,
    along: &str,
    axis: Axis<'_>,
    forecasts: &[(Method, &Forecast)],
) -> anyhow::Result<String> {
    let xs = series.iter().flat_map(|s| s.points.iter().map(|p| p.0));
    let beyond =
        forecasts.iter().flat_map(|(_, f)| f.at.iter().map(|at| axis.doublings(at.examples)));
    let (left, right) = ends(xs.chain(beyond));
    let measured = series.iter().flat_map(|s| s.points.iter().flat_map(|p| p.1.interval));
    let foretold = forecasts.iter().flat_map(|(_, f)| f.at.iter().flat_map(|at| at.interval));
    let (low, high) = ends(measured.chain(foretold).chain([baseline]));
    let low = ((low - 0.02) * 20.0).floor().max(0.0) / 20.0;
    let high = ((high + 0.01) * 20.0).ceil().min(20.0) / 20.0;
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let pad = 0.03 * (right - left).max(1.0);
        let mut chart = ChartBuilder::on(&root)
            .margin(8)
            .margin_right(14)
            .x_label_area_size(44)
            .y_label_area_size(46)
            .build_cartesian_2d(left - pad..right + pad, low..high)
            .map_err(plotted)?;
        let label = |x: &f64| tick(*x, axis);
        mesh(&mut chart, along, axis_ticks(left, right, axis), &label)?;
        let level = [(left - pad, baseline), (right + pad, baseline)];
        chart.draw_series(dashed(&level, &INK.mix(0.6), 2)).map_err(plotted)?;
        for s in series {
            let colour = colour(s.method);
            let upper = s.points.iter().map(|(x, e)| (*x, e.interval[1]));
            let lower = s.points.iter().rev().map(|(x, e)| (*x, e.interval[0]));
            let band: Vec<(f64, f64)> = upper.chain(lower).collect();
            let middle: Vec<(f64, f64)> = s.points.iter().map(|(x, e)| (*x, e.value)).collect();
            chart.draw_series([Polygon::new(band, colour.mix(0.16).filled())]).map_err(plotted)?;
            chart
                .draw_series(LineSeries::new(middle.clone(), colour.stroke_width(2)))
                .map_err(plotted)?;
            if axis != Axis::Plain {
                let dots = middle.into_iter().map(|at| Circle::new(at, 3, colour.filled()));
                chart.draw_series(dots).map_err(plotted)?;
            }
        }
        for (method, forecast) in forecasts {
            let colour = colour(*method);
            let last = series.iter().find(|s| s.method == *method).and_then(|s| s.points.last());
            let mut law: Vec<(f64, f64)> = last.iter().map(|(x, e)| (*x, e.value)).collect();
            for at in &forecast.at {
                let x = axis.doublings(at.examples);
                law.push((x, at.accuracy));
                // Side by side where methods are foretold alike.
                let x = x + aside(*method);
                let whisker = [(x, at.interval[0]), (x, at.interval[1])];
                chart
                    .draw_series(LineSeries::new(whisker, colour.mix(0.6).stroke_width(2)))
                    .map_err(plotted)?;
            }
            chart.draw_series(dashed(&law, &colour.to_rgba(), 5)).map_err(plotted)?;
        }
        root.present().map_err(plotted)?;
    }
    Ok(inline(&svg))
}

/// Confidence against accuracy. The larger the dot, the more answers.
pub fn reliability(bins: &[ReliabilityBin], method: Method) -> anyhow::Result<String> {
    let all: usize = bins.iter().map(|bin| bin.answers).sum();
    let (left, _) = ends(bins.iter().map(|bin| bin.confidence));
    let left = (left * 10.0 - 0.5).floor().max(0.0) / 10.0;
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let mut chart = ChartBuilder::on(&root)
            .margin(8)
            .margin_right(14)
            .x_label_area_size(44)
            .y_label_area_size(46)
            .build_cartesian_2d(left..1.01, -0.02..1.03)
            .map_err(plotted)?;
        let label = |x: &f64| format!("{:.0} %", x * 100.0);
        mesh(&mut chart, "confidence", 6, &label)?;
        chart
            .draw_series(dashed(&[(left, left), (1.0, 1.0)], &INK.mix(0.6), 3))
            .map_err(plotted)?;
        let colour = colour(method);
        let points: Vec<(f64, f64)> = bins.iter().map(|b| (b.confidence, b.accuracy)).collect();
        chart
            .draw_series(LineSeries::new(points, colour.mix(0.5).stroke_width(2)))
            .map_err(plotted)?;
        let dots = bins.iter().map(|bin| {
            let radius = 3.0 + 9.0 * (bin.answers as f64 / all.max(1) as f64).sqrt();
            Circle::new((bin.confidence, bin.accuracy), radius as i32, colour.mix(0.7).filled())
        });
        chart.draw_series(dots).map_err(plotted)?;
        root.present().map_err(plotted)?;
    }
    Ok(inline(&svg))
}

type Chart<'a, 'b> = ChartContext<
    'a,
    SVGBackend<'b>,
    Cartesian2d<plotters::coord::types::RangedCoordf64, plotters::coord::types::RangedCoordf64>,
>;

fn mesh(
    chart: &mut Chart<'_, '_>,
    along: &str,
    ticks: usize,
    label: &dyn Fn(&f64) -> String,
) -> anyhow::Result<()> {
    let font = ("sans-serif", 16).into_font().color(&INK);
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(LINE)
        .axis_style(LINE)
        .x_labels(ticks)
        .y_labels(6)
        .x_label_formatter(label)
        .y_label_formatter(&|y| format!("{:.0} %", y * 100.0))
        .x_desc(along)
        .label_style(font.clone())
        .axis_desc_style(font)
        .draw()
        .map_err(plotted)
}

fn dashed(
    points: &[(f64, f64)],
    colour: &RGBAColor,
    length: u32,
) -> DashedLineSeries<std::vec::IntoIter<(f64, f64)>, u32> {
    DashedLineSeries::new(points.to_vec(), length, 4, colour.stroke_width(2))
}

fn aside(method: Method) -> f64 {
    match method {
        Method::Scratch => -0.06,
        Method::Frozen => 0.0,
        Method::FineTuned => 0.06,
    }
}

fn tick(x: f64, axis: Axis<'_>) -> String {
    match axis {
        // Between two whole ones there is nothing to name.
        _ if x.fract().abs() > 1e-9 => String::new(),
        Axis::Plain => format!("{x:.0}"),
        Axis::Doubling { from, sizes } => {
            let there = from * x.exp2();
            let nearest = sizes.iter().min_by(|a, b| {
                let far = |size: &f64| (size / there).ln().abs();
                far(a).total_cmp(&far(b))
            });
            let run = nearest.filter(|size| (*size / there).log2().abs() < 0.2);
            format!("{:.0}", run.unwrap_or(&there))
        }
    }
}

fn axis_ticks(left: f64, right: f64, axis: Axis<'_>) -> usize {
    match axis {
        Axis::Doubling { .. } => (right - left).round() as usize + 1,
        Axis::Plain => 7,
    }
}

fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
}

/// Without what only a file of its own needs.
fn inline(svg: &str) -> String {
    let svg = svg.find("<svg").map_or(svg, |start| &svg[start..]);
    svg.replacen(" xmlns=\"http://www.w3.org/2000/svg\"", "", 1)
}

fn plotted(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("a plot cannot be drawn: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_the_sizes_that_were_learned_from() {
        let axis = Axis::Doubling { from: 300.0, sizes: &[18.0, 37.0, 75.0, 150.0, 300.0] };
        let ticks: Vec<String> = (-4..=2).map(|x| tick(f64::from(x), axis)).collect();
        assert_eq!(ticks, ["18", "37", "75", "150", "300", "600", "1200"]);
        assert_eq!(tick(0.5, axis), "");
        assert_eq!(tick(3.0, Axis::Plain), "3");
    }
}
