use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, ValueEnum};
use graft_host::atomic::{check_writable, write_whole};
use graft_host::backbone::Pool;
use graft_host::cache::CacheConfig;
use graft_host::engine::Engine;
use graft_host::examples::Dataset;
use graft_host::features::FeatureOptions;
use graft_host::finetune::{FineTuning, From};
use graft_host::progress::Event;
use graft_host::report::{
    About, Method, Photos, ReportRecipe, Scratch, TransferReport, report, report_texts,
};
use graft_host::stated::StatedInput;
use graft_host::texts::{TextTask, Texts, are_texts};
use graft_host::vectors::VectorsFile;
use serde::Serialize;

use crate::architecture_args::ArchitectureName;
use crate::args::{Context, ProviderArgs, part};
use crate::input_args::{ImageSizeArgs, InputArgs};
use crate::locations::Locations;
use crate::model_args::pretrained;
use crate::output::{Outcome, print};
use crate::progress::Display;
use crate::report::page;
use crate::text;
use crate::text_args::TextArgs;
use crate::vectors_args::VectorsArgs;

/// Measure what transfer bought: learning curves with it and without, as a page
///
/// The same task is learned in three ways, with ever more of the photos and several
/// seeds: by a small network from scratch, by a head on the frozen backbone, and by
/// tuning the backbone. The same held-out photos judge all runs and choose nothing.
/// The page says which benefits of transfer appear, forecasts what more labels would
/// bring, and shows where the answers are wrong. How long it takes is said before the
/// long part begins.
///
/// A task about texts is learned with vectors of chance and no other words than its own,
/// with a head on pretrained vectors, and by tuning these.
#[derive(Args)]
pub struct Cmd {
    /// A folder with a sub-folder a class, or a .csv or .tsv with the columns
    /// path and label, and optionally split, group and stratify. Of texts: a folder
    /// of text files a class, or a .csv, .tsv or .jsonl with text for path
    data: PathBuf,

    /// The backbone: a name that `graft models` lists, a folder with a model.toml,
    /// an ONNX file, or for texts a file of word vectors [default: mobilenet_v2 for
    /// photos]
    #[arg(long, value_name = "MODEL", alias = "model")]
    backbone: Option<String>,

    /// The page to write
    #[arg(long, short, value_name = "FILE", default_value = "report.html")]
    output: PathBuf,

    /// What to compare
    #[arg(
        long,
        value_enum,
        value_name = "NAME,…",
        value_delimiter = ',',
        default_value = "frozen,fine-tuned,scratch"
    )]
    methods: Vec<MethodName>,

    /// Fewer sizes and epochs, for a first look: 3 sizes, 4 epochs of the last
    /// block alone, 12 epochs from scratch; what is stated beside it holds
    #[arg(long)]
    quick: bool,

    /// Training-set sizes, each twice the one before, the last all there is
    /// [default: 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(2..=16))]
    sizes: Option<u8>,

    /// Runs of each method and size [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    seeds: Option<u8>,

    /// From where on the backbone is tuned: "all" of it, the "last:N" blocks below its
    /// features, or everything above a tensor [default: last:3]; of texts the vectors
    #[arg(long, value_name = "FROM")]
    fine_tune: Option<From>,

    /// Fine-tune as this TOML file says; flags beside it go first
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,

    /// Epochs of fine-tuning [default: 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    epochs: Option<u16>,

    /// What learns from scratch
    #[arg(long, value_enum, value_name = "NAME", default_value_t = ArchitectureName::Resnet)]
    architecture: ArchitectureName,

    /// Factor of the channels of every of its layers
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = super::develop::width)]
    scratch_width: f32,

    /// Height and width of its photos, or the backbone's if those are smaller
    #[arg(long, value_name = "PIXELS", default_value_t = 64, value_parser = clap::value_parser!(u16).range(16..=512))]
    scratch_size: u16,

    /// Its epochs [default: 30]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    scratch_epochs: Option<u16>,

    /// No photos or texts in the page: their licence forbids it
    #[arg(long, visible_alias = "no-texts")]
    no_photos: bool,

    /// Share of the photos that is held out, if the data set doesn't say
    #[arg(long, value_name = "SHARE", default_value_t = 0.25, value_parser = part)]
    test_share: f64,

    /// Folds of cross-validation, for the heads
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(2..=100))]
    folds: u16,

    /// Of the split, and of the first run; the next have the next
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// A photo that can't be used is an error
    #[arg(long)]
    strict: bool,

    /// Neither look for features nor keep them
    #[arg(long)]
    no_cache: bool,

    #[command(flatten)]
    image_size: ImageSizeArgs,

    #[command(flatten)]
    provider: ProviderArgs,

    #[command(flatten)]
    input: InputArgs,

    #[command(flatten)]
    texts: TextArgs,

    #[command(flatten)]
    vectors: VectorsArgs,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum MethodName {
    /// A linear head on the backbone as it is
    Frozen,
    /// The backbone tuned with its head
    FineTuned,
    /// A small network that learns all by itself
    Scratch,
}

/// Field names are those of docs/json.md.
#[derive(Serialize)]
pub struct Report {
    #[serde(flatten)]
    pub transfer: TransferReport,
    #[serde(serialize_with = "graft_host::lossy::path")]
    pub page: PathBuf,
    pub page_bytes: usize,
    pub threads: usize,
    pub total_seconds: f64,
}

