//! How an example becomes a tensor, by what the manifest says that it is.

use std::fs::File;
use std::io;

use graft_bundle::{Bundle, BundleFile, WordsPart};
#[cfg(feature = "tokens")]
use graft_input::tokens::{TokenPreparer, synthetic_sentence};
use graft_input::words::{TextPreparer, WordTable, synthetic_text};
use graft_input::{Picture, Preparer, synthetic};
use graft_spec::{Input, Manifest};
use memmap2::{Mmap, MmapOptions};

use crate::error::{OpenError, RunError};

/// What fills a tensor.
// One of each model: the larger one's size is not worth a pointer.
#[expect(clippy::large_enum_variant, reason = "there is one in a model")]
pub(crate) enum Preparation {
    Picture(Preparer),
    Text(TextPreparer<TableBytes>),
    #[cfg(feature = "tokens")]
    Tokens(Box<TokenPreparer>),
}

/// What a model is asked about.
pub(crate) enum Example {
    Picture(Picture),
    Text(String),
}

/// The word table of a model.
pub(crate) enum TableBytes {
    Memory(Vec<u8>),
    File(Mmap),
}

impl AsRef<[u8]> for TableBytes {
    fn as_ref(&self) -> &[u8] {
        match self {
            TableBytes::Memory(bytes) => bytes,
            TableBytes::File(map) => map,
        }
    }
}

impl Preparation {
    /// Copies the word table, if there is one.
    pub(crate) fn of_bundle(bundle: &Bundle<'_>) -> Result<Preparation, OpenError> {
        let table = bundle.words().map(|bytes| TableBytes::Memory(bytes.to_vec()));
        Preparation::new(bundle.manifest(), table, bundle.tokenizer())
    }

    /// Maps the word table, if there is one; reads it, if a signature was demanded.
    pub(crate) fn of_file(bundle: &BundleFile) -> Result<Preparation, OpenError> {
        let damaged = |error: &dyn std::error::Error| OpenError::Damaged(error.to_string());
        let table = match bundle.words().map_err(|error| damaged(&error))? {
            None => None,
            Some(WordsPart::Read(bytes)) => Some(TableBytes::Memory(bytes)),
            Some(WordsPart::InFile { file, offset, length }) => {
                let map = map(file, offset, length).map_err(|error| damaged(&error))?;
                Some(TableBytes::File(map))
            }
        };
        Preparation::new(bundle.manifest(), table, bundle.tokenizer())
    }

    fn new(
        manifest: &Manifest,
        table: Option<TableBytes>,
        tokenizer: Option<&[u8]>,
    ) -> Result<Preparation, OpenError> {
        #[cfg(not(feature = "tokens"))]
        let _ = tokenizer;
        match (&manifest.input, table) {
            (Input::Image(spec), _) => Ok(Preparation::Picture(Preparer::new(spec)?)),
            (Input::Words(spec), Some(table)) => {
                Ok(Preparation::Text(TextPreparer::new(spec, WordTable::parse(table)?)?))
            }
            #[cfg(feature = "tokens")]
            (Input::Tokens(spec), _) => {
                let tokenizer =
                    tokenizer.expect("invariant: a bundle whose input is tokens has a tokenizer");
                Ok(Preparation::Tokens(Box::new(TokenPreparer::new(spec, tokenizer)?)))
            }
            #[cfg(not(feature = "tokens"))]
            (Input::Tokens(_), _) => Err(OpenError::WithoutTokens),
            (Input::Words(_), None) => {
                unreachable!("invariant: a bundle whose input is words has a word table")
            }
        }
    }

    /// The example that a reference speaks of: a picture, or a text of `width` words.
    pub(crate) fn synthetic(&self, seed: u64, width: u32, height: u32) -> Example {
        match self {
            Preparation::Picture(_) => Example::Picture(synthetic(seed, width, height)),
            Preparation::Text(preparer) => {
                Example::Text(synthetic_text(seed, width, preparer.table()))
            }
            #[cfg(feature = "tokens")]
            Preparation::Tokens(_) => Example::Text(synthetic_sentence(seed, width)),
        }
    }

    /// Prepares an example. `tensor` has room for the longest, and is cut to what the
    /// example has.
    pub(crate) fn fill(
        &mut self,
        example: &Example,
        tensor: &mut Vec<f32>,
    ) -> Result<(), RunError> {
        match (self, example) {
            (Preparation::Picture(preparer), Example::Picture(picture)) => {
                preparer.fill(picture.frame(), tensor);
            }
            (Preparation::Text(preparer), Example::Text(text)) => {
                preparer.fill(text, tensor);
            }
            #[cfg(feature = "tokens")]
            (Preparation::Tokens(preparer), Example::Text(text)) => {
                preparer.fill(text, tensor)?;
            }
            (Preparation::Picture(_), Example::Text(_)) => return Err(RunError::NotAboutTexts),
            (_, Example::Picture(_)) => return Err(RunError::NotAboutPictures),
        }
        Ok(())
    }
}

fn map(file: &File, offset: u64, length: u64) -> io::Result<Mmap> {
    let length = usize::try_from(length).map_err(io::Error::other)?;
    let mut options = MmapOptions::new();
    options.offset(offset).len(length);
    // SAFETY: nothing here writes to it. Whoever changes or cuts a bundle's file in
    // place while a model is open breaks what `Model::open_file` demands.
    unsafe { options.map(file) }
}
