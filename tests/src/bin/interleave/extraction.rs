//! Photos to features, against ONNX Runtime alone on tensors that are ready.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use graft_host::backbone::Backbone;
use graft_host::engine::Network;
use graft_host::features::{FeatureCost, FeatureOptions, Features, features};
use graft_host::provider::Provider;
use graft_input::Preparer;
use graft_onnx::FEATURES;

use crate::jpegs;
use crate::measure::{Took, clocked, median, verdict};
use crate::setting::Setting;

/// graft may lose a twentieth to what neither the network nor preparing costs.
const SHARE: f64 = 0.95;

/// Tensors that the network alone goes round and round on: 38 MB, as many as no
/// cache of a small machine holds. A multiple of every batch.
const READY: usize = 64;

/// Ways of the sweep that come so near to each other that noise could choose
/// among them.
const FINALISTS: usize = 3;

const BATCHES: [usize; 4] = [1, 2, 4, 8];

/// A way to keep all cores busy with ONNX Runtime.
#[derive(Clone, Copy)]
struct Layout {
    sessions: usize,
    threads: usize,
    batch: usize,
}

impl std::fmt::Display for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Layout { sessions, threads, batch } = self;
        write!(f, "sessions {sessions}, threads in each {threads}, batch {batch}")
    }
}

/// ONNX Runtime alone: sessions that are open, on tensors that are ready.
struct Alone<'a> {
    setting: &'a Setting,
    layout: Layout,
    networks: Vec<Network>,
}

impl<'a> Alone<'a> {
    fn open(setting: &'a Setting, layout: Layout) -> anyhow::Result<Alone<'a>> {
        let model = setting.backbone.graph().to_bytes();
        let open = || Network::open(&setting.engine, &model, &Provider::Cpu, layout.threads);
        let networks = (0..layout.sessions).map(|_| open()).collect::<Result<_, _>>()?;
        Ok(Alone { setting, layout, networks })
    }

    /// Runs `count` photos.
    fn run(&mut self, tensors: &[f32], count: usize) -> anyhow::Result<()> {
        let batch = self.layout.batch;
        let shape = self.setting.backbone.input.shape(batch);
        let length: usize = shape.iter().product();
        let next = AtomicUsize::new(0);
        each_on_a_thread(self.networks.iter_mut(), |network| {
            loop {
                let first = batch * next.fetch_add(1, Ordering::Relaxed);
                if first >= count {
                    return Ok(());
                }
                let at = first % READY / batch * length;
                network.run(&shape, &tensors[at..at + length], FEATURES, |values| {
                    std::hint::black_box(values);
                })?;
            }
        })
    }
}

pub fn report(setting: &Setting, folder: &Path, rounds: usize) -> anyhow::Result<()> {
    let tensors = ready(setting, &jpegs::folder_of(folder, jpegs::SIZES[0]))?;
    let mut finalists = sweep(setting, &tensors)?;
    println!("\nphotos to features, MobileNetV2, {} threads, no cache", setting.threads);
    println!("baseline: ONNX Runtime {} alone on ready tensors,", setting.engine.version());
    println!(
        "  in the best of the first {FINALISTS} ways above, which are timed again beside graft"
    );
    println!("ms a photo: network N, preparing P, graft (the opening of its sessions included)");
    println!("speed: graft's as a share of the baseline's; bound: {SHARE} N / (N + P)");
    println!("CPU: graft's as a share of N's and P's together; medians of {rounds} rounds");
    println!("photos    number bits/px       N       P   graft   speed   bound          CPU");
    for (width, height) in jpegs::SIZES {
        let paths = jpegs::list(&jpegs::folder_of(folder, (width, height)))?;
        let bytes =
            paths.iter().map(|path| Ok(path.metadata()?.len())).sum::<std::io::Result<u64>>()?;
        let pixels = paths.len() as f64 * f64::from(width) * f64::from(height);
        let Rounds { way, network, preparation, graft } =
            take_turns(setting, &tensors, &mut finalists, &paths, rounds)?;
        let [n, p, g] =
            [&network, &preparation, &graft].map(|took| 1e3 * wall(took) / paths.len() as f64);
        let each_round = |share: &dyn Fn(Took, Took, Took) -> f64| {
            let rounds = network.iter().zip(&preparation).zip(&graft);
            median(rounds.map(|((&n, &p), &g)| share(n, p, g)))
        };
        let ratio = |a: Duration, b: Duration| a.as_secs_f64() / b.as_secs_f64();
        let speed = each_round(&|n, _, g| ratio(n.wall, g.wall));
        let bound = SHARE * each_round(&|n, p, _| ratio(n.wall, n.wall + p.wall));
        let cpu = each_round(&|n, p, g| ratio(g.cpu, n.cpu + p.cpu));
        println!(
            "{:<10} {:>5} {:>7.2} {n:>7.3} {p:>7.3} {g:>7.3} {speed:>7.3} {bound:>7.3} {}  {cpu:>6.3}",
            format!("{width}x{height}"),
            paths.len(),
            8.0 * bytes as f64 / pixels,
            verdict(speed >= bound)
        );
        println!("           N of {way}");
    }
    Ok(())
}

/// A value each round.
struct Rounds {
    way: Layout,
    network: Vec<Took>,
    preparation: Vec<Took>,
    graft: Vec<Took>,
}

fn take_turns(
    setting: &Setting,
    tensors: &[f32],
    finalists: &mut [Alone<'_>],
    paths: &[PathBuf],
    rounds: usize,
) -> anyhow::Result<Rounds> {
    let mut alone = vec![Vec::new(); finalists.len()];
    let (mut preparation, mut graft) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        for (way, took) in finalists.iter_mut().zip(&mut alone) {
            took.push(clocked(|| way.run(tensors, paths.len()))?);
        }
        preparation.push(clocked(|| prepare(setting, paths))?);
        graft.push(clocked(|| extract(setting, paths).map(drop))?);
    }
    let (way, network) = finalists
        .iter()
        .map(|way| way.layout)
        .zip(alone)
        .min_by(|(_, a), (_, b)| wall(a).total_cmp(&wall(b)))
        .context("there are finalists")?;
    Ok(Rounds { way, network, preparation, graft })
}

fn wall(took: &[Took]) -> f64 {
    median(took.iter().map(|took| took.wall.as_secs_f64()))
}

/// For a program that measures graft from outside.
pub fn of_folder(setting: &Setting, folder: &Path) -> anyhow::Result<()> {
    let made = extract(setting, &jpegs::list(folder)?)?;
    let FeatureCost { wall, preparation, inference, .. } = made.cost;
    println!(
        "photos {} seconds {:.6}; summed over threads: preparation {:.6}, inference {:.6}",
        made.usable.len(),
        wall.as_secs_f64(),
        preparation.as_secs_f64(),
        inference.as_secs_f64()
    );
    Ok(())
}

fn extract(setting: &Setting, paths: &[PathBuf]) -> anyhow::Result<Features> {
    extract_with(setting, &setting.backbone, paths)
}

/// Features of a backbone, on all cores, without a cache.
pub fn extract_with(
    setting: &Setting,
    backbone: &Backbone,
    paths: &[PathBuf],
) -> anyhow::Result<Features> {
    let options = FeatureOptions {
        provider: Provider::Cpu,
        threads: setting.threads,
        batch: None,
        cache: None,
        spill: None,
    };
    let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    let made =
        features(&setting.engine, backbone, &paths, &options, &mut |_| ControlFlow::Continue(()))?;
    anyhow::ensure!(made.skipped.is_empty(), "a photo is not usable: {:?}", made.skipped[0]);
    Ok(made)
}

/// Reading, decoding and preparing on all cores, and nothing else.
fn prepare(setting: &Setting, paths: &[PathBuf]) -> anyhow::Result<()> {
    let spec = &setting.backbone.input;
    let next = AtomicUsize::new(0);
    each_on_a_thread(0..setting.threads, |_| {
        let mut preparer = Preparer::new(spec)?;
        let mut tensor = vec![0.0; spec.tensor_len()];
        while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
            let picture = graft_input::decode(&std::fs::read(path)?, spec.background)?;
            preparer.fill(picture.frame(), std::hint::black_box(&mut tensor));
        }
        Ok(())
    })
}

