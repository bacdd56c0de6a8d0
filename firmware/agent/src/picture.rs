//! From what a source gives to what a model is asked about.

use std::str::Utf8Error;

use graft_input::{DecodeError, Frame, Picture, RawFrame, RawFrameError, decode_within};

use crate::mailbox::{Captured, Encoding};

/// Buffers that are used for one frame after another.
#[derive(Debug)]
pub(crate) struct Darkroom {
    /// Of a picture file.
    max_pixels: u64,
    rgb: Vec<u8>,
    picture: Option<Picture>,
}

/// What a model is asked about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shown<'a> {
    Picture(Frame<'a>),
    Text(&'a str),
}

/// Why a frame cannot be shown.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error(transparent)]
    Picture(#[from] DecodeError),
    #[error(transparent)]
    Raw(#[from] RawFrameError),
    #[error("the text is not UTF-8: {0}")]
    Text(#[from] Utf8Error),
}

impl Darkroom {
    pub fn new(max_pixels: u64) -> Darkroom {
        Darkroom { max_pixels, rgb: Vec::new(), picture: None }
    }

    /// Transparent pixels are laid on `background`.
    pub fn develop<'a>(
        &'a mut self,
        captured: &'a Captured,
        background: [u8; 3],
    ) -> Result<Shown<'a>, Unreadable> {
        match captured.encoding {
            Encoding::Picture => {
                // The last one goes first, so that there are never two.
                self.picture = None;
                let picture = decode_within(&captured.bytes, background, self.max_pixels)?;
                Ok(Shown::Picture(self.picture.insert(picture).frame()))
            }
            Encoding::Raw(layout) => {
                let raw = RawFrame::new(
                    layout.format,
                    layout.width,
                    layout.height,
                    layout.stride,
                    &captured.bytes,
                )?;
                raw.to_rgb(&mut self.rgb);
                let frame = Frame::new(layout.width, layout.height, &self.rgb)
                    .expect("invariant: three bytes were made for each pixel");
                Ok(Shown::Picture(frame))
            }
            Encoding::Text => Ok(Shown::Text(std::str::from_utf8(&captured.bytes)?)),
        }
    }
}
