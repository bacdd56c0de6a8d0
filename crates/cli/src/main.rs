//! The `graft` command: one file a verb in `cmd/`.

use std::process::ExitCode;
use std::sync::atomic::Ordering;

use clap::Parser;

mod architecture_args;
mod args;
mod bundle_args;
mod cmd;
mod feature_args;
mod fine_tune_args;
mod hint;
mod input_args;
mod locations;
mod model_args;
mod next_word_args;
mod output;
mod progress;
mod report;
mod text;
mod text_args;
mod vectors_args;

use output::{Failure, Outcome};

/// The system's, but for `graft bench`, which measures a bundle as graftd runs it.
#[global_allocator]
static ALLOCATOR: graft_runtime::LargeBlocks = graft_runtime::LargeBlocks;

fn main() -> ExitCode {
    // ONNX Runtime gathers telemetry from the moment it is loaded, before there
    // is a call to forbid it; this it heeds.
    // SAFETY: no other thread exists yet that could read the environment.
    unsafe { std::env::set_var("ORT_DISABLE_TELEMETRY", "1") };

    let arguments = args::Arguments::parse();
    let verb = arguments.command.name();
    let stop = progress::stop_on_ctrl_c();
    let context = args::Context { global: &arguments.global, stop: stop.clone() };
    match context.check_json_file().and_then(|()| arguments.command.run(&context)) {
        Ok(Outcome::Yes) => ExitCode::SUCCESS,
        Ok(Outcome::No) => ExitCode::from(1),
        Ok(Outcome::Broken) => ExitCode::from(2),
        Err(error) => {
            let failure = Failure::of(error, stop.load(Ordering::Relaxed));
            output::report(&arguments.global, verb, &failure)
        }
    }
}
