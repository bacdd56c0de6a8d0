//! Tasks about texts: word vectors or a sentence encoder in the backbone's place.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use graft_host::atomic::write_whole;
use graft_host::catalogue::{self, Content};
use graft_host::encoder::{Encoder, is_encoder};
use graft_host::engine::Engine;
use graft_host::features::FeatureOptions;
use graft_host::progress::Event;
use graft_host::stated::StatedInput;
use graft_host::texts::{SentenceTask, TextTask, Texts, train_sentences, train_texts};
use graft_host::train::Recipe;
use graft_host::vectors::{VectorsFile, is_customary, is_vectors};

use super::{Cmd, Made, note_unused};
use crate::args::Context;
use crate::locations::Locations;
use crate::model_args::PoolName;
use crate::output::{Outcome, print};
use crate::progress::Display;
use crate::text;

/// Backbones for texts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TextSource {
    Vectors,
    Encoder,
}

impl Cmd {
    /// A task about texts: [`Cmd::run`] from where the data set is opened.
    pub(super) fn run_texts(
        &self,
        context: &Context<'_>,
        locations: &Locations,
        recipe: &Recipe,
        start: Instant,
    ) -> anyhow::Result<Outcome> {
        self.refuse_flags_of_photos("word vectors")?;
        if self.texts.is_of_encoder() {
            anyhow::bail!(
                "--max-tokens is for sentence encoders, and {} is word vectors",
                self.model
            );
        }
        let text_recipe = self.texts.recipe();
        let texts = Texts::open(&self.data)?;
        let labels = texts.dataset.checked_labels(&self.data)?;
        let vectors = VectorsFile::named(&locations.models(), &self.model, self.vectors.stated())?;
        let engine = Engine::load(&locations.onnx_runtime(context.global))?;
        let provider = self.provider.provider(locations);
        let mut display = Display::new(context);
        note_unused(&texts.dataset.unused_columns, &mut display);
        let mut on = |event: Event<'_>| -> ControlFlow<()> { display.show(event) };
        let task = TextTask { vectors: &vectors, texts: &texts, labels: &labels };
        let threads = context.global.threads();
        let on_what = (&provider, threads);
        let (run, facts) = train_texts(&engine, on_what, &task, recipe, &text_recipe, &mut on)?;
        context.go_on()?;
        write_whole(&self.output, &run.grafted.bytes)?;
        self.forget_checkpoints(recipe);
        // Words are looked up by one.
        let threads = if recipe.fine_tuning.is_some() { threads } else { 1 };
        let made = Made { run, sweep: None, texts: Some(facts), sentences: None };
        let report = self.report(made, &engine, &provider, threads, recipe, start)?;
        print(context.global, "train", &report, || text::train::result(&report))?;
        Ok(Outcome::Yes)
    }

    /// The same with a sentence encoder.
    pub(super) fn run_sentences(
        &self,
        context: &Context<'_>,
        locations: &Locations,
        recipe: &Recipe,
        start: Instant,
    ) -> anyhow::Result<Outcome> {
        self.refuse_flags_of_photos("a sentence encoder")?;
        if recipe.fine_tuning.is_some() {
            anyhow::bail!(
                "a sentence encoder is not tuned: --fine-tune vectors is for word vectors"
            );
        }
        if self.texts.is_of_vectors() {
            anyhow::bail!(
                "--pooling, --vocab and --precision are for word vectors, and {} is a sentence encoder",
                self.model
            );
        }
        let texts = Texts::open(&self.data)?;
        let labels = texts.dataset.checked_labels(&self.data)?;
        let encoder = Encoder::named(&locations.models(), &self.model, self.texts.encoder())?;
        let engine = Engine::load(&locations.onnx_runtime(context.global))?;
        let options = FeatureOptions {
            provider: self.provider.provider(locations),
            threads: context.global.threads(),
            batch: None,
            cache: (!self.no_cache).then(|| locations.features()),
            spill: Some(locations.spill()),
        };
        let mut display = Display::new(context);
        note_unused(&texts.dataset.unused_columns, &mut display);
        let mut on = |event: Event<'_>| -> ControlFlow<()> { display.show(event) };
        let task = SentenceTask { encoder: &encoder, texts: &texts, labels: &labels };
        let (run, facts) = train_sentences(&engine, &task, recipe, &options, &mut on)?;
        context.go_on()?;
        write_whole(&self.output, &run.grafted.bytes)?;
        let made = Made { run, sweep: None, texts: None, sentences: Some(facts) };
        let report =
            self.report(made, &engine, &options.provider, options.threads, recipe, start)?;
        print(context.global, "train", &report, || text::train::result(&report))?;
        Ok(Outcome::Yes)
    }

    /// What the backbone is, if it is for texts.
    pub(super) fn text_source(&self, locations: &Locations) -> Option<TextSource> {
        let path = Path::new(&self.model);
        if self.texts.is_of_encoder() || is_encoder(path) {
            return Some(TextSource::Encoder);
        }
        let is_network = path.extension().is_some_and(|e| e == "onnx");
        let is_words = match catalogue::find(&locations.models(), &self.model) {
            _ if is_network => false,
            _ if path.is_file() => is_vectors(path),
            Ok(entry) => match entry.spec.content {
                Content::Words { .. } => true,
                Content::Encoder { .. } => return Some(TextSource::Encoder),
                Content::Network { .. } => false,
            },
            // What can't be found is an error where it is opened.
            Err(_) => is_customary(path),
        };
        (is_words || self.texts.is_of_vectors()).then_some(TextSource::Vectors)
    }

    fn refuse_flags_of_photos(&self, is: &str) -> anyhow::Result<()> {
        let stated = [
            ("--at", self.at.is_some()),
            ("--pool", self.cuts.pool != PoolName::Mean),
            ("--max-latency-ms and --max-bytes", self.cuts.has_limits()),
            ("--batch", self.batch.is_some()),
            ("what describes a network's input", self.input.stated() != StatedInput::default()),
        ];
        match stated.iter().find(|(_, stated)| *stated) {
            Some((flag, _)) => {
                anyhow::bail!("{flag} is for networks for photos, and {} is {is}", self.model)
            }
            None => Ok(()),
        }
    }
}
