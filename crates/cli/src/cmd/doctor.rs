use std::path::Path;
use std::process::Command;

use clap::Args;
use graft_host::catalogue;
use graft_host::engine::{Engine, OLDEST_MINOR};
use graft_host::provider::Provider;
use serde::Serialize;

use crate::args::Context;
use crate::locations::Locations;
use crate::output::{Outcome, print};
use crate::text;

/// Say what was found on this machine, and what is missing
///
/// Exit status 2, with the cure, if the main job (train, compare, predict on the
/// processor) cannot run.
#[derive(Args)]
pub struct Cmd {}

/// Field names are those of docs/json.md.
#[derive(Serialize)]
pub struct Report {
    pub ok: bool,
    pub checks: Vec<Check>,
}

#[derive(Serialize)]
pub struct Check {
    pub name: &'static str,
    pub status: Status,
    /// By the main job.
    pub needed: bool,
    pub found: Option<String>,
    pub cure: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Ok,
    Missing,
    Broken,
}

impl Cmd {
    pub fn run(self, context: &Context<'_>) -> anyhow::Result<Outcome> {
        let locations = Locations::find()?;
        let model = default_model(&locations);
        let mut checks = engine(context, &locations, model.as_ref().ok().map(Vec::as_slice));
        checks.push(Check::of("device_engine", true, Ok(graft_runtime::ENGINE.to_owned()), ""));
        let found = model.map(|bytes| format!("mobilenet_v2, {}", text::bytes(bytes.len() as u64)));
        checks.push(Check::of("model", true, found, "install graft again"));
        checks.push(folder("data_folder", &locations.data));
        checks.push(folder("cache_folder", &locations.cache));
        checks.extend(for_boards());

        let ok = checks.iter().all(|c| !c.needed || c.status == Status::Ok);
        let report = Report { ok, checks };
        print(context.global, "doctor", &report, || text::doctor(&report))?;
        Ok(if ok { Outcome::Yes } else { Outcome::Broken })
    }
}

impl Check {
    fn of(name: &'static str, needed: bool, found: Result<String, String>, cure: &str) -> Check {
        match found {
            Ok(found) => Check { name, status: Status::Ok, needed, found: Some(found), cure: None },
            Err(problem) => Check {
                name,
                status: Status::Broken,
                needed,
                found: Some(problem),
                cure: Some(cure.to_owned()),
            },
        }
    }

    fn missing(name: &'static str, needed: bool, cure: &str) -> Check {
        let cure = Some(cure.to_owned());
        Check { name, status: Status::Missing, needed, found: None, cure }
    }
}

/// ONNX Runtime, and each provider by making a session with it: that a library
/// was built with a provider says nothing of what the provider itself needs.
fn engine(context: &Context<'_>, locations: &Locations, model: Option<&[u8]>) -> Vec<Check> {
    let cure = format!(
        "put libonnxruntime.so (1.{OLDEST_MINOR} or newer) into {}, or name it with --ort-lib or ORT_DYLIB_PATH; `make setup` fetches one",
        locations.data.join("onnxruntime").display()
    );
    let search = locations.onnx_runtime(context.global);
    let engine = match search.find().and_then(|_| Engine::load(&search)) {
        Ok(engine) => engine,
        Err(error @ graft_host::engine::EngineError::NotFound { .. }) => {
            let missing = Check::missing("onnx_runtime", true, &cure);
            return vec![Check { found: Some(error.to_string()), ..missing }];
        }
        Err(error) => {
            let words = format!("{:#}", anyhow::Error::new(error));
            return vec![Check::of("onnx_runtime", true, Err(words), &cure)];
        }
    };
    let found = format!("{} at {}", engine.version(), engine.library().display());
    let mut checks = vec![Check::of("onnx_runtime", true, Ok(found), &cure)];
    let Some(model) = model else { return checks };
    let cache = locations.cache.join("tensorrt");
    let providers = [
        ("provider_cpu", Provider::Cpu, true, "use another build of ONNX Runtime"),
        (
            "provider_cuda",
            Provider::Cuda { ordinal: 0 },
            false,
            "for NVIDIA GPUs: a build of ONNX Runtime with CUDA (package onnxruntime-gpu), CUDA and cuDNN",
        ),
        (
            "provider_tensorrt",
            Provider::TensorRt { ordinal: 0, cache },
            false,
            "for NVIDIA GPUs: a build of ONNX Runtime with TensorRT (package onnxruntime-gpu), and TensorRT 10",
        ),
    ];
    for (name, provider, needed, cure) in providers {
        let found = match engine.try_provider(&provider, model) {
            Ok(()) => Ok("runs the default model".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        checks.push(Check::of(name, needed, found, cure));
    }
    checks
}

fn default_model(locations: &Locations) -> Result<Vec<u8>, String> {
    let entry = catalogue::find(&locations.models(), "mobilenet_v2");
    entry.and_then(|e| e.read()).map_err(|e| format!("{:#}", anyhow::Error::new(e)))
}

fn folder(name: &'static str, path: &Path) -> Check {
    // The nearest folder that exists decides whether the others can be made.
    let existing = path.ancestors().find(|p| p.exists()).unwrap_or(Path::new("/"));
    let found = match graft_host::atomic::check_writable(&existing.join("graft-doctor")) {
        Ok(()) => Ok(path.display().to_string()),
        Err(error) => Err(format!("{:#}", anyhow::Error::new(error))),
    };
    let cure = "make it writable, or name another with XDG_DATA_HOME and XDG_CACHE_HOME";
    Check::of(name, false, found, cure)
}

/// What building for boards and trying it here takes.
fn for_boards() -> Vec<Check> {
    let tools = [
        (
            "cross_compiler_aarch64",
            "aarch64-linux-gnu-gcc",
            "apt-get install gcc-aarch64-linux-gnu",
        ),
        (
            "cross_compiler_armv7",
            "arm-linux-gnueabihf-gcc",
            "apt-get install gcc-arm-linux-gnueabihf",
        ),
        ("emulator_aarch64", "qemu-aarch64-static", "apt-get install qemu-user-static"),
        ("emulator_armv7", "qemu-arm-static", "apt-get install qemu-user-static"),
    ];
    tools
        .into_iter()
        .map(|(name, program, cure)| match crate::locations::find_program(program) {
            Some(path) => match first_line(&path) {
                Ok(line) => {
                    Check::of(name, false, Ok(format!("{line} at {}", path.display())), cure)
                }
                Err(error) => Check::of(name, false, Err(error), cure),
            },
            None => Check::missing(name, false, cure),
        })
        .collect()
}

fn first_line(program: &Path) -> Result<String, String> {
    let output = Command::new(program)
        .arg("--version")
        .output()
        .map_err(|e| format!("{}: {e}", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
