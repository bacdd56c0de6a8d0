use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use serde::Serialize;

use crate::args::{Arguments, Context};
use crate::output::{Outcome, print};

/// Print a shell's completion script, or write the man pages
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct Cmd {
    /// The shell
    #[arg(value_enum)]
    shell: Option<Shell>,

    /// Write a man page a verb into this folder
    #[arg(long, value_name = "FOLDER")]
    man: Option<PathBuf>,
}

/// Field names are those of docs/json.md.
#[derive(Serialize)]
struct Report {
    script: Option<String>,
    man: Option<PathBuf>,
}

impl Cmd {
    pub fn run(self, context: &Context<'_>) -> anyhow::Result<Outcome> {
        let mut command = Arguments::command();
        let script = self.shell.map(|shell| {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command, "graft", &mut script);
            String::from_utf8_lossy(&script).into_owned()
        });
        if let Some(folder) = &self.man {
            std::fs::create_dir_all(folder)
                .and_then(|()| clap_mangen::generate_to(command, folder))
                .with_context(|| format!("cannot write man pages into {}", folder.display()))?;
        }
        let report = Report { script, man: self.man };
        print(context.global, "completions", &report, || {
            report.script.clone().unwrap_or_default()
        })?;
        Ok(Outcome::Yes)
    }
}
