//! One pass that taps every cut, against one plain pass.

use std::path::Path;

use graft_host::backbone::Pool;
use graft_host::cuts::taps;

use crate::extraction::extract_with;
use crate::jpegs;
use crate::measure::{Took, clocked, median, verdict};
use crate::setting::{Setting, pretrained};

pub fn report(setting: &Setting, folder: &Path, rounds: usize) -> anyhow::Result<()> {
    let paths = jpegs::list(&jpegs::folder_of(folder, (224, 224)))?;
    let whole = pretrained()?;
    let ways = [
        ("mean of each map", vec![Pool::Mean], 1.3),
        ("quarters of each map", vec![Pool::Grid], 1.6),
        ("both", vec![Pool::Mean, Pool::Grid], 1.6),
    ];
    let mut tapped = Vec::new();
    for (name, pools, bound) in ways {
        let taps = taps(&whole, &pools)?;
        let (backbone, columns) = whole.tapped(&taps)?;
        tapped.push((name, backbone, columns.len(), bound, Vec::new()));
    }
    let mut plain = Vec::new();
    for _ in 0..rounds {
        plain.push(clocked(|| extract_with(setting, &setting.backbone, &paths).map(drop))?);
        for (_, backbone, _, _, took) in &mut tapped {
            took.push(clocked(|| extract_with(setting, backbone, &paths).map(drop))?);
        }
    }
    println!("\none pass that taps every cut, MobileNetV2, {} photos of 224x224", paths.len());
    println!("baseline: graft's own pass for the usual features; medians of {rounds} rounds");
    println!("taps                     number features    time           CPU");
    for (name, backbone, number, bound, took) in &tapped {
        let ratio = |of: &dyn Fn(&Took) -> f64| {
            median(took.iter().zip(&plain).map(|(tapped, plain)| of(tapped) / of(plain)))
        };
        let time = ratio(&|took| took.wall.as_secs_f64());
        let cpu = ratio(&|took| took.cpu.as_secs_f64());
        println!(
            "{name:<24} {number:>6} {:>8} {time:>7.2} {} {cpu:>7.2}, bound {bound}",
            backbone.feature_length,
            verdict(time <= *bound)
        );
    }
    Ok(())
}
