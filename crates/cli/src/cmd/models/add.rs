use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use graft_host::catalogue::{self, About, Entry, InputSpec};
use graft_host::encoder::{StatedEncoder, is_encoder};
use graft_host::progress::Event;
use graft_host::stated::{self, StatedInput};
use graft_host::vectors::{self, VectorsFile, is_vectors};
use graft_spec::Name;

use super::{ask, caffe};
use crate::args::Context;
use crate::input_args::InputArgs;
use crate::progress::Display;
use crate::vectors_args::VectorsArgs;

#[derive(Args)]
pub struct Add {
    /// The ONNX file, Caffe's prototxt, a file of word vectors, or a folder with a
    /// sentence encoder and its tokenizer.json
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

    #[command(flatten)]
    vectors: VectorsArgs,

    /// Tokens of a text that a sentence encoder reads [default: as its folder says, or
    /// 256]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(3..=8192))]
    max_tokens: Option<u32>,
}

impl Add {
    pub fn run(self, models: &Path, context: &Context<'_>) -> anyhow::Result<Entry> {
        let caffe = self.caffe.files(&self.file)?;
        let is_encoder = caffe.is_none() && is_encoder(&self.file);
        let is_words = caffe.is_none() && !is_encoder && is_vectors(&self.file);
        let stem = match is_words {
            true => vectors::stem(&self.file),
            false if self.file.is_dir() => {
                let folder = std::fs::canonicalize(&self.file)
                    .with_context(|| format!("cannot read {}", self.file.display()))?;
                folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
            }
            false => self.file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        };
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
        if is_encoder || self.max_tokens.is_some() {
            let licence = licence(context, self.licence)?;
            if stated != StatedInput::default() || !asks_where {
                anyhow::bail!(
                    "a sentence encoder has no photo to describe and no place to cut: leave those flags out"
                );
            }
            let stated = StatedEncoder { max_tokens: self.max_tokens, pooling: None };
            return Ok(catalogue::add_encoder(models, &self.file, about(licence), stated)?);
        }
        if is_words {
            let licence = licence(context, self.licence)?;
            if stated != StatedInput::default() || !asks_where {
                anyhow::bail!(
                    "word vectors have no input to describe and no place to cut: leave those flags out"
                );
            }
            let file = VectorsFile::of_file(&self.file, self.vectors.stated())?;
            let mut display = Display::new(context);
            let mut on = |event: Event<'_>| display.show(event);
            return Ok(catalogue::add_words(models, &file, about(licence), &mut on)?);
        }
        if let Some(files) = caffe {
            let licence = licence(context, self.licence)?;
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

/// As stated, or as a person at the terminal says.
fn licence(context: &Context<'_>, stated: Option<String>) -> anyhow::Result<String> {
    match ask::somebody(context) {
        Some(mut person) => Ok(person.licence(stated)?),
        None => stated.context(NO_LICENCE),
    }
}

const NO_LICENCE: &str = "the licence of the weights is to be stated, with --licence MIT or a sentence; --licence \"not known\" is one too";

/// Without a person to ask, everything that the graph doesn't show must be stated.
fn unattended(
    file: &Path,
    licence: Option<String>,
    stated: &StatedInput,
) -> anyhow::Result<(String, InputSpec)> {
    let input = stated::of_file(file, stated)?;
    Ok((licence.context(NO_LICENCE)?, input))
}