impl Cmd {
    pub fn run(self, context: &Context<'_>) -> anyhow::Result<Outcome> {
        let start = Instant::now();
        let locations = Locations::find()?;
        check_writable(&self.output)?;
        let transfer = if self.texts.is_of_vectors() || are_texts(&self.data) {
            self.of_texts(context, &locations)?
        } else {
            self.of_photos(context, &locations)?
        };
        context.go_on()?;
        let name = self.data.file_name().unwrap_or(self.data.as_os_str()).to_string_lossy();
        let html = page(&transfer, &name)?;
        write_whole(&self.output, html.as_bytes())?;
        let report = Report {
            transfer,
            page: self.output,
            page_bytes: html.len(),
            threads: context.global.threads(),
            total_seconds: start.elapsed().as_secs_f64(),
        };
        print(context.global, "report", &report, || text::report::result(&report))?;
        Ok(Outcome::Yes)
    }

    fn of_photos(
        &self,
        context: &Context<'_>,
        locations: &Locations,
    ) -> anyhow::Result<TransferReport> {
        let recipe = self.recipe(About::Photos)?;
        let dataset = Dataset::open(&self.data)?;
        let labels = dataset.checked_labels(&self.data)?;
        if dataset.examples.iter().any(|example| example.path == self.output) {
            anyhow::bail!("{} is one of the photos", self.output.display());
        }
        let backbone = self.backbone.as_deref().unwrap_or("mobilenet_v2");
        let backbone = pretrained(backbone, &self.input, &self.image_size, locations)?
            .cut(None, Pool::Mean)?;
        let engine = Engine::load(&locations.onnx_runtime(context.global))?;
        let cache = (!self.no_cache).then(|| locations.features());
        let options = self.options(context, locations, cache);
        let mut display = Display::new(context);
        let mut on = |event: Event<'_>| -> ControlFlow<()> { display.show(event) };
        Ok(report(&engine, &backbone, &dataset, &labels, &recipe, &options, &mut on)?)
    }

    fn of_texts(
        &self,
        context: &Context<'_>,
        locations: &Locations,
    ) -> anyhow::Result<TransferReport> {
        let Some(vectors) = &self.backbone else {
            anyhow::bail!(
                "{} are texts, as it looks: name word vectors with --model",
                self.data.display()
            );
        };
        if self.input.stated() != StatedInput::default() {
            anyhow::bail!("what describes a network's input is for networks");
        }
        let recipe = self.recipe(About::Texts)?;
        let texts = Texts::open(&self.data)?;
        let labels = texts.dataset.checked_labels(&self.data)?;
        if texts.dataset.examples.iter().any(|example| example.path == self.output)
            || self.data == self.output
        {
            anyhow::bail!("{} has the texts", self.output.display());
        }
        let vectors = VectorsFile::named(&locations.models(), vectors, self.vectors.stated())?;
        let engine = Engine::load(&locations.onnx_runtime(context.global))?;
        let options = self.options(context, locations, None);
        let mut display = Display::new(context);
        let mut on = |event: Event<'_>| -> ControlFlow<()> { display.show(event) };
        let task = TextTask { vectors: &vectors, texts: &texts, labels: &labels };
        let text_recipe = self.texts.recipe();
        Ok(report_texts(&engine, &task, &recipe, &text_recipe, &options, &mut on)?)
    }

    fn options(
        &self,
        context: &Context<'_>,
        locations: &Locations,
        cache: Option<CacheConfig>,
    ) -> FeatureOptions {
        FeatureOptions {
            provider: self.provider.provider(locations),
            threads: context.global.threads(),
            batch: None,
            cache,
            spill: Some(locations.spill()),
        }
    }

    fn recipe(&self, about: About) -> anyhow::Result<ReportRecipe> {
        let quick = |slow: usize, quick: usize| if self.quick { quick } else { slow };
        let defaults = match about {
            About::Texts => FineTuning { epochs: quick(8, 4), ..FineTuning::of_vectors() },
            About::Photos => FineTuning {
                from: From::Last(quick(3, 1)),
                epochs: quick(8, 4),
                ..FineTuning::default()
            },
        };
        let mut fine_tuning = match &self.recipe {
            Some(path) => FineTuning::read(path, &defaults)?,
            None => defaults,
        };
        if let Some(from) = &self.fine_tune {
            fine_tuning.from = from.clone();
        }
        fine_tuning.epochs = self.epochs.map_or(fine_tuning.epochs, usize::from);
        let scratch = Scratch {
            architecture: self.architecture.into(),
            width: self.scratch_width,
            side: self.scratch_size.into(),
            epochs: self.scratch_epochs.map_or(quick(30, 12), usize::from),
            ..match about {
                About::Photos => Scratch::default(),
                About::Texts => Scratch::of_vectors(),
            }
        };
        // Each once, in the order in which they cost.
        let order = [
            (MethodName::Frozen, Method::Frozen),
            (MethodName::FineTuned, Method::FineTuned),
            (MethodName::Scratch, Method::Scratch),
        ];
        let methods = order.iter().filter(|(name, _)| self.methods.contains(name));
        Ok(ReportRecipe {
            methods: methods.map(|(_, method)| *method).collect(),
            sizes: self.sizes.map_or(quick(5, 3), usize::from),
            seeds: self.seeds.map_or(3, usize::from),
            seed: self.seed,
            folds: self.folds.into(),
            test_share: self.test_share,
            fine_tuning,
            scratch,
            photos: if self.no_photos { Photos::LeftOut } else { Photos::Shown },
            strict: self.strict,
        })
    }
}
