use std::io::{Cursor, Read, Seek};

use graft_bundle::BundleFile;

use crate::error::OpenError;

/// Where the bytes of a model are.
#[derive(Clone, Copy)]
pub(crate) enum Bytes<'a> {
    Memory(&'a [u8]),
    /// This form's in a file, from where they are taken as they are needed.
    File(&'a BundleFile, usize),
}

/// What a tar is read from: what is not needed of it is skipped.
pub(super) trait ReadSeek: Read + Seek {}
impl<T: Read + Seek> ReadSeek for T {}

impl<'a> Bytes<'a> {
    pub(super) fn reader(self) -> Result<Box<dyn ReadSeek + 'a>, OpenError> {
        match self {
            Bytes::Memory(bytes) => Ok(Box::new(Cursor::new(bytes))),
            Bytes::File(file, form) => match file.model(form) {
                Ok(reader) => Ok(Box::new(reader)),
                Err(error) => Err(OpenError::Damaged(error.to_string())),
            },
        }
    }
}
