//! ONNX graphs as values: read, inspect, cut, append a head, write. Nothing
//! here runs a network.
//!
//! [`Graph::parse`] is total: any bytes give a graph or a [`GraphError`] that
//! names the tensor or node at fault. Memory is bounded by a constant times the
//! length of the input. A graph that was read and not changed writes the bytes
//! that it was read from, provided that they were in protobuf's canonical order
//! (as the exporters write them), the nodes were sorted, and none was in training
//! mode.
//!
//! Weights are shared between clones of a graph, so cloning is cheap.
//!
//! ```
//! use graft_onnx::{DenseLayer, Graph, HeadWeights};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/tiny/tiny.onnx");
//! let backbone = Graph::parse(&std::fs::read(path)?)?;
//! let old = backbone.classifier()?;
//! assert_eq!((old.features.as_str(), old.feature_length, old.classes), ("flat", 16, 4));
//!
//! let head = HeadWeights {
//!     layers: vec![DenseLayer {
//!         inputs: 16,
//!         outputs: 2,
//!         weights: vec![0.5; 32],
//!         bias: vec![0.0, 1.0],
//!     }],
//! };
//! let grafted = backbone.cut_at(&old.features)?.append_head(&head)?;
//! let outputs: Vec<String> = grafted.outputs().into_iter().map(|o| o.name).collect();
//! assert_eq!(outputs, ["features", "logits"]);
//! # Ok(())
//! # }
//! ```

mod architecture;
mod autodiff;
mod batch;
pub mod caffe;
mod check;
mod classifier;
mod cut;
mod cut_points;
mod encoder;
mod error;
mod eval;
mod external;
mod fold;
mod graph;
mod head;
mod index;
mod infer;
mod inference;
mod names;
mod narrows;
mod nodes;
mod pool;
mod preparation;
mod proto;
mod resize;
mod summary;
mod taps;
mod tensor;
mod upgrade;

pub use architecture::{Architecture, Design, NextWord, VECTORS};
pub use autodiff::{
    Loss, Optimiser, StateRole, Statistics, StepInput, StepOptions, StepState, Trainable,
    TrainingStep, WeightInfo,
};
pub use classifier::Classifier;
pub use cut_points::CutPoint;
pub use encoder::{EncoderError, SentenceEncoder, TOKENS, TokenPooling};
pub use error::{FeatureProblem, GraphError, HeadProblem, TensorProblem};
pub use external::ExternalData;
pub use graph::{Batch, Graph};
pub use head::{DenseLayer, HeadWeights, LOGITS, PROBABILITIES};
pub use pool::{FEATURES, Pool};
pub use preparation::InputStep;
pub use summary::{MultiplyAdds, OperatorCount, Summary};
pub use taps::Tap;
pub use tensor::{Dim, ElementType, TensorInfo};
