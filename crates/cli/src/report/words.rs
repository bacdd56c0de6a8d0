//! What the numbers say, in sentences: for the page and for the terminal. Names of
//! classes are not in them.

use graft_host::report::{
    About, Benefit, Benefits, Estimate, Forecast, Gain, Measure, Method, MethodCurves,
    TransferReport, Verdict,
};

use crate::text::percent;

/// A verdict with its numbers.
pub struct Said {
    pub verdict: Verdict,
    /// A few words.
    pub head: String,
    /// The numbers.
    pub body: String,
}

/// The verdicts on one method, in the order of the three benefits.
pub fn verdicts(benefits: &Benefits, report: &TransferReport) -> Vec<Said> {
    benefits.gains.iter().map(|gain| verdict(gain, benefits, report)).collect()
}

fn verdict(gain: &Gain, of: &Benefits, report: &TransferReport) -> Said {
    let benefit = match gain.benefit {
        Benefit::HigherStart => "Higher start",
        Benefit::HigherSlope => "Higher slope",
        Benefit::HigherAsymptote => "Higher asymptote",
    };
    let what = report.about.plural();
    let by = match gain.measure {
        Measure::BeforeTraining => "before training".to_owned(),
        Measure::FewestExamples => format!("with the fewest {what}"),
        Measure::PerEpoch => "by epochs".to_owned(),
        Measure::PerDoubling => format!("by {what}"),
        Measure::MostExamples => format!("with all {what}"),
    };
    let answer = match gain.verdict {
        Verdict::Helps => "transfer helps",
        Verdict::NoDifferenceSeen => "no difference seen",
        Verdict::Hurts => match gain.benefit {
            Benefit::HigherSlope => "the slope is lower",
            _ => "transfer hurts",
        },
    };
    let fewest = report.sizes.first().copied().unwrap_or(0);
    let when = match (gain.measure, of.method) {
        (Measure::BeforeTraining, Method::Frozen) => {
            format!("with {fewest} {what}, right after the head")
        }
        (Measure::BeforeTraining, _) => {
            format!("with {fewest} {what}, before the first epoch")
        }
        (Measure::FewestExamples, _) => format!("with {fewest} {what}, after training"),
        (Measure::PerEpoch, _) => {
            format!("an epoch, in the first half of them, with all {what}")
        }
        (Measure::PerDoubling, _) => format!("for each doubling of the {what}"),
        (Measure::MostExamples, _) => {
            format!("with all {} {what}, after training", report.trained)
        }
    };
    let slope = gain.benefit == Benefit::HigherSlope;
    let share = |value: f64| if slope { signed(value) } else { percent(value) };
    let mut body = format!(
        "{} {when}; from scratch {}. The difference: {}.",
        share(gain.transfer),
        share(gain.scratch),
        with_interval(&gain.gain),
    );
    if slope && gain.verdict == Verdict::Hurts && starts_higher(of) {
        body += " It starts higher, so that less is left to gain; this costs nothing unless the end is lower too.";
    }
    if gain.measure == Measure::MostExamples {
        body += &unfinished(of.method, report);
    }
    Said { verdict: gain.verdict, head: format!("{benefit}, {by}: {answer}"), body }
}

fn starts_higher(of: &Benefits) -> bool {
    of.gains.iter().any(|g| g.benefit == Benefit::HigherStart && g.verdict == Verdict::Helps)
}

/// Whose epochs were over before it had learned all it could.
fn unfinished(method: Method, report: &TransferReport) -> String {
    report
        .methods
        .iter()
        .filter(|curves| [method, Method::Scratch].contains(&curves.method))
        .filter(|curves| curves.still_learning == Some(true))
        .map(|curves| {
            format!(
                " {} was still getting better when its {} epochs were over: more of them may change this.",
                capital(curves.method.words()),
                curves.epochs
            )
        })
        .collect()
}

/// What transfer is worth, in one sentence.
pub fn summary(report: &TransferReport) -> String {
    let Some(best) = report.benefits.iter().max_by_key(|benefits| benefits.method) else {
        return "Nothing learned from scratch, so what transfer bought is not known.".to_owned();
    };
    let find = |measure: Measure| best.gains.iter().find(|gain| gain.measure == measure);
    let (Some(few), Some(all)) = (find(Measure::FewestExamples), find(Measure::MostExamples))
    else {
        return String::new();
    };
    let what = report.about.plural();
    let at = |gain: &Gain, count: usize| match gain.verdict {
        Verdict::Helps => {
            format!("helps with {count} {what} ({} points)", points(gain.gain.value))
        }
        Verdict::Hurts => {
            format!("hurts with {count} {what} ({} points)", points(gain.gain.value))
        }
        Verdict::NoDifferenceSeen => {
            format!("makes no difference that can be seen with {count} {what}")
        }
    };
    let fewest = report.sizes.first().copied().unwrap_or(0);
    if [few.verdict, all.verdict] == [Verdict::NoDifferenceSeen; 2] {
        return format!(
            "Transfer ({}) makes no difference that can be seen, with {fewest} photos or with all {}, against the same task learned from scratch.",
            best.method.words(),
            report.trained
        );
    }
    format!(
        "Transfer ({}) {}, and {}, against the same task learned from scratch.",
        best.method.words(),
        at(few, fewest),
        at(all, report.trained)
    )
}

/// What more labels would bring.
pub fn forecast(curves: &MethodCurves, forecast: &Forecast, about: About) -> String {
    let mut text = String::new();
    for at in &forecast.at {
        let bounds = format!("{} to {}", percent(at.interval[0]), percent(at.interval[1]));
        text += &format!(
            "{} times as many ({:.0}): {} (95 %: {bounds}). ",
            at.times,
            at.examples,
            percent(at.accuracy)
        );
    }
    format!("{}: {text}{}", capital(curves.method.words()), law(forecast, about))
}

/// The law, and how far it can be trusted.
pub fn law(forecast: &Forecast, about: About) -> String {
    let what = about.plural();
    let law = &forecast.law;
    let mut text =
        format!("error = {:.3} + {:.3} · n^−{:.2}.", law.offset, law.factor, law.exponent);
    if law.factor == 0.0 {
        text += &format!(" No gain by more {what} was seen, so none is foretold.");
    } else if law.is_at_limit() {
        text += " The exponent is at the end of its range: these sizes do not say by what law errors fall.";
    }
    if let Some(check) = &forecast.check {
        text += &format!(
            " Without its last point it would have said {} for {} {what}, where {} were measured.",
            percent(check.forecast),
            check.examples,
            percent(check.measured)
        );
    }
    text
}

/// `+1.2 points`.
fn signed(value: f64) -> String {
    format!("{} points", points(value))
}

fn points(value: f64) -> String {
    // A minus that is as wide as the plus; no −0.0.
    let tenths = (value * 1000.0).round() / 10.0;
    let sign = if tenths < 0.0 { "−" } else { "+" };
    format!("{sign}{:.1}", tenths.abs())
}

fn with_interval(estimate: &Estimate) -> String {
    let [low, high] = estimate.interval;
    format!("{} (95 %: {} to {})", signed(estimate.value), points(low), points(high))
}

pub fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_have_a_sign_and_no_negative_zero() {
        assert_eq!(points(0.1234), "+12.3");
        assert_eq!(points(-0.1234), "−12.3");
        assert_eq!(points(-0.0001), "+0.0");
        assert_eq!(capital("from scratch"), "From scratch");
    }
}
