use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use graft_host::bench::{Bench, Effort, Graftd, HostName, Place, Weights, bench};
use graft_host::bundle_file::{BundleFacts, BundleFile};
use graft_host::rank::BenchedBackbone;
use graft_runtime::bench::Task;
use graft_spec::Input;
use serde::Serialize;

use crate::args::Context;
use crate::cmd::bench_process;
use crate::locations::{find_program, scratch, this_program};
use crate::output::{Outcome, print};
use crate::progress::Display;
use crate::text::{self, What};

/// Where `make device` puts what runs on boards, seen from the checkout.
const BUILDS: &str = "target/device";

/// Measure what a bundle costs, here or on a board
///
/// Start-up and memory of fresh processes, then frame after frame in one process, or a
/// text again and again, each in turns with the device engine alone on the same ONNX. On a board: graftd,
/// the bundle and its ONNX model are copied into a temporary folder over ssh, and
/// removed at the end.
#[derive(Args)]
pub struct Cmd {
    /// The bundle
    bundle: PathBuf,

    /// Measure on this board: a host that `ssh` reaches without a password
    #[arg(long, value_name = "HOST", value_parser = host)]
    device: Option<HostName>,

    /// The graftd to copy there [default: target/device/ARCH/graftd, by the board's processor;
    /// tokens/graftd in that folder for a sentence encoder]
    #[arg(long, value_name = "FILE", requires = "device")]
    graftd: Option<PathBuf>,

    /// Frames, or texts, to time
    #[arg(long, value_name = "N", default_value_t = Task::FRAMES, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    frames: u32,

    /// Starts of each, of which the medians are shown
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,

    /// With large weights in a file of their own, which is mapped: what graftd does with a
    /// folder for it in `weights`
    #[arg(long)]
    mapped: bool,
}

/// Field names are those of docs/json.md.
#[derive(Serialize)]
pub struct Report {
    #[serde(flatten)]
    pub bench: Bench,
    pub bundle: BundleFacts,
    /// By it `graft rank --latency` knows what was measured.
    pub backbone: Option<BenchedBackbone>,
    #[serde(skip)]
    pub what: What,
}

impl Cmd {
    pub fn run(self, context: &Context<'_>) -> anyhow::Result<Outcome> {
        let file = BundleFile::read(&self.bundle)?;
        let bundle = file.parse()?;
        let (program, ssh);
        let place = match &self.device {
            None => {
                program = this_program()?;
                Place::Here { program: &program, words: &[bench_process::NAME] }
            }
            Some(host) => {
                ssh = find_program("ssh").context(
                    "there is no ssh on PATH: install OpenSSH's client (Debian's openssh-client)",
                )?;
                // The smaller one has no tokenizers.
                let program = match bundle.manifest().input {
                    Input::Tokens(_) => "tokens/graftd",
                    Input::Image(_) | Input::Words(_) => "graftd",
                };
                let graftd = match &self.graftd {
                    Some(path) => Graftd::File(path),
                    None => Graftd::In { builds: BUILDS.as_ref(), program },
                };
                Place::Board { ssh: &ssh, host, graftd }
            }
        };
        let weights = if self.mapped { Weights::Mapped } else { Weights::InMemory };
        let effort = Effort { frames: self.frames, rounds: self.rounds, weights };
        let mut display = Display::new(context);
        let mut on = |event: graft_host::progress::Event<'_>| display.show(event);
        let bench = bench(&file, &bundle, place, effort, &scratch(), &mut on)?;
        // What an odd provenance doesn't tell is no reason not to have measured.
        let backbone = bundle.provenance().ok().flatten().map(|provenance| BenchedBackbone {
            name: provenance.backbone.name,
            sha256: provenance.backbone.sha256,
            features_tensor: provenance.backbone.features_tensor,
        });
        let what = What::of(&bundle.manifest().input);
        let report = Report { bench, bundle: file.facts(&bundle), backbone, what };
        print(context.global, "bench", &report, || text::bench::result(&report))?;
        Ok(Outcome::Yes)
    }
}

fn host(text: &str) -> Result<HostName, graft_host::bench::HostNameError> {
    HostName::new(text)
}
