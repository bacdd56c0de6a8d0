//! The program: arguments in, exit status out.

use std::io::Write;
use std::process::ExitCode;

use graft_agent::{Command, Config, Failure, HELP};
use graft_runtime::LargeBlocks;

#[global_allocator]
static ALLOCATOR: LargeBlocks = LargeBlocks;

/// Wrong flags or configuration: starting again does not help.
const WRONG: u8 = 2;

/// The frames, the bundle or the board.
const FAILED: u8 = 1;

fn main() -> ExitCode {
    // A board's graftd has no tables for walking its stack: where the environment
    // asks for backtraces, the engine's first error would end it.
    // SAFETY: no other thread runs yet.
    unsafe {
        std::env::set_var("RUST_BACKTRACE", "0");
        std::env::set_var("RUST_LIB_BACKTRACE", "0");
    }
    let command = match graft_agent::parse(std::env::args_os().skip(1)) {
        Ok(command) => command,
        Err(error) => return failed(WRONG, &error),
    };
    match command {
        Command::Help => say(HELP),
        Command::Version => say(concat!("graftd ", env!("CARGO_PKG_VERSION"), "\n")),
        Command::Check(config) => match graft_agent::check(*config) {
            Ok(()) => say("graftd: flags and configuration are right\n"),
            Err(error) => return failed(WRONG, &error),
        },
        Command::CheckBundle(config) => return work(*config, graft_agent::check_bundle),
        Command::Run(config) => return work(*config, graft_agent::run),
        #[cfg(feature = "bench")]
        Command::BenchHelp => say(graft_agent::BENCH_HELP),
        #[cfg(feature = "bench")]
        Command::Bench(task) => match graft_agent::bench(&task) {
            Ok(line) => say(&line),
            Err(error) => return failed(FAILED, &error),
        },
    }
    ExitCode::SUCCESS
}

fn work(config: Config, act: fn(Config) -> Result<(), Failure>) -> ExitCode {
    LargeBlocks::start();
    graft_agent::start_journal(config.log);
    match act(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Job(error)) => failed(WRONG, &error),
        Err(error) => {
            log::error!("{error}");
            ExitCode::from(FAILED)
        }
    }
}

/// Whoever does not listen is not told.
fn say(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn failed(status: u8, error: &dyn std::error::Error) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "graftd: error: {error}");
    ExitCode::from(status)
}
