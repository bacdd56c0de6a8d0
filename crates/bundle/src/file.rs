use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt as _;

use graft_spec::{Labels, Manifest};
use sha2::{Digest as _, Sha256};

use crate::body::{Body as _, FileBody};
use crate::error::BundleError;
use crate::inside::Inside;
use crate::layout::MAX_HEAD;
use crate::references::References;
use crate::section::Section;
use crate::signature::{MAX_TRAILER, SignatureError, Verifier, split_signature};

/// A bundle whose models stay in its file until they are read: what a device
/// opens that has no memory for a model twice.
///
/// The file is read, never mapped here: one that is cut short while it is open is an
/// error and not the end of the process. The section table is read once, and is
/// under the signature; whatever is read later is held to the digests in it. Only
/// between the check of a model and its reading can another program that writes
/// into the file slip something in: replace a bundle by renaming.
#[derive(Debug)]
pub struct BundleFile {
    body: FileBody,
    inside: Inside,
    is_verified: bool,
}

/// The word table of a bundle's file.
#[derive(Debug)]
pub enum WordsPart<'a> {
    /// It may be mapped: these bytes of the file, whose digest was checked when the
    /// bundle was opened.
    InFile {
        /// The bundle.
        file: &'a File,
        /// Of the first byte.
        offset: u64,
        /// In bytes.
        length: u64,
    },
    /// A signature was demanded, so what is used must be what was verified, whoever
    /// can write to the file: these bytes have been read and their digest checked.
    Read(Vec<u8>),
}

impl BundleFile {
    /// Reads a bundle's file and checks all that `docs/format.md` binds a reader
    /// to, but for the models: each is checked when it is read. With a public
    /// key (as [`crate::verify_signature`] takes it) the signature is verified
    /// before anything is parsed.
    ///
    /// # Errors
    ///
    /// As [`crate::Bundle::parse`] and [`crate::verify_signature`]; and
    /// [`BundleError::Read`].
    pub fn open(file: File, public_key: Option<&str>) -> Result<BundleFile, SignatureError> {
        let length = file.metadata().map_err(BundleError::from)?.len();
        let mut tail = vec![0; length.min(MAX_TRAILER) as usize];
        let before = length - tail.len() as u64;
        file.read_exact_at(&mut tail, before).map_err(BundleError::from)?;
        let (rest, signature) = split_signature(&tail)?;
        let length = before + rest.len() as u64;
        let mut head = vec![0; length.min(MAX_HEAD) as usize];
        file.read_exact_at(&mut head, 0).map_err(BundleError::from)?;
        let body = FileBody { file, head, length };
        if let Some(public_key) = public_key {
            let signature = signature.ok_or(SignatureError::Unsigned)?;
            let verifier = Verifier::new(public_key, signature)?;
            verifier.verify(|take| {
                take(&body.head);
                body.blocks(body.head.len() as u64, body.length, take)
            })?;
        }
        let inside = Inside::read(&body)?;
        Ok(BundleFile { body, inside, is_verified: public_key.is_some() })
    }

    /// How to make the model's input and how to read its output.
    pub fn manifest(&self) -> &Manifest {
        &self.inside.manifest
    }

    /// The names of the classes, in the order of the logits.
    pub fn labels(&self) -> &Labels {
        &self.inside.labels
    }

    /// What the host's engine answered for each form, in the manifest's order.
    pub fn references(&self) -> &[References] {
        &self.inside.references
    }

    /// The word table, as `graft-input` reads it; there is one exactly if the
    /// manifest's input is words.
    ///
    /// # Errors
    ///
    /// [`BundleError::SectionDigest`] if it is damaged, [`BundleError::Read`].
    pub fn words(&self) -> Result<Option<WordsPart<'_>>, BundleError> {
        let Some(section) = self.inside.words() else { return Ok(None) };
        let &Section { id, offset, length, sha256 } = section;
        if !self.is_verified {
            return Ok(Some(WordsPart::InFile { file: &self.body.file, offset, length }));
        }
        let bytes = self.body.read(offset, offset + length)?;
        match Sha256::digest(&bytes) == sha256 {
            true => Ok(Some(WordsPart::Read(bytes))),
            false => Err(BundleError::SectionDigest { section: id }),
        }
    }

    /// The tokenizer, `tokenizer.json` of the library of that name; there is one
    /// exactly if the manifest's input is tokens. It is opaque here.
    pub fn tokenizer(&self) -> Option<&[u8]> {
        self.inside.tokenizer.as_deref()
    }

    /// The model of a form, by its place in the manifest, after its digest was
    /// checked.
    ///
    /// # Errors
    ///
    /// [`BundleError::SectionDigest`] if it is damaged, [`BundleError::Read`].
    ///
    /// # Panics
    ///
    /// If the manifest has no such form.
    pub fn model(&self, form: usize) -> Result<impl Read + Seek, BundleError> {
        let section = self.inside.model(form);
        section.check_digest(&self.body)?;
        let end = section.offset + section.length;
        let part = Part { body: &self.body, start: section.offset, at: section.offset, end };
        Ok(Buffered(io::BufReader::with_capacity(64 << 10, part)))
    }

    /// SHA-256 of the model of a form, as the section table has it.
    ///
    /// # Panics
    ///
    /// If the manifest has no such form.
    pub fn model_sha256(&self, form: usize) -> [u8; 32] {
        self.inside.model(form).sha256
    }

    /// Whether a signature was demanded when it was opened, and held.
    pub fn is_verified(&self) -> bool {
        self.is_verified
    }
}

/// Keeps what it has read when it goes on from there, as whoever skips does.
struct Buffered<T>(io::BufReader<T>);

impl<T: Read> Read for Buffered<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<T: Read + Seek> Seek for Buffered<T> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match to {
            SeekFrom::Current(by) => {
                self.0.seek_relative(by)?;
                self.0.stream_position()
            }
            to => self.0.seek(to),
        }
    }
}

struct Part<'a> {
    body: &'a FileBody,
    start: u64,
    at: u64,
    end: u64,
}

impl Read for Part<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        let read = self.body.file.read_at(&mut buffer[..wanted], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Part<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (from, by) = match to {
            SeekFrom::Start(by) => (self.start.checked_add(by), 0),
            SeekFrom::Current(by) => (Some(self.at), by),
            SeekFrom::End(by) => (Some(self.end), by),
        };
        let at = from.and_then(|from| from.checked_add_signed(by));
        let inside = at.filter(|at| (self.start..=self.end).contains(at));
        self.at = inside.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at - self.start)
    }
}
