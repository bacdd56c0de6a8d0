//! `graft models add net.prototxt --weights net.caffemodel`

use std::path::{Path, PathBuf};

use clap::Args;
use graft_host::catalogue::caffe::{self, Files};
use graft_host::catalogue::{About, Content, Entry};
use graft_host::progress::Event;
use graft_host::stated::StatedInput;

use crate::args::Context;
use crate::progress::Display;

#[derive(Args)]
#[command(next_help_heading = "A network of Caffe")]
pub struct CaffeArgs {
    /// Weights of a prototxt, a .caffemodel
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,

    /// Mean image of a prototxt, a .binaryproto: --mean from a file
    #[arg(long, value_name = "FILE", requires = "weights")]
    mean_file: Option<PathBuf>,
}

impl CaffeArgs {
    /// The network's files, if `file` is one of Caffe's.
    pub fn files(self, file: &Path) -> anyhow::Result<Option<Files>> {
        let prototxt = file.extension().is_some_and(|e| e == "prototxt" || e == "pbtxt");
        match self.weights {
            Some(weights) => {
                let prototxt = file.to_path_buf();
                Ok(Some(Files { prototxt, weights, mean: self.mean_file }))
            }
            None if prototxt => Err(anyhow::anyhow!(
                "{} has the layers alone: name the file with their weights with --weights NET.caffemodel",
                file.display()
            )),
            None => Ok(None),
        }
    }
}

/// Adds it, and says what was made of its mean image.
pub fn add(
    context: &Context<'_>,
    models: &Path,
    files: &Files,
    about: About,
    stated: &StatedInput,
) -> anyhow::Result<Entry> {
    let added = caffe::add(models, files, about, stated)?;
    let Content::Network { input, .. } = &added.entry.spec.content else {
        unreachable!("a network was added")
    };
    let image = &input.image;
    if let Some([rows, columns]) = added.mean_cropped_from {
        let text = format!(
            "the mean image is {columns}x{rows}; the mean of its centre, {}x{}, is subtracted from each channel",
            image.width, image.height
        );
        let _ = Display::new(context).show(Event::Note(&text));
    }
    Ok(added.entry)
}
