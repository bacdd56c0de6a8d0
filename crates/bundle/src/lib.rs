//! The bundle: the one file that passes from the host, which learns, to the
//! device, which runs. `docs/format.md` is its norm; this crate reads, writes
//! and verifies it.
//!
//! [`Bundle::parse`] takes any bytes, checks every rule before anyone acts on
//! them, and borrows the models. [`write()`] makes a bundle from its contents,
//! the same bytes from the same contents. A device that trusts only its maker
//! calls [`verify_signature`] before it parses.
//!
//! ```
//! use graft_bundle::{Bundle, Contents, ModelPart, Reference, References};
//! use graft_spec::{
//!     Answer, Calibration, Colour, Fit, Form, ImageSpec, Input, Labels, Layout, Manifest,
//!     ModelFormat, Name, Precision, Tolerance,
//! };
//!
//! let contents = Contents {
//!     manifest: Manifest {
//!         name: Name::new("solar")?,
//!         input: Input::Image(ImageSpec {
//!             width: 224,
//!             height: 224,
//!             fit: Fit::Stretch,
//!             resize: None,
//!             layout: Layout::Nchw,
//!             colour: Colour::Rgb,
//!             scale: 255.0,
//!             mean: vec![0.485, 0.456, 0.406],
//!             std: vec![0.229, 0.224, 0.225],
//!             background: [0, 0, 0],
//!         }),
//!         answer: Answer::Class(Calibration::NONE),
//!         forms: vec![Form {
//!             format: ModelFormat::Onnx,
//!             precision: Precision::F32,
//!             input: "images".into(),
//!             features: "features".into(),
//!             logits: "logits".into(),
//!             feature_length: 1280,
//!             tolerance: Tolerance { absolute: 1e-3, relative: 1e-3 },
//!         }],
//!     },
//!     labels: Labels::new(vec!["defective".into(), "sound".into()])?,
//!     models: vec![ModelPart {
//!         bytes: b"an ONNX file",
//!         references: References {
//!             classes: 2,
//!             items: vec![Reference {
//!                 seed: 1,
//!                 width: 300,
//!                 height: 200,
//!                 prepared_sha256: [0; 32],
//!                 logits: vec![-1.5, 1.5],
//!             }],
//!         },
//!     }],
//!     words: None,
//!     tokenizer: None,
//!     provenance: None,
//! };
//! let bytes = graft_bundle::write(&contents)?;
//!
//! let bundle = Bundle::parse(&bytes)?;
//! assert_eq!(bundle.manifest().name.as_str(), "solar");
//! assert_eq!(&bundle.labels()[1], "sound");
//! let form = bundle.forms().next().expect("a bundle has at least one form");
//! assert_eq!(form.model, b"an ONNX file");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod body;
mod bundle;
mod cursor;
mod error;
mod file;
mod inside;
mod json;
mod layout;
mod references;
mod section;
mod signature;
mod write;

pub use bundle::{Bundle, FormView};
pub use error::{BundleError, JsonProblem, ReferencesProblem, TrailerProblem};
pub use file::{BundleFile, WordsPart};
pub use references::{Reference, References};
pub use section::{Kind, MAX_BODY, MAX_TOKENIZER, Section, SectionId};
pub use signature::{SignatureError, append_signature, split_signature, verify_signature};
pub use write::{Contents, ModelPart, write};
