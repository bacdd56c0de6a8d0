//! Wholes against their baselines: whatever is compared runs alternately in one
//! process on the same input, so that both see the same noise of the machine.
//! What counts is the ratios; `docs/benchmarks.md` has some, and what they say.
//!
//! `interleave [--rounds N] [--photos N]` compares everything. The other forms
//! are parts, for `tests/bench/against_pytorch.py` and for itself:
//!
//! - `interleave photos FOLDER [--photos N]` writes the photos it measures with;
//! - `interleave features FOLDER` prints how long graft takes for a folder's;
//! - `interleave taps` is that part of the comparison alone;
//! - `interleave sources DATA` ranks the sources that are here, and
//!   prints how well each score foretells the probe;
//! - `interleave step FOLDER MODEL TENSOR BATCH` writes the step that trains what is
//!   above a tensor, for `tests/bench/step_against_pytorch.py`;
//! - `interleave processor bare|engine|backbone` prints milliseconds of CPU.
//!
//! ONNX Runtime is the library that `ORT_DYLIB_PATH` names.

mod device;
mod extraction;
mod jpegs;
mod loading;
mod measure;
mod setting;
mod sources;
mod step;
mod taps;

use std::path::Path;

use anyhow::{Context as _, bail};

use crate::setting::Setting;

const USAGE: &str = "usage: interleave [photos FOLDER | features FOLDER | sources DATA | taps | step FOLDER MODEL TENSOR BATCH | processor WHAT] [--rounds N] [--photos N]";

struct Options {
    rounds: usize,
    photos: usize,
}

fn main() -> anyhow::Result<()> {
    let mut options = Options { rounds: 7, photos: 800 };
    let mut words = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || -> anyhow::Result<usize> {
            let value = arguments.next().context(USAGE)?.parse()?;
            anyhow::ensure!(value > 0, "{argument} needs a number above 0");
            Ok(value)
        };
        match argument.as_str() {
            "--rounds" => options.rounds = number()?,
            "--photos" => options.photos = number()?,
            _ => words.push(argument),
        }
    }
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => everything(&options),
        ["photos", folder] => jpegs::write_all(Path::new(folder), options.photos),
        ["features", folder] => extraction::of_folder(&Setting::open()?, Path::new(folder)),
        ["taps"] => {
            let folder = tempfile::tempdir()?;
            jpegs::write_all(folder.path(), options.photos)?;
            taps::report(&Setting::open()?, folder.path(), options.rounds)
        }
        ["sources", data] => sources::report(Path::new(data)),
        ["step", folder, model, tensor, batch] => {
            step::write(Path::new(folder), Path::new(model), tensor, batch.parse()?)
        }
        ["processor", what] => loading::child(what),
        _ => bail!(USAGE),
    }
}

fn everything(options: &Options) -> anyhow::Result<()> {
    loading::report(3 * options.rounds)?;
    let setting = Setting::open()?;
    let folder = tempfile::tempdir()?;
    jpegs::write_all(folder.path(), options.photos)?;
    extraction::report(&setting, folder.path(), options.rounds)?;
    taps::report(&setting, folder.path(), options.rounds)?;
    device::report(&setting, folder.path())
}
