use std::path::{Path, PathBuf};

use clap::Args;
use graft_host::Skipped;
use graft_host::answer::Questions;
use graft_host::bundle_file::{BundleFacts, BundleFile};
use graft_host::compare::{Comparison, compare};
use graft_host::engine::Engine;
use graft_host::labelled::Labelled;
use graft_host::next_word::{RunningText, contexts, last_words};
use graft_spec::Input;
use serde::Serialize;

use crate::args::Context;
use crate::bundle_args::{SplitName, part, running};
use crate::locations::Locations;
use crate::output::{Outcome, print};
use crate::progress::Display;
use crate::text::{self, What};

/// Hold the device engine's answers against ONNX Runtime's
///
/// The same photos or texts, prepared once, run through both, one thread each, taking
/// turns. Exit status 1 if probabilities differ by more than the tolerance, or an
/// answer differs that was not a tie. A bundle that continues texts is asked at 1,000
/// places of texts without labels.
#[derive(Args)]
pub struct Cmd {
    /// The bundle
    bundle: PathBuf,

    /// A data set, as for `graft train`; labels are not looked at
    data: PathBuf,

    /// Only this side of the data set's split
    #[arg(long, value_enum)]
    split: Option<SplitName>,

    /// How far probabilities may differ
    #[arg(long, value_name = "X", default_value_t = 1e-4, value_parser = tolerance)]
    tolerance: f32,

    /// An example that can't be used is an error
    #[arg(long)]
    strict: bool,
}

/// Field names are those of docs/json.md.
#[derive(Serialize)]
pub struct Report {
    #[serde(flatten)]
    pub comparison: Comparison,
    pub bundle: BundleFacts,
    pub split: Option<&'static str>,
    #[serde(skip)]
    pub what: What,
}

impl Cmd {
    pub fn run(self, context: &Context<'_>) -> anyhow::Result<Outcome> {
        let file = BundleFile::read(&self.bundle)?;
        let bundle = file.parse()?;
        let data = Data::open(context, &self.data, &bundle.manifest().input, self.split)?;
        let questions = data.questions();
        let locations = Locations::find()?;
        let engine = Engine::load(&locations.onnx_runtime(context.global))?;
        let mut display = Display::new(context);
        let mut on = |event: graft_host::progress::Event<'_>| display.show(event);
        let mut comparison = compare(&engine, &bundle, &questions, self.tolerance, &mut on)?;
        comparison.skipped_files.extend_from_slice(data.skipped());
        comparison.skipped = comparison.skipped_files.len();
        let total = questions.paths().len() + data.skipped().len();
        crate::progress::refuse(&comparison.skipped_files, total, self.strict)?;
        let passed = comparison.passed;
        let report = Report {
            comparison,
            bundle: file.facts(&bundle),
            split: self.split.map(SplitName::word),
            what: What::of(&bundle.manifest().input),
        };
        print(context.global, "compare", &report, || text::compare(&report))?;
        Ok(passed.into())
    }
}

/// What both engines are asked.
enum Data {
    Labelled(Labelled),
    /// Texts as far as they go at some places, and what could not be used.
    Contexts(Vec<RunningText>, Vec<Skipped>),
}

/// Places in texts at which a bundle that continues them is asked.
const CONTEXTS: usize = 1000;

impl Data {
    fn open(
        context: &Context<'_>,
        path: &Path,
        input: &Input,
        split: Option<SplitName>,
    ) -> anyhow::Result<Data> {
        if last_words(input).is_none() {
            return Ok(Data::Labelled(part(context, path, input, split)?));
        }
        let texts = running(path, split)?;
        let contexts = contexts(&texts, CONTEXTS);
        if contexts.is_empty() {
            anyhow::bail!("{} has no two words that follow each other", path.display());
        }
        Ok(Data::Contexts(contexts, texts.skipped))
    }

    fn questions(&self) -> Questions<'_> {
        match self {
            Data::Labelled(labelled) => labelled.questions(),
            Data::Contexts(contexts, _) => Questions::Texts {
                places: contexts.iter().map(|context| context.place.as_path()).collect(),
                texts: contexts.iter().map(|context| context.text.as_str()).collect(),
            },
        }
    }

    fn skipped(&self) -> &[Skipped] {
        match self {
            Data::Labelled(labelled) => labelled.skipped(),
            Data::Contexts(_, skipped) => skipped,
        }
    }
}

fn tolerance(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(tolerance) if tolerance >= 0.0 => Ok(tolerance),
        _ => Err("must be a number of 0 or more".to_owned()),
    }
}
