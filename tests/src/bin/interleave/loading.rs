//! What graft adds to loading ONNX Runtime, in CPU time.
//!
//! A process loads a library once, so each measurement is a process of its own:
//! this program again.

use std::ffi::{c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use graft_host::engine::{Engine, LibrarySearch, OLDEST_MINOR};

use crate::measure::{median, millis, processor_time, verdict};
use crate::setting::{backbone, library};

/// Milliseconds of CPU that graft may add.
const LIMIT: f64 = 10.0;

/// What each process does: what any program must to use ONNX Runtime; what
/// graft does instead; and what graft needs before it can open a session.
const PARTS: [&str; 3] = ["bare", "engine", "backbone"];

pub fn report(rounds: usize) -> anyhow::Result<()> {
    let program = std::env::current_exe()?;
    let mut times: [Vec<f64>; PARTS.len()] = Default::default();
    for _ in 0..rounds {
        for (times, part) in times.iter_mut().zip(PARTS) {
            let output = Command::new(&program).args(["processor", part]).output()?;
            let error = String::from_utf8_lossy(&output.stderr);
            ensure!(output.status.success(), "measuring {part}: {}", error.trim());
            times.push(String::from_utf8(output.stdout)?.trim().parse()?);
        }
    }
    let [bare, engine, backbone] = times.map(median);
    println!(
        "loading ONNX Runtime, CPU milliseconds, medians of {rounds} processes each, in turns"
    );
    println!("baseline: dlopen and CreateEnv, nothing else: {bare:.1}");
    let added = engine - bare;
    println!("graft adds {added:.1} of at most {LIMIT}  {}", verdict(added < LIMIT));
    println!("MobileNetV2 checked, parsed and cut: {:.1}", backbone - engine);
    Ok(())
}

/// Does one thing, and prints the milliseconds of CPU that it took.
pub fn child(what: &str) -> anyhow::Result<()> {
    let library = library()?;
    let begin = processor_time();
    // Kept until the clock is read: letting go takes time too.
    let _made = match what {
        "bare" => {
            bare(&library)?;
            None
        }
        "engine" => Some((engine(library)?, None)),
        "backbone" => Some((engine(library)?, Some(backbone()?))),
        _ => bail!("nothing is called {what:?}"),
    };
    println!("{:.3}", millis(processor_time() - begin));
    Ok(())
}

fn engine(library: PathBuf) -> anyhow::Result<Engine> {
    Ok(Engine::load(&LibrarySearch::Named(library))?)
}

/// Loads the library and makes its environment, as onnxruntime_c_api.h has it.
fn bare(library: &Path) -> anyhow::Result<()> {
    #[repr(C)]
    struct ApiBase {
        get_api: extern "C" fn(u32) -> *const Api,
        version: extern "C" fn() -> *const c_char,
    }
    type Status = *mut c_void;
    /// The first functions of `OrtApi`; more follow.
    #[repr(C)]
    struct Api {
        create_status: *const c_void,
        get_error_code: *const c_void,
        get_error_message: *const c_void,
        create_env: extern "C" fn(c_int, *const c_char, *mut *mut c_void) -> Status,
    }
    const WARNING: c_int = 2;

    // SAFETY: loading a library runs its initialisers; a person named this one
    // to be run.
    let loaded = unsafe { libloading::Library::new(library) }?;
    // SAFETY: signatures and order are the header's, fixed since 1.0.
    let status = unsafe {
        let base = loaded.get::<extern "C" fn() -> *const ApiBase>(b"OrtGetApiBase")?;
        let base = base().as_ref().context("no API")?;
        let api = (base.get_api)(OLDEST_MINOR).as_ref().context("no API of this version")?;
        let mut environment = std::ptr::null_mut();
        (api.create_env)(WARNING, c"bare".as_ptr(), &mut environment)
    };
    ensure!(status.is_null(), "the environment cannot be made");
    // The environment lives in it, until the process ends.
    std::mem::forget(loaded);
    Ok(())
}
