//! Pairs of words against nltk's interpolated Kneser-Ney: see fixtures/README.md.

use graft_learn::BigramCounts;
use serde_json::Value;

#[test]
fn probabilities_are_nltks() {
    let stored: Value = serde_json::from_str(include_str!("fixtures/bigram/bigram.json"))
        .expect("the fixture is JSON");
    let integer = |value: &Value| value.as_u64().expect("a number") as u32;
    let pairs = stored["pairs"].as_array().expect("pairs").iter();
    let pairs = pairs.map(|pair| (integer(&pair[0]), integer(&pair[1])));
    let counts = BigramCounts::of(pairs, integer(&stored["words"]) as usize);
    let mut compared = 0;
    for (discount, rows) in stored["probabilities"].as_object().expect("discounts") {
        let bigram = counts.bigram(discount.parse().expect("a number"));
        for row in rows.as_array().expect("rows") {
            let (before, word) = (integer(&row[0]), integer(&row[1]));
            let (found, expected) = (bigram.probability(before, word), row[2].as_f64().unwrap());
            assert!((found - expected).abs() < 1e-12, "{before} {word}: {found}, not {expected}");
            compared += 1;
        }
    }
    assert_eq!(compared, 3 * 62);
}
