use std::fs;

use graft_tests::sandbox::Said;
use serde_json::Value;

use crate::{HOSTILE, SMALL, murky, report};

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn method<'a>(json: &'a Value, name: &str) -> &'a Value {
    let all = json["methods"].as_array().unwrap();
    all.iter().find(|m| m["method"] == name).unwrap_or_else(|| panic!("no {name}: {json}"))
}

/// As the page writes it.
fn percent(value: &Value) -> String {
    format!("{:.1}\u{a0}%", 100.0 * number(value))
}

#[test]
fn the_page_has_the_numbers_and_nothing_from_elsewhere() {
    let sandbox = murky();
    let said = report(&sandbox, &format!("{SMALL} --json --output report.html")).done();
    let json = said.json();
    let page = fs::read_to_string(sandbox.path("report.html")).unwrap();
    assert_eq!(json["page_bytes"], page.len());
    assert!(said.stderr.contains("18 runs follow"), "{said}");
    assert!(said.stderr.contains("About "), "{said}");

    assert_eq!(
        (&json["examples"], &json["trained"], &json["tested"]),
        (&80.into(), &60.into(), &20.into())
    );
    assert_eq!(json["sizes"], serde_json::json!([15, 30, 60]));
    assert_eq!(json["seeds"], serde_json::json!([0, 1]));
    assert_eq!(json["baseline_accuracy"], 0.5);
    check_curves(&json, &said);

    for curves in json["methods"].as_array().unwrap() {
        for point in curves["by_examples"].as_array().unwrap() {
            assert!(page.contains(&percent(&point["accuracy"]["value"])), "{point}");
        }
        for at in curves["forecast"]["at"].as_array().unwrap() {
            assert!(page.contains(&percent(&at["accuracy"])), "{at}");
        }
    }
    let shown = &json["shown"]["evaluation"];
    assert_eq!(json["shown"]["method"], "fine_tuned");
    assert!(page.contains(&percent(&shown["accuracy"])) && page.contains(&percent(&shown["ece"])));
    for row in shown["confusion"].as_array().unwrap() {
        for count in row.as_array().unwrap() {
            assert!(page.contains(&format!(">{count}</td>")), "{count}");
        }
    }
    let answers = json["shown"]["reliability"].as_array().unwrap();
    assert_eq!(answers.iter().map(|bin| bin["answers"].as_u64().unwrap()).sum::<u64>(), 20);

    // Of the label only what is no tag, and nothing that is loaded or run.
    assert!(page.contains("leaf&lt;img src=x onerror=alert(1)&gt;&amp;&quot;&#39;"));
    assert!(!page.contains(HOSTILE.label) && !page.contains("<img src=x"));
    assert!(!page.contains("<script") && !page.contains("@import") && !page.contains("url("));
    let sources = page.matches("src=\"").count();
    assert!(sources > 0 && sources == page.matches("src=\"data:image/jpeg;base64,").count());
    assert!(!page.contains("https://") && !page.contains("http://"));
    assert!(page.contains("name=\"viewport\"") && page.contains("prefers-color-scheme: dark"));
    assert!(page.contains("default-src 'none'"));
    assert_eq!(page.matches("<svg").count(), 3);
    sandbox.assert_no_remains();
}

fn check_curves(json: &Value, said: &Said) {
    let [frozen, tuned, scratch] = ["frozen", "fine_tuned", "scratch"].map(|m| method(json, m));
    let lengths = |m: &Value| {
        (
            m["epochs"].as_u64().unwrap(),
            m["by_epoch"].as_array().unwrap().len(),
            m["by_examples"].as_array().unwrap().len(),
        )
    };
    assert_eq!(lengths(frozen), (0, 0, 3), "{said}");
    assert_eq!(lengths(tuned), (2, 3, 3), "{said}");
    assert_eq!(lengths(scratch), (3, 4, 3), "{said}");
    // Tuning begins where the head ended, in another engine's arithmetic.
    let head = number(&frozen["by_examples"][2]["accuracy"]["value"]);
    let before = number(&tuned["by_epoch"][0]["accuracy"]["value"]);
    assert!((head - before).abs() < 0.026, "{head} and {before}: {said}");
    // Colours in noise: a head on any features tells most of them apart.
    assert!(head > 0.6, "{said}");
    for benefits in json["benefits"].as_array().unwrap() {
        let of = method(json, benefits["method"].as_str().unwrap());
        let gains = benefits["gains"].as_array().unwrap();
        let gain = |measure: &str| gains.iter().find(|g| g["measure"] == measure);
        assert_eq!(gain("per_epoch").is_some(), of["epochs"] != 0, "{said}");
        for (measure, at) in [("fewest_examples", 0), ("most_examples", 2)] {
            let gain = gain(measure).unwrap();
            let end = |m: &Value| number(&m["by_examples"][at]["accuracy"]["value"]);
            assert!((number(&gain["transfer"]) - end(of)).abs() < 1e-12, "{said}");
            assert!((number(&gain["scratch"]) - end(scratch)).abs() < 1e-12, "{said}");
            let difference = end(of) - end(scratch);
            assert!((number(&gain["gain"]["value"]) - difference).abs() < 1e-12, "{said}");
            let [low, high] = [0, 1].map(|i| number(&gain["gain"]["interval"][i]));
            let verdict = match (low > 0.0, high < 0.0) {
                (true, _) => "helps",
                (_, true) => "hurts",
                _ => "no_difference_seen",
            };
            assert_eq!(gain["verdict"], verdict, "{said}");
        }
    }
}

#[test]
fn threads_and_the_cache_change_no_number_and_photos_can_be_left_out() {
    let sandbox = murky();
    let words = format!("{SMALL} --json --no-photos --output report.html");
    let numbers = |more: &str| {
        let json = report(&sandbox, &format!("{words} {more}")).done().json();
        let mut methods = json["methods"].clone();
        for method in methods.as_array_mut().unwrap() {
            method.as_object_mut().unwrap().remove("seconds");
        }
        (methods, json["benefits"].clone(), json["shown"].clone())
    };
    let one = numbers("--threads 1 --no-cache");
    assert_eq!(one, numbers("--threads 1"));
    assert_eq!(one, numbers("--threads 3"));
    let page = fs::read_to_string(sandbox.path("report.html")).unwrap();
    assert!(!page.contains("data:image") && !page.contains("<img"), "a photo was to be left out");
    assert_ne!(one, numbers("--threads 1 --seed 5"));
}

#[test]
fn methods_that_were_not_asked_for_are_not_run() {
    let sandbox = murky();
    let said = report(&sandbox, "--methods frozen --sizes 2 --seeds 2 -o report.html").done();
    assert!(
        said.stdout.contains("frozen + head") && !said.stdout.contains("from scratch ("),
        "{said}"
    );
    assert!(said.stdout.contains("what transfer bought is not known"), "{said}");
    let page = fs::read_to_string(sandbox.path("report.html")).unwrap();
    assert!(page.contains("A forecast needs three sizes or more."));
}
