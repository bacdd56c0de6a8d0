//! A bundle that continues texts, on texts as they are written.

use graft_host::Skipped;
use graft_host::bundle_file::{BundleFacts, BundleFile};
use graft_host::next_word::{self, Judged};
use serde::Serialize;

use super::Cmd;
use crate::args::Context;
use crate::bundle_args::{EngineName, SplitName, running};
use crate::output::{Outcome, print};
use crate::text;

/// Field names are those of docs/json.md.
#[derive(Serialize)]
pub struct Report {
    #[serde(flatten)]
    pub judged: Judged,
    pub skipped: usize,
    pub skipped_files: Vec<Skipped>,
    pub bundle: BundleFacts,
    pub split: Option<&'static str>,
    pub engine: EngineName,
    pub at_least: Option<f64>,
    pub passed: bool,
}

impl Cmd {
    pub(super) fn run_next_word(
        &self,
        context: &Context<'_>,
        file: &BundleFile,
    ) -> anyhow::Result<Outcome> {
        let bundle = file.parse()?;
        let texts = running(&self.data, self.split)?;
        let total = texts.texts.len() + texts.skipped.len();
        crate::progress::refuse(&texts.skipped, total, self.strict)?;
        let judged = self
            .engine
            .with(context, |with, on| Ok(next_word::evaluate(&bundle, with, &texts, on)?))?;
        let passed = self.at_least.is_none_or(|least| judged.scores.top3 >= least);
        let report = Report {
            judged,
            skipped: texts.skipped.len(),
            skipped_files: texts.skipped,
            bundle: file.facts(&bundle),
            split: self.split.map(SplitName::word),
            engine: self.engine.name(),
            at_least: self.at_least,
            passed,
        };
        print(context.global, "evaluate", &report, || text::next_word::evaluated(&report))?;
        Ok(passed.into())
    }
}
