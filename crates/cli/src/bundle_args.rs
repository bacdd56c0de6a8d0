//! Flags of the verbs that run a bundle.

use std::path::Path;

use clap::{Args, ValueEnum};
use graft_host::answer::{AnswerWith, Answers, Questions, answer};
use graft_host::bundle_file::BundleFile;
use graft_host::engine::Engine;
use graft_host::examples::Split;
use graft_host::labelled::Labelled;
use graft_host::next_word::RunningTexts;
use graft_host::progress::{Event, OnEvent};
use graft_spec::Input;

use crate::args::{Context, ProviderArgs};
use crate::locations::Locations;
use crate::progress::Display;

#[derive(Args)]
pub struct EngineArgs {
    /// Which engine answers
    #[arg(long, value_enum, default_value_t = EngineName::Device)]
    engine: EngineName,

    #[command(flatten)]
    provider: ProviderArgs,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineName {
    /// The engine that runs on the board, on this processor
    Device,
    /// ONNX Runtime, as on the host
    Onnxruntime,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SplitName {
    Train,
    Test,
}

impl EngineArgs {
    pub fn name(&self) -> EngineName {
        self.engine
    }

    /// Answers with the engine asked for. ONNX Runtime is loaded only if it is
    /// that one.
    pub fn answer(
        &self,
        context: &Context<'_>,
        file: &BundleFile,
        questions: &Questions<'_>,
    ) -> anyhow::Result<Answers> {
        let bundle = file.parse()?;
        let threads = context.global.threads();
        self.with(context, |with, on| Ok(answer(&bundle, with, questions, threads, on)?))
    }

    /// Runs something with the engine asked for.
    pub fn with<R>(
        &self,
        context: &Context<'_>,
        run: impl FnOnce(AnswerWith<'_>, OnEvent<'_>) -> anyhow::Result<R>,
    ) -> anyhow::Result<R> {
        let mut display = Display::new(context);
        let mut on = |event: Event<'_>| display.show(event);
        match self.engine {
            EngineName::Device => {
                if self.provider.is_stated() {
                    anyhow::bail!(
                        "--provider and --device are for --engine onnxruntime: the device engine runs on the processor"
                    );
                }
                run(AnswerWith::Device, &mut on)
            }
            EngineName::Onnxruntime => {
                let locations = Locations::find()?;
                let engine = Engine::load(&locations.onnx_runtime(context.global))?;
                let provider = self.provider.provider(&locations);
                run(AnswerWith::OnnxRuntime { engine: &engine, provider: &provider }, &mut on)
            }
        }
    }
}

/// The part of a data set that `--split` names; all of it if it names none.
pub fn part(
    context: &Context<'_>,
    data: &Path,
    input: &Input,
    split: Option<SplitName>,
) -> anyhow::Result<Labelled> {
    let labelled = Labelled::open(data, input)?;
    let side = match split {
        None => {
            if labelled.dataset().examples.iter().any(|e| e.split == Some(Split::Train)) {
                let text = "the data set says which examples were learned from, and they are judged too: --split test leaves them out";
                let _ = Display::new(context).show(Event::Note(text));
            }
            return Ok(labelled);
        }
        Some(SplitName::Train) => Split::Train,
        Some(SplitName::Test) => Split::Test,
    };
    let part = labelled.only(side);
    if part.dataset().examples.is_empty() {
        anyhow::bail!(
            "{} has no example on that side of the split: it has no split column, or no such rows",
            data.display()
        );
    }
    Ok(part)
}

/// Texts as they are written, or the side of their split that `--split` names.
pub fn running(data: &Path, split: Option<SplitName>) -> anyhow::Result<RunningTexts> {
    let texts = RunningTexts::open(data)?;
    let side = match split {
        None => return Ok(texts),
        Some(SplitName::Train) => Split::Train,
        Some(SplitName::Test) => Split::Test,
    };
    texts.only(side).ok_or_else(|| {
        anyhow::anyhow!(
            "{} has no text on that side of the split: it has no split column, or no such rows",
            data.display()
        )
    })
}

impl SplitName {
    pub fn word(self) -> &'static str {
        match self {
            SplitName::Train => "train",
            SplitName::Test => "test",
        }
    }
}
