//! Which score to trust: how each orders the sources, beside the probe.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use serde_json::Value;

/// Runs the `graft` that was built with this program, on all models that the
/// person has: what is built in, and what was fetched.
pub fn report(data: &Path) -> anyhow::Result<()> {
    let graft = std::env::current_exe()?.with_file_name("graft");
    let output = Command::new(&graft)
        .args(["rank", "--json"])
        .arg(data)
        .output()
        .with_context(|| format!("{} does not start", graft.display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "graft rank: {said}");
    let json: Value = serde_json::from_slice(&output.stdout)?;
    let list = |name: &str| json[name].as_array().map(Vec::as_slice).unwrap_or_default();
    println!("sources, by the accuracy of a linear probe on {} photos", json["examples"]);
    for source in list("sources") {
        let share = |name: &str| source[name].as_f64().unwrap_or(f64::NAN) * 100.0;
        println!(
            "  {:20} {:5.1} % ± {:.1}",
            source["name"].as_str().unwrap_or_default(),
            share("probe_accuracy"),
            share("probe_standard_error")
        );
    }
    println!("Kendall's tau against it");
    for one in list("agreement") {
        let tau = one["kendall_tau"].as_f64().map_or("-".to_owned(), |tau| format!("{tau:+.2}"));
        let score = one["score"].as_str().unwrap_or_default();
        println!("  {score:20} {tau} over {} sources", one["sources"]);
    }
    Ok(())
}
