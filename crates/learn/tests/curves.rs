//! Learning curves against scipy, on the stored fixture.

use graft_learn::curves::{
    Curves, Estimate, SizeError, Trial, Verdict, benefits, contrast, forecast, power_law,
    t_quantile,
};
use serde_json::Value;

fn fixture() -> Value {
    serde_json::from_str(include_str!("fixtures/curves/curves.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

#[track_caller]
fn near(found: f64, expected: f64, tolerance: f64) {
    let scale = expected.abs().max(1.0);
    assert!((found - expected).abs() <= tolerance * scale, "{found}, not {expected}");
}

fn near_all(found: &Estimate, value: &Value, interval: &Value) {
    near(found.value, value.as_f64().unwrap(), 1e-12);
    for (found, expected) in found.interval.iter().zip(numbers(interval)) {
        near(*found, expected, 1e-9);
    }
}

#[test]
fn quantiles_are_scipys() {
    for case in fixture()["t"].as_array().unwrap() {
        let [p, freedom, expected] = numbers(case)[..] else { panic!("{case}") };
        near(t_quantile(p, freedom), expected, 1e-10);
    }
}

#[test]
fn contrasts_are_scipys_intervals() {
    for case in fixture()["contrasts"].as_array().unwrap() {
        let rows: Vec<Vec<f64>> = case["rows"].as_array().unwrap().iter().map(numbers).collect();
        near_all(&contrast(&rows), &case["value"], &case["interval"]);
    }
}

/// `right[size][seed][epoch][photo]`.
fn curves(of: &Value, right: &Value) -> Curves {
    let (sizes, seeds) = (numbers(&of["sizes"]), numbers(&of["seeds"]));
    let mut trials = Vec::new();
    for (i, &size) in sizes.iter().enumerate() {
        for (k, &seed) in seeds.iter().enumerate() {
            let epochs = right[i][k].as_array().unwrap().iter();
            let right =
                epochs.map(|row| numbers(row).iter().map(|&r| r == 1.0).collect()).collect();
            trials.push(Trial { seed: seed as u64, examples: size as usize, right });
        }
    }
    Curves::new(trials).unwrap()
}

#[test]
fn benefits_are_scipys_paired_differences() {
    let fixture = fixture();
    let of = &fixture["benefits"];
    let (transfer, scratch) = (curves(of, &of["transfer"]), curves(of, &of["scratch"]));
    let gains = benefits(&transfer, &scratch).unwrap();
    assert_eq!(gains.len(), 5);
    for gain in &gains {
        let json = serde_json::to_value(gain).unwrap();
        let expected = &of["gains"][json["measure"].as_str().unwrap()];
        near_all(&gain.gain, &expected["gain"], &expected["interval"]);
        near(gain.transfer, expected["transfer"].as_f64().unwrap(), 1e-12);
        near(gain.scratch, expected["scratch"].as_f64().unwrap(), 1e-12);
        let verdict = match gain.gain.interval {
            [low, _] if low > 0.0 => Verdict::Helps,
            [_, high] if high < 0.0 => Verdict::Hurts,
            _ => Verdict::NoDifferenceSeen,
        };
        assert_eq!(gain.verdict, verdict);
    }
    // The other way round everything is turned over.
    let turned = benefits(&scratch, &transfer).unwrap();
    assert!(gains.iter().any(|gain| gain.verdict == Verdict::Helps));
    for (a, b) in gains.iter().zip(&turned) {
        near(a.gain.value, -b.gain.value, 1e-12);
        assert_eq!(a.verdict == Verdict::Helps, b.verdict == Verdict::Hurts);
    }
    // A method against itself makes no difference, and the interval has no width.
    let same = benefits(&transfer, &transfer).unwrap();
    assert!(same.iter().all(|g| g.verdict == Verdict::NoDifferenceSeen && g.gain.value == 0.0));
}

#[test]
fn laws_are_no_worse_than_scipys() {
    for case in fixture()["laws"].as_array().unwrap() {
        let (n, error) = (numbers(&case["examples"]), numbers(&case["error"]));
        let weight = numbers(&case["weight"]);
        let points: Vec<SizeError> = (0..n.len())
            .map(|i| SizeError { examples: n[i], error: error[i], weight: weight[i] })
            .collect();
        let law = power_law(&points).unwrap();
        let squares: f64 =
            points.iter().map(|p| p.weight * (law.error(p.examples) - p.error).powi(2)).sum();
        let expected = case["squares"].as_f64().unwrap();
        // Scipy's solver may stop short of the dip, and keeps off the edges.
        assert!(squares <= expected * (1.0 + 1e-9) + 1e-12, "{law:?}: {squares} > {expected}");
        for at in case["at"].as_array().unwrap() {
            near(law.error(at[0].as_f64().unwrap()), at[1].as_f64().unwrap(), 1e-6);
        }
    }
}

#[test]
fn a_known_law_is_found_and_forecast() {
    let photos = 20_000;
    let law = |n: f64| 0.04 + 1.1 * n.powf(-0.6);
    let trials = [25usize, 50, 100, 200, 400].into_iter().flat_map(|examples| {
        (0..3u64).map(move |seed| {
            let wrong = (law(examples as f64) * photos as f64).round() as usize;
            // Each size and seed is wrong about other photos.
            let from = examples * 37 + seed as usize * 4999;
            let mut right = vec![true; photos];
            (0..wrong).for_each(|i| right[(from + i * 7) % photos] = false);
            Trial { seed, examples, right: vec![right] }
        })
    });
    let curves = Curves::new(trials.collect()).unwrap();
    let forecast = forecast(&curves, &[2.0, 4.0], 5).unwrap();
    for at in &forecast.at {
        near(at.accuracy, 1.0 - law(400.0 * at.times), 1e-3);
        assert!(at.interval[0] < at.accuracy && at.accuracy < at.interval[1], "{at:?}");
        assert!(at.interval[1] - at.interval[0] < 0.05, "{at:?}");
    }
    assert!(!forecast.law.is_at_limit());
    let check = forecast.check.unwrap();
    near(check.forecast, check.measured, 2e-3);
}

#[test]
fn too_few_sizes_or_no_numbers_have_no_law() {
    let point = |examples: f64, error: f64| SizeError { examples, error, weight: 1.0 };
    assert_eq!(power_law(&[point(8.0, 0.3), point(16.0, 0.2)]), None);
    assert_eq!(power_law(&[point(8.0, 0.3), point(16.0, 0.2), point(16.0, 0.1)]), None);
    assert_eq!(power_law(&[point(8.0, 0.3), point(16.0, f64::NAN), point(32.0, 0.1)]), None);
    // Errors that rise: no number of labels helps, and the law is flat.
    // Faster than any law that is looked for, so no law is found.
    let cliff = power_law(&[point(8.0, 0.5), point(16.0, 0.1), point(32.0, 0.1)]).unwrap();
    assert!(cliff.is_at_limit() && cliff.exponent > 1.9, "{cliff:?}");
    let flat = power_law(&[point(8.0, 0.1), point(16.0, 0.2), point(32.0, 0.3)]).unwrap();
    near(flat.error(1e6), 0.2, 1e-9);
    let perfect = power_law(&[point(8.0, 0.0), point(16.0, 0.0), point(32.0, 0.0)]).unwrap();
    assert_eq!(perfect.error(64.0), 0.0);
}

#[test]
fn a_method_that_still_rises_says_so() {
    let with = |shares: &[usize]| {
        let row = |right: usize| (0..200).map(|photo| photo < right).collect();
        let right = shares.iter().map(|&share| row(share)).collect();
        Curves::new(vec![Trial { seed: 0, examples: 10, right }]).unwrap()
    };
    use graft_learn::curves::still_learning;
    assert_eq!(still_learning(&with(&[20, 40, 60, 80, 120, 150, 180])), Some(true));
    assert_eq!(still_learning(&with(&[20, 150, 180, 181, 180, 180, 180])), Some(false));
    assert_eq!(still_learning(&with(&[20, 150, 180])), None);
}
