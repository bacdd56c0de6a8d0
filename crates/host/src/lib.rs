//! The host side of graft: it finds backbones, makes features with ONNX Runtime,
//! trains heads, and writes bundles.
//!
//! The way of the data, and the module of each step:
//!
//! ```text
//! examples ─► photos ─► features (cache, engine, provider) ─► sides ─► train ─► graft ─► a bundle
//! catalogue, stated ─► backbone ──────┘
//! a bundle ─► answer, compare, bench
//! catalogue ─► rank, which source suits the examples
//! ```
//!
//! No type of an engine is public; nothing prints, exits, or reads the
//! environment. Progress leaves as [`progress::Event`]s, whose receiver can stop
//! the work.
//!
//! ```
//! use graft_host::examples::Dataset;
//!
//! let folder = tempfile::tempdir()?;
//! for class in ["cracked", "sound"] {
//!     std::fs::create_dir(folder.path().join(class))?;
//!     std::fs::write(folder.path().join(class).join("1.png"), b"opened later")?;
//! }
//! let dataset = Dataset::open(folder.path())?;
//! assert_eq!(dataset.labels, ["cracked", "sound"]);
//! assert_eq!(dataset.examples.len(), 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// The fields of errors are explained by the messages they stand in.
#![allow(missing_docs)]

pub mod answer;
pub mod atomic;
pub mod backbone;
pub mod bench;
pub mod bundle_file;
pub mod cache;
pub mod catalogue;
mod causes;
pub mod compare;
pub mod cuts;
pub mod develop;
pub mod digest;
pub mod encoder;
pub mod engine;
pub mod evaluate;
pub mod examples;
pub mod export;
pub mod features;
pub mod finetune;
pub mod graft;
pub mod inspect;
pub mod labelled;
pub mod lossy;
pub mod memory;
pub mod next_word;
mod onnx_file;
mod photos;
pub mod progress;
pub mod provider;
pub mod rank;
pub mod report;
mod sides;
pub mod stated;
mod subset;
pub mod texts;
pub mod train;
mod untrained;
pub mod vectors;

pub use photos::Skipped;
pub use sides::SidesError;
