//! What a network sees.
//!
//! The bytes of a picture file become 8-bit RGB, and a [`Preparer`] makes that
//! into the tensor of an [`ImageSpec`](graft_spec::ImageSpec). The host that
//! learns and the device that runs call this same code, and it gives the same
//! bytes on both: `docs/format.md` is normative ("Preparing a picture").
//!
//! A text becomes a tensor in [`words`] ("Preparing a text") or, for a sentence encoder,
//! in [`tokens`].
//!
//! ```
//! use graft_input::{Preparer, synthetic};
//! use graft_spec::{Colour, Fit, ImageSpec, Layout};
//!
//! let spec = ImageSpec {
//!     width: 4,
//!     height: 2,
//!     fit: Fit::Letterbox,
//!     resize: None,
//!     layout: Layout::Nchw,
//!     colour: Colour::Grey,
//!     scale: 255.0,
//!     mean: vec![0.5],
//!     std: vec![0.5],
//!     background: [255, 255, 255],
//! };
//! let mut preparer = Preparer::new(&spec)?;
//! let mut tensor = vec![0.0; spec.tensor_len()];
//! preparer.fill(synthetic(1, 64, 64).frame(), &mut tensor);
//! // A square picture in a wide tensor: white on both sides.
//! assert_eq!([tensor[0], tensor[3], tensor[4], tensor[7]], [1.0; 4]);
//! # Ok::<(), graft_spec::SpecError>(())
//! ```

#[cfg(feature = "decode")]
mod decode;
mod fit;
mod frame;
mod hash;
mod normalise;
mod prepare;
mod random;
mod raw;
mod synthetic;
pub mod tokens;
pub mod words;

#[cfg(feature = "decode")]
pub use decode::{DecodeError, MAX_PIXELS, MAX_SIDE, PictureFormat, decode, decode_within};
pub use frame::{Frame, FrameError, Picture};
pub use hash::tensor_sha256;
pub use prepare::Preparer;
pub use raw::{PixelFormat, RawFrame, RawFrameError};
pub use synthetic::synthetic;