/// Times a session a core and one session on all cores with each batch, and
/// keeps the fastest.
fn sweep<'a>(setting: &'a Setting, tensors: &[f32]) -> anyhow::Result<Vec<Alone<'a>>> {
    let cores = setting.threads;
    let mut ways = Vec::new();
    for (sessions, threads) in [(1, cores), (cores, 1)] {
        for batch in BATCHES {
            let way = Alone::open(setting, Layout { sessions, threads, batch })?;
            ways.push((way, Vec::new()));
        }
    }
    // The first round warms up.
    for round in 0..8 {
        for (way, times) in &mut ways {
            let took = clocked(|| way.run(tensors, 2 * READY))?;
            if round > 0 {
                times.push(took.wall.as_secs_f64());
            }
        }
    }
    let mut ways: Vec<_> = ways.into_iter().map(|(way, times)| (way, median(times))).collect();
    ways.sort_by(|a, b| a.1.total_cmp(&b.1));
    println!("\nONNX Runtime alone, time a photo as a multiple of the least");
    for (way, time) in &ways {
        println!("{}: {:.2}", way.layout, time / ways[0].1);
    }
    Ok(ways.into_iter().map(|(way, _)| way).take(FINALISTS).collect())
}

fn ready(setting: &Setting, folder: &Path) -> anyhow::Result<Vec<f32>> {
    let spec = &setting.backbone.input;
    let paths = jpegs::list(folder)?;
    let mut preparer = Preparer::new(spec)?;
    let mut tensors = vec![0.0; READY * spec.tensor_len()];
    for (tensor, path) in tensors.chunks_exact_mut(spec.tensor_len()).zip(paths.iter().cycle()) {
        let picture = graft_input::decode(&std::fs::read(path)?, spec.background)?;
        preparer.fill(picture.frame(), tensor);
    }
    Ok(tensors)
}

fn each_on_a_thread<T: Send>(
    items: impl Iterator<Item = T>,
    work: impl Fn(T) -> anyhow::Result<()> + Sync,
) -> anyhow::Result<()> {
    let work = &work;
    std::thread::scope(|scope| {
        let threads: Vec<_> = items.map(|item| scope.spawn(move || work(item))).collect();
        threads.into_iter().try_for_each(|thread| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    })
}
