use std::fmt;

use super::MAX_SIDE;

/// A format that [`decode`](super::decode) reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PictureFormat {
    /// ITU-T T.81: baseline, extended and progressive, 8 bits.
    Jpeg,
    /// Portable Network Graphics.
    Png,
    /// Windows bitmap.
    Bmp,
    /// Graphics Interchange Format.
    Gif,
    /// Tagged Image File Format.
    Tiff,
    /// WebP, lossy and lossless.
    WebP,
}

/// Why bytes are not a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// There are no bytes.
    Empty,
    /// They begin like no picture format known.
    UnknownFormat {
        /// The first bytes, at most eight.
        first: Vec<u8>,
    },
    /// A picture of a format that is not read at all.
    UnreadFormat {
        /// What people call it.
        name: &'static str,
    },
    /// A picture of a format that this build does without.
    LeftOut {
        /// What the first bytes say it is.
        format: PictureFormat,
    },
    /// More pixels than are read, or a side above [`MAX_SIDE`].
    TooLarge {
        /// As the file claims, in pixels.
        width: u32,
        /// As the file claims, in pixels.
        height: u32,
        /// How many are read.
        max_pixels: u64,
    },
    /// The file ends early or breaks its format's rules.
    Broken {
        /// What the first bytes say it is.
        format: PictureFormat,
        /// In the decoder's words.
        reason: String,
    },
    /// A variant of the format that is not read.
    Unsupported {
        /// What the first bytes say it is.
        format: PictureFormat,
        /// In the decoder's words.
        what: String,
    },
}

impl PictureFormat {
    /// Whether this build has its decoder.
    pub(super) fn is_read(self) -> bool {
        match self {
            PictureFormat::Jpeg | PictureFormat::Png => true,
            PictureFormat::Bmp | PictureFormat::Gif | PictureFormat::Tiff | PictureFormat::WebP => {
                cfg!(feature = "formats")
            }
        }
    }
}

/// Tells the format by the file's first bytes.
pub(super) fn recognise(bytes: &[u8]) -> Result<PictureFormat, DecodeError> {
    let unread = |name| Err(DecodeError::UnreadFormat { name });
    match bytes {
        [] => Err(DecodeError::Empty),
        [0xff, 0xd8, 0xff, ..] => Ok(PictureFormat::Jpeg),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Ok(PictureFormat::Png),
        [b'B', b'M', ..] => Ok(PictureFormat::Bmp),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Ok(PictureFormat::Gif),
        [b'I', b'I', b'*', 0, ..] | [b'M', b'M', 0, b'*', ..] => Ok(PictureFormat::Tiff),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Ok(PictureFormat::WebP),
        // What phones write today, and the likeliest thing in a folder of
        // photos that we cannot read: named, so that people know what to do.
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => match brand {
            [b'a', b'v', b'i', b'f' | b's', ..] => unread("AVIF"),
            [b'h', b'e', b'i' | b'v', _, ..] | [b'm', b'i', b'f', b'1', ..] => unread("HEIC"),
            _ => unread("MP4-like"),
        },
        [0xff, 0x0a, ..] | [0, 0, 0, 0x0c, b'J', b'X', b'L', b' ', ..] => unread("JPEG XL"),
        _ => Err(DecodeError::UnknownFormat { first: bytes[..bytes.len().min(8)].to_vec() }),
    }
}

impl fmt::Display for PictureFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PictureFormat::Jpeg => "JPEG",
            PictureFormat::Png => "PNG",
            PictureFormat::Bmp => "BMP",
            PictureFormat::Gif => "GIF",
            PictureFormat::Tiff => "TIFF",
            PictureFormat::WebP => "WebP",
        })
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Empty => f.write_str("the file is empty"),
            DecodeError::UnknownFormat { first } => write!(
                f,
                "not a JPEG, PNG, BMP, GIF, TIFF or WebP picture: it begins with \"{}\"",
                first.escape_ascii()
            ),
            DecodeError::UnreadFormat { name } => {
                write!(f, "{name} files are not read: convert it to JPEG or PNG")
            }
            DecodeError::LeftOut { format } => {
                write!(f, "this build reads no {format} files: convert it to JPEG or PNG")
            }
            DecodeError::TooLarge { width, height, max_pixels } => write!(
                f,
                "the picture claims {width}x{height} pixels; \
                 at most {max_pixels} pixels and sides of {MAX_SIDE} are read"
            ),
            DecodeError::Broken { format, reason } => write!(f, "broken {format}: {reason}"),
            DecodeError::Unsupported { format, what } => {
                write!(f, "a kind of {format} that is not read: {what}")
            }
        }
    }
}

impl std::error::Error for DecodeError {}
