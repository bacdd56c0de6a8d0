use std::fmt;

/// A borrowed picture: 8-bit RGB, interleaved, rows from the top, without
/// padding.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    width: u32,
    height: u32,
    rgb: &'a [u8],
}

/// An owned picture in the format of a [`Frame`].
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

/// Bytes that are not a picture of the stated size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// A side is 0.
    NoPixels {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
    /// The number of bytes is not three a pixel.
    WrongLength {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
        /// Bytes that were given.
        bytes: usize,
    },
}

fn check(width: u32, height: u32, bytes: usize) -> Result<(), FrameError> {
    if width == 0 || height == 0 {
        return Err(FrameError::NoPixels { width, height });
    }
    // In 128 bits, because three times the largest picture passes 64.
    if bytes as u128 != 3 * u128::from(width) * u128::from(height) {
        return Err(FrameError::WrongLength { width, height, bytes });
    }
    Ok(())
}

impl<'a> Frame<'a> {
    /// Borrows `3 * width * height` bytes.
    pub fn new(width: u32, height: u32, rgb: &'a [u8]) -> Result<Frame<'a>, FrameError> {
        check(width, height, rgb.len())?;
        Ok(Frame { width, height, rgb })
    }

    /// In pixels, at least 1.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// In pixels, at least 1.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// `3 * width * height` bytes.
    pub fn rgb(&self) -> &'a [u8] {
        self.rgb
    }
}

impl Picture {
    /// Takes `3 * width * height` bytes.
    pub fn new(width: u32, height: u32, rgb: Vec<u8>) -> Result<Picture, FrameError> {
        check(width, height, rgb.len())?;
        Ok(Picture { width, height, rgb })
    }

    /// What a network is shown.
    pub fn frame(&self) -> Frame<'_> {
        Frame { width: self.width, height: self.height, rgb: &self.rgb }
    }

    /// In pixels, at least 1.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// In pixels, at least 1.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// `3 * width * height` bytes.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }
}

impl fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({}x{})", self.width, self.height)
    }
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Picture({}x{})", self.width, self.height)
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameError::NoPixels { width, height } => {
                write!(f, "a picture of {width}x{height} has no pixels")
            }
            FrameError::WrongLength { width, height, bytes } => write!(
                f,
                "a picture of {width}x{height} has {} bytes of RGB, got {bytes}",
                3 * u128::from(*width) * u128::from(*height)
            ),
        }
    }
}

impl std::error::Error for FrameError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_has_three_bytes_a_pixel() {
        assert_eq!(Frame::new(2, 1, &[0; 6]).map(|f| f.rgb().len()), Ok(6));
        assert_eq!(
            Frame::new(2, 1, &[0; 5]),
            Err(FrameError::WrongLength { width: 2, height: 1, bytes: 5 })
        );
        assert_eq!(Frame::new(0, 1, &[]), Err(FrameError::NoPixels { width: 0, height: 1 }));
        // 3 * 2^32 * 2^32 is 0 in 64 bits.
        assert!(Frame::new(u32::MAX, u32::MAX, &[]).is_err());
    }

    #[test]
    fn errors_say_what_was_expected() {
        let error = Frame::new(640, 480, &[]).unwrap_err();
        assert_eq!(error.to_string(), "a picture of 640x480 has 921600 bytes of RGB, got 0");
    }
}
