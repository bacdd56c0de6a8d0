//! The verbs, one file each.

use clap::Subcommand;

use crate::args::Context;
use crate::output::Outcome;

pub mod bench;
pub mod bench_process;
pub mod cache;
pub mod compare;
pub mod completions;
pub mod cuts;
pub mod develop;
pub mod doctor;
pub mod evaluate;
pub mod export;
pub mod inspect;
pub mod models;
pub mod predict;
pub mod rank;
pub mod report;
pub mod train;
pub mod words;

macro_rules! verbs {
    ($($variant:ident($module:ident) = $name:literal),* $(,)?) => {
        #[derive(Subcommand)]
        pub enum Command {
            $($variant(Box<$module::Cmd>),)*
        }

        impl Command {
            pub fn name(&self) -> &'static str {
                match self {
                    $(Command::$variant(_) => $name,)*
                }
            }

            pub fn run(self, context: &Context<'_>) -> anyhow::Result<Outcome> {
                match self {
                    $(Command::$variant(cmd) => (*cmd).run(context),)*
                }
            }
        }
    };
}

verbs! {
    Doctor(doctor) = "doctor",
    Models(models) = "models",
    Words(words) = "words",
    Inspect(inspect) = "inspect",
    Rank(rank) = "rank",
    Train(train) = "train",
    Develop(develop) = "develop",
    Cuts(cuts) = "cuts",
    Report(report) = "report",
    Evaluate(evaluate) = "evaluate",
    Predict(predict) = "predict",
    Compare(compare) = "compare",
    Bench(bench) = "bench",
    BenchProcess(bench_process) = "bench-process",
    Export(export) = "export",
    Cache(cache) = "cache",
    Completions(completions) = "completions",
}
