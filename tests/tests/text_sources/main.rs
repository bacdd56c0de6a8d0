//! Which word vectors suit a task about texts, and what comes of tuning them.

mod ranking;
mod reporting;
mod tuning;

use graft_tests::sandbox::Sandbox;

/// Two directions that matter, one that doesn't.
const VECTORS: &str = "the 0.1 0.1 4\nsoup 2 0.1 0.2\nbread 1.8 0.2 -0.1\nsalt 2.1 -0.2 0.3\n\
    butter 1.7 0.3 0.1\ngoal 0.2 2 0.2\nmatch -0.1 1.9 0.3\nteam 0.1 2.2 -0.2\n\
    score 0.3 1.6 0.1\ncoach 0.1 1.5 0.4\noven 1.4 0.1 0.2\n";

const FOOD: [&str; 4] = ["soup", "bread", "salt", "butter"];
const SPORT: [&str; 4] = ["goal", "match", "team", "score"];

/// Eighty short texts of two classes and their table. "and" has no vector.
fn table() -> String {
    let mut table = String::from("text,label\n");
    for i in 0..40 {
        for (label, words) in [("food", FOOD), ("sport", SPORT)] {
            let (a, b, c) = (words[i % 4], words[i / 4 % 4], words[(i + i / 16) % 4]);
            table += &format!("the {a} the {b} and {c},{label}\n");
        }
    }
    table
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.txt", VECTORS);
    sandbox.write("texts.csv", table());
    sandbox
}
