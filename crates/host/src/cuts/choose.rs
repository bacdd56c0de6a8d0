//! The cheapest cut that is as good as the best, as far as the photos can tell.

use super::{Cut, CutsError};

/// What a cut may cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// In the device engine on this machine.
    pub max_latency_ms: Option<f64>,
    /// Of its parameters.
    pub max_bytes: Option<u64>,
}

/// Which of the cuts within the limits is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rule {
    /// The cheapest whose accuracy is within one standard error of the best's
    /// (Breiman et al., "Classification and Regression Trees", 1984).
    #[default]
    OneStandardError,
    /// The most accurate; of equals the cheapest.
    Best,
}

pub(super) struct Choice {
    /// Whatever it costs.
    pub(super) best: usize,
    pub(super) chosen: usize,
}

/// By latency where it was measured, else by multiply-adds, else by parameters.
fn price(cut: &Cut) -> (f64, u64, u64) {
    (cut.latency_ms.unwrap_or(0.0), cut.multiply_adds.unwrap_or(u64::MAX), cut.parameters)
}

fn cheaper(a: &Cut, b: &Cut) -> std::cmp::Ordering {
    let (a, b) = (price(a), price(b));
    a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2))
}

pub(super) fn choose(cuts: &[Cut], limits: &Limits, rule: Rule) -> Result<Choice, CutsError> {
    let runs = |&i: &usize| cuts[i].device_problem.is_none();
    let on_device: Vec<usize> = (0..cuts.len()).filter(runs).collect();
    let best_of = |indices: &[usize]| {
        indices.iter().copied().max_by(|&a, &b| {
            let by_accuracy = cuts[a].probe.accuracy.total_cmp(&cuts[b].probe.accuracy);
            by_accuracy.then_with(|| cheaper(&cuts[b], &cuts[a]))
        })
    };
    let Some(best) = best_of(&on_device) else {
        let problem = cuts[0].device_problem.clone().unwrap_or_default();
        return Err(CutsError::Device { tensor: cuts[0].tensor.clone(), problem });
    };
    let within = |&i: &usize| {
        let fast = limits
            .max_latency_ms
            .is_none_or(|max| cuts[i].latency_ms.is_some_and(|latency| latency <= max));
        fast && limits.max_bytes.is_none_or(|max| cuts[i].parameter_bytes <= max)
    };
    let allowed: Vec<usize> = on_device.iter().copied().filter(within).collect();
    let Some(best_allowed) = best_of(&allowed) else {
        return Err(nothing_within(cuts, &on_device, limits));
    };
    let chosen = match rule {
        Rule::Best => best_allowed,
        Rule::OneStandardError => {
            let top = &cuts[best_allowed].probe;
            let enough = |&i: &usize| cuts[i].probe.accuracy >= top.accuracy - top.standard_error;
            let good = allowed.iter().copied().filter(enough);
            good.min_by(|&a, &b| cheaper(&cuts[a], &cuts[b])).unwrap_or(best_allowed)
        }
    };
    Ok(Choice { best, chosen })
}

fn nothing_within(cuts: &[Cut], on_device: &[usize], limits: &Limits) -> CutsError {
    let least = on_device.iter().copied().min_by(|&a, &b| cheaper(&cuts[a], &cuts[b]));
    let cut = &cuts[least.expect("some cut runs on the device")];
    let mut limit = Vec::new();
    let mut has = Vec::new();
    if let Some(max) = limits.max_latency_ms {
        limit.push(format!("{max} ms"));
        has.push(cut.latency_ms.map_or("no measured latency".to_owned(), |l| format!("{l:.2} ms")));
    }
    if let Some(max) = limits.max_bytes {
        limit.push(format!("{max} bytes of parameters"));
        has.push(format!("{} bytes", cut.parameter_bytes));
    }
    CutsError::Limits {
        limit: limit.join(" and "),
        tensor: cut.tensor.clone(),
        least: has.join(" and "),
    }
}

#[cfg(test)]
mod tests {
    use graft_learn::Probe;

    use super::*;
    use crate::cuts::PoolName;

    fn cut(tensor: &str, accuracy: f64, latency_ms: f64) -> Cut {
        Cut {
            tensor: tensor.to_owned(),
            pool: PoolName::Mean,
            depth: 1,
            shape: String::new(),
            features: 8,
            parameters: 100,
            parameter_bytes: (100.0 * latency_ms) as u64,
            multiply_adds: Some(1),
            latency_ms: Some(latency_ms),
            device_problem: None,
            probe: Probe { accuracy, standard_error: 0.01, strength: 1.0, log_loss: 0.5 },
        }
    }

    fn four() -> Vec<Cut> {
        vec![cut("a", 0.80, 1.0), cut("b", 0.895, 2.0), cut("c", 0.90, 3.0), cut("d", 0.899, 4.0)]
    }

    fn chosen(cuts: &[Cut], limits: Limits, rule: Rule) -> &str {
        &cuts[choose(cuts, &limits, rule).unwrap().chosen].tensor
    }

    #[test]
    fn the_cheapest_within_one_standard_error() {
        assert_eq!(chosen(&four(), Limits::default(), Rule::OneStandardError), "b");
        assert_eq!(chosen(&four(), Limits::default(), Rule::Best), "c");
    }

    #[test]
    fn limits_come_before_the_rule() {
        let limits = |ms| Limits { max_latency_ms: Some(ms), max_bytes: None };
        assert_eq!(chosen(&four(), limits(1.5), Rule::OneStandardError), "a");
        assert_eq!(chosen(&four(), limits(2.5), Rule::Best), "b");
        let bytes = Limits { max_latency_ms: None, max_bytes: Some(299) };
        assert_eq!(chosen(&four(), bytes, Rule::Best), "b");
        let Err(error) = choose(&four(), &limits(0.5), Rule::Best) else { panic!("none fits") };
        assert_eq!(
            error.to_string(),
            "no cut is within 0.5 ms; the cheapest is \"a\" with 1.00 ms"
        );
    }

    #[test]
    fn what_the_device_does_not_run_is_not_chosen() {
        let mut cuts = four();
        cuts[1].device_problem = Some("no such operator".to_owned());
        assert_eq!(chosen(&cuts, Limits::default(), Rule::OneStandardError), "c");
        cuts.iter_mut().for_each(|c| c.device_problem = Some("no such operator".to_owned()));
        assert!(matches!(
            choose(&cuts, &Limits::default(), Rule::Best),
            Err(CutsError::Device { .. })
        ));
    }
}
