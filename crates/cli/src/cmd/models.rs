use std::path::PathBuf;

use clap::{Args, Subcommand};
use graft_host::catalogue::{self, Content, EncoderSpec, Entry, ModelFile, VectorsSpec};
use graft_spec::ImageSpec;
use serde::Serialize;

use crate::args::Context;
use crate::locations::{Locations, network};
use crate::output::{Outcome, print};
use crate::progress::Display;
use crate::text;

mod add;
mod ask;
mod caffe;

/// List, fetch, add and remove backbones
#[derive(Args)]
pub struct Cmd {
    #[command(subcommand)]
    act: Option<Act>,
}

#[derive(Subcommand)]
enum Act {
    /// List the models that graft knows
    List,
    /// Get a model's file, its digest checked
    ///
    /// A download that was stopped, or whose connection broke, goes on where it was
    /// the next time.
    Fetch {
        /// A name that `graft models` lists
        model: String,

        /// Take the file, or the archive that it is in, from here instead
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
    },
    /// Put an ONNX file, a network of Caffe, word vectors or a sentence encoder into the
    /// catalogue
    ///
    /// On a terminal it asks for what the graph does not show; elsewhere that must
    /// be stated in flags.
    Add(Box<add::Add>),
    /// Remove what was added or fetched from the data folder
    Remove {
        /// A name that `graft models` lists
        model: String,
    },
}

/// Field names are those of docs/json.md.
#[derive(Serialize)]
pub struct ListReport {
    pub models: Vec<Model>,
    pub broken: Vec<Broken>,
}

#[derive(Serialize)]
pub struct FetchReport {
    #[serde(flatten)]
    pub model: Model,
    pub downloaded: bool,
}

#[derive(Serialize)]
pub struct RemoveReport {
    pub name: String,
    #[serde(serialize_with = "graft_host::lossy::path")]
    pub removed: PathBuf,
}

#[derive(Serialize)]
pub struct Model {
    pub name: String,
    pub title: String,
    pub licence: String,
    pub origin: String,
    pub here: bool,
    /// `None`: in this program, or not here.
    #[serde(serialize_with = "graft_host::lossy::maybe_path")]
    pub path: Option<PathBuf>,
    /// `None`: not here, and its `model.toml` doesn't say.
    pub file_bytes: Option<u64>,
    pub multiply_adds: Option<u64>,
    pub parameters: Option<u64>,
    /// Of a network.
    pub input: Option<ImageSpec>,
    /// Of word vectors.
    pub words: Option<VectorsSpec>,
    /// Of a sentence encoder.
    pub encoder: Option<EncoderSpec>,
    pub sha256: String,
    pub fetch: Option<&'static str>,
}

/// A folder of the catalogue whose `model.toml` can't be used.
#[derive(Serialize)]
pub struct Broken {
    pub name: String,
    pub error: String,
}

impl Cmd {
    pub fn run(self, context: &Context<'_>) -> anyhow::Result<Outcome> {
        let models = Locations::find()?.models();
        match self.act {
            None | Some(Act::List) => {
                let listing = catalogue::list(&models)?;
                let broken = listing.broken.into_iter().map(|b| Broken {
                    name: b.name,
                    error: format!("{:#}", anyhow::Error::new(b.error)),
                });
                let report = ListReport {
                    models: listing.models.iter().map(model).collect(),
                    broken: broken.collect(),
                };
                print(context.global, "models", &report, || text::models::list(&report))?;
            }
            Some(Act::Fetch { model: name, from }) => {
                let entry = catalogue::find(&models, &name)?;
                let mut display = Display::new(context);
                let downloaded =
                    catalogue::fetch::fetch(&entry, from.as_deref(), &network(), &mut |event| {
                        display.show(event)
                    })?;
                let entry = catalogue::find(&models, &name)?;
                let report = FetchReport { model: model(&entry), downloaded };
                print(context.global, "models", &report, || text::models::fetched(&report))?;
            }
            Some(Act::Add(add)) => {
                let report = model(&add.run(&models, context)?);
                print(context.global, "models", &report, || text::models::added(&report))?;
            }
            Some(Act::Remove { model: name }) => {
                let removed = catalogue::remove(&models, &name)?;
                let report = RemoveReport { name, removed };
                print(context.global, "models", &report, || text::models::removed(&report))?;
            }
        }
        Ok(Outcome::Yes)
    }
}

fn model(entry: &Entry) -> Model {
    let (input, words, encoder) = match &entry.spec.content {
        Content::Network { input, .. } => (Some(input.image.clone()), None, None),
        Content::Words { words } => (None, Some(*words), None),
        Content::Encoder { encoder } => (None, None, Some(encoder.clone())),
    };
    let cost = entry.cost();
    let (here, path, bytes) = match &entry.file {
        ModelFile::BuiltIn(bytes) => (true, None, Some(bytes.len() as u64)),
        ModelFile::At(path) => {
            let bytes = path.metadata().ok().map(|m| m.len());
            (bytes.is_some(), Some(path.clone()), bytes)
        }
        ModelFile::Fetchable(_) => (false, None, None),
    };
    Model {
        name: entry.spec.name.to_string(),
        title: entry.spec.title.clone(),
        licence: entry.spec.licence.clone(),
        origin: entry.spec.origin.clone(),
        here,
        path,
        file_bytes: bytes.or(cost.map(|c| c.bytes)),
        multiply_adds: cost.and_then(|c| c.multiply_adds),
        parameters: cost.map(|c| c.parameters),
        input,
        words,
        encoder,
        sha256: entry.spec.sha256.clone(),
        fetch: entry.spec.fetch.as_ref().map(catalogue::Fetch::kind),
    }
}
