//! Each rule against central differences, in 64-bit floats: the loss of the very
//! graph that trains, at weights moved along a random direction, and the same
//! forward answers as the graph that it was made of.

use std::collections::HashMap;

use proptest::prelude::*;

use super::{Loss, Optimiser, StateRole, Statistics, StepOptions, Trainable, TrainingStep};
use crate::eval::Value;
use crate::eval::network::{in_f64, run_graph};
use crate::graph::Graph;
use crate::pool::{int, ints, node_float};
use crate::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, attribute_proto,
};
use crate::tensor::{Dim, ElementType, TensorInfo};

mod build;
mod gradients;
mod optimisers;
mod pytorch;
mod refusals;

use build::{Net, numbers};
