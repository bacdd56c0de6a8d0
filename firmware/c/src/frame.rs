//! Frames as C hands them over.

use graft_input::{PixelFormat, RawFrame};

use crate::failure::Failure;
use crate::pointer;

/// How the pixels of a frame are stored: one of GRAFT_RGB to GRAFT_NV12.
// A number and no enum, as C may put any number there.
pub type graft_format = u32;

/// Three bytes a pixel: red, green, blue.
pub const GRAFT_RGB: graft_format = 1;
/// Three bytes a pixel: blue, green, red.
pub const GRAFT_BGR: graft_format = 2;
/// One byte a pixel.
pub const GRAFT_GREY: graft_format = 3;
/// Y0 U Y1 V, four bytes for two pixels; also called YUY2. BT.601, limited
/// range.
pub const GRAFT_YUYV: graft_format = 4;
/// A plane of Y, one byte a pixel, then one of U V, two bytes for two by two
/// pixels. Rows of both are `stride` bytes apart, and the second plane begins
/// `stride * height` bytes after the first. BT.601, limited range.
pub const GRAFT_NV12: graft_format = 5;

/// One picture in memory, borrowed for the call. Begin with GRAFT_FRAME_INIT.
#[repr(C)]
pub struct graft_frame {
    /// sizeof(graft_frame). Later versions may append fields; they know by this
    /// which ones a program has.
    pub size: u32,
    /// How pixels are stored.
    pub format: graft_format,
    /// In pixels, at least 1.
    pub width: u32,
    /// In pixels, at least 1.
    pub height: u32,
    /// Bytes from the start of a row to the start of the next.
    pub stride: usize,
    /// The first byte of the first row. Rows go from the top.
    pub data: *const u8,
    /// Bytes from the first to the last one of all rows, chroma included. The
    /// last row may come without its padding. More is refused: the size or the
    /// stride would be wrong.
    pub length: usize,
}

/// # Safety
///
/// If `frame` is not NULL and aligned, it points at a frame whose `data`, if not
/// NULL, is `length` bytes that live and are not written to for `'a`.
pub(crate) unsafe fn raw<'a>(frame: *const graft_frame) -> Result<RawFrame<'a>, Failure> {
    const KIND: &str = "graft_frame";
    // SAFETY: the caller promises it, and `size` comes first.
    let frame = unsafe { pointer::sized(frame.cast_mut(), "frame", KIND, "GRAFT_FRAME_INIT") }?;
    // SAFETY: it was found to be a frame of this version, not NULL and aligned.
    let graft_frame { format, width, height, stride, data, length, .. } = unsafe { frame.read() };
    let format = match format {
        GRAFT_RGB => PixelFormat::Rgb,
        GRAFT_BGR => PixelFormat::Bgr,
        GRAFT_GREY => PixelFormat::Grey,
        GRAFT_YUYV => PixelFormat::Yuyv,
        GRAFT_NV12 => PixelFormat::Nv12,
        other => return Err(Failure::Format(other)),
    };
    // SAFETY: the caller promises it.
    let bytes = unsafe { pointer::bytes(data, length, "graft_frame.data") }?;
    Ok(RawFrame::new(format, width, height, stride, bytes)?)
}
