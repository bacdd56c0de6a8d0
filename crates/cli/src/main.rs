//! The `graft` command: one file a verb in `cmd/`.

use std::process::ExitCode;

use clap::Parser;

mod args;
mod bundle_args;
mod cmd;
mod hint;
mod input_args;
mod locations;
mod output;
mod progress;
mod text;

use output::{Failure, Outcome};

fn main() -> ExitCode {
    let arguments = args::Arguments::parse();
    let verb = arguments.command.name();
    let stop = progress::stop_on_ctrl_c();
    let context = args::Context { global: &arguments.global, stop };
    match arguments.command.run(&context) {
        Ok(Outcome::Yes) => ExitCode::SUCCESS,
        Ok(Outcome::No) => ExitCode::from(1),
        Ok(Outcome::Broken) => ExitCode::from(2),
        Err(error) => output::report(&arguments.global, verb, &Failure::of(error)),
    }
}
