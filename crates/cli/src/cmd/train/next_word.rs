//! `graft train --next-word`: texts without labels.

use std::ops::ControlFlow;
use std::time::Instant;

use graft_host::atomic::write_whole;
use graft_host::bundle_file::{BundleFacts, BundleFile};
use graft_host::engine::{Engine, cpu_features};
use graft_host::next_word::{
    NextWordFacts, NextWordRecipe, NextWordRun, RunningTexts, train_next_word,
};
use graft_host::progress::Event;
use graft_host::vectors::VectorsFile;
use serde::Serialize;

use super::{Cmd, HeadName, Reused};
use crate::args::Context;
use crate::locations::Locations;
use crate::output::{Outcome, print};
use crate::progress::Display;
use crate::text;

/// Field names are those of docs/json.md.
#[derive(Serialize)]
pub struct Report {
    #[serde(flatten)]
    pub facts: NextWordFacts,
    pub bundle: BundleFacts,
    pub model: ModelFacts,
    pub temperature: f32,
    pub reused: Reused,
    pub provider: &'static str,
    pub onnx_runtime: String,
    pub cpu: String,
    pub threads: usize,
    pub seed: u64,
    pub references_max_abs_diff: f32,
    pub total_seconds: f64,
}

#[derive(Serialize)]
pub struct ModelFacts {
    pub name: String,
    pub sha256: String,
    pub licence: String,
}

/// Of the hidden layer.
const HIDDEN: usize = 128;
const EPOCHS: usize = 12;
const CONTEXT: usize = 4;

impl Cmd {
    pub(super) fn run_next_word(
        &self,
        context: &Context<'_>,
        locations: &Locations,
        start: Instant,
    ) -> anyhow::Result<Outcome> {
        self.refuse_flags_of_labels()?;
        let recipe = self.next_word_recipe()?;
        let running = RunningTexts::open(&self.data)?;
        let vectors = VectorsFile::named(&locations.models(), &self.model, self.vectors.stated())?;
        let engine = Engine::load(&locations.onnx_runtime(context.global))?;
        let provider = self.provider.provider(locations);
        let threads = context.global.threads();
        let mut display = Display::new(context);
        let mut on = |event: Event<'_>| -> ControlFlow<()> { display.show(event) };
        let run =
            train_next_word(&engine, &provider, threads, &vectors, &running, &recipe, &mut on)?;
        context.go_on()?;
        let NextWordRun { grafted, origin, calibration, summary, facts } = run;
        write_whole(&self.output, &grafted.bytes)?;
        let file = BundleFile::of(&self.output, grafted.bytes);
        let report = Report {
            facts,
            bundle: file.facts(&file.parse()?),
            model: ModelFacts {
                name: origin.name,
                sha256: origin.sha256.to_string(),
                licence: origin.licence,
            },
            temperature: calibration.temperature,
            reused: Reused {
                parameters: summary.parameters,
                multiply_adds: summary.multiply_adds.exact(),
            },
            provider: provider.name(),
            onnx_runtime: engine.version().to_owned(),
            cpu: cpu_features(),
            threads,
            seed: recipe.seed,
            references_max_abs_diff: grafted.references_max_abs_diff,
            total_seconds: start.elapsed().as_secs_f64(),
        };
        print(context.global, "train", &report, || text::next_word::trained(&report))?;
        Ok(Outcome::Yes)
    }

    fn next_word_recipe(&self) -> anyhow::Result<NextWordRecipe> {
        let args = &self.next_word;
        let texts = self.texts.recipe();
        Ok(NextWordRecipe {
            name: self.bundle_name()?,
            context: args.context.map_or(CONTEXT, usize::from),
            words: args.words.map(|words| words as usize),
            hidden: self.hidden.map_or(HIDDEN, usize::from),
            epochs: self.epochs.map_or(EPOCHS, usize::from),
            embedding: args.embedding(),
            rate: 2e-3,
            weight_decay: 0.01,
            precision: texts.precision,
            other_words: texts.other_words,
            test_share: self.test_share,
            seed: self.seed.unwrap_or(0),
            data_licence: self.data_licence.clone(),
            strict: self.strict,
            against_random: args.against_random,
        })
    }

    fn refuse_flags_of_labels(&self) -> anyhow::Result<()> {
        let stated = [
            ("--head", matches!(self.head, HeadName::Mlp)),
            ("--class-weights", self.class_weights.is_some()),
            ("--strengths", self.strengths.is_some()),
            ("--pooling", self.texts.states_pooling()),
            ("--at", self.at.is_some()),
            ("--batch", self.batch.is_some()),
        ];
        match stated.iter().find(|(_, stated)| *stated) {
            Some((flag, _)) => anyhow::bail!(
                "{flag} is for tasks with labels, and --next-word learns from the texts alone"
            ),
            None => Ok(()),
        }
    }
}
