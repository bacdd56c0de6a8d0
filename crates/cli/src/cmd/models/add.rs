use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use graft_host::catalogue::{self, About, Entry, InputSpec};
use graft_host::stated;
use graft_spec::Name;

use super::{ask, caffe};
use crate::args::Context;
use crate::input_args::InputArgs;

#[derive(Args)]
pub struct Add {
    /// The ONNX file, or Caffe's prototxt
    file: PathBuf,

    #[command(flatten)]
    caffe: caffe::CaffeArgs,

    /// Name in the catalogue [default: the file's]
    #[arg(long)]
    name: Option<String>,

    /// Licence of the weights, an SPDX expression or a sentence
    #[arg(long, value_name = "LICENCE")]
    licence: Option<String>,

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

impl Add {
    pub fn run(self, models: &Path, context: &Context<'_>) -> anyhow::Result<Entry> {
        let stem = self.file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let name = Name::new(self.name.unwrap_or(stem))
            .context("the file's name is no name for a model; state one with --name")?;
        let stated = self.input.stated();
        let asks_where = self.at.is_none();
        let about = |licence| About {
            name,
            title: self.title,
            origin: self.origin,
            licence,
            features: self.at,
        };
        if let Some(files) = self.caffe.files(&self.file)? {
            let licence = match (ask::somebody(context), self.licence) {
                (Some(mut person), licence) => person.licence(licence)?,
                (None, licence) => licence.context(NO_LICENCE)?,
            };
            return caffe::add(context, models, &files, about(licence), &stated);
        }
        let (licence, input) = match ask::somebody(context) {
            Some(mut person) => {
                let seen = catalogue::look(&self.file)?;
                let input = ask::input(&mut person, &seen, stated, asks_where)?;
                (person.licence(self.licence)?, input)
            }
            None => unattended(&self.file, self.licence, &stated)?,
        };
        Ok(catalogue::add(models, &self.file, about(licence), input)?)
    }
}

const NO_LICENCE: &str = "the licence of the weights is to be stated, with --licence MIT or a sentence; --licence \"not known\" is one too";

/// Without a person to ask, everything that the graph doesn't show must be stated.
fn unattended(
    file: &Path,
    licence: Option<String>,
    stated: &stated::StatedInput,
) -> anyhow::Result<(String, InputSpec)> {
    let input = stated::of_file(file, stated)?;
    Ok((licence.context(NO_LICENCE)?, input))
}
