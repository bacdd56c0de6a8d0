//! The training step: forward, loss, backward, optimiser.

use std::collections::{HashMap, HashSet};

use super::emit::{Emitter, OPSET, Tensor};
use super::loss::{Loss, loss};
use super::lower::{Forward, forward};
use super::optimiser::{Moved, Optimiser, Schedule};
use super::{memory, weights};
use crate::error::GraphError;
use crate::fold;
use crate::graph::Graph;
use crate::head::LOGITS;
use crate::names::{taken, unknown};
use crate::proto::{GraphProto, ModelProto, OperatorSetIdProto};
use crate::tensor::{Dim, TensorInfo};

/// What a training step is to be.
#[derive(Clone, Debug, PartialEq)]
pub struct StepOptions {
    /// Rows of a batch. Shapes are fixed: a smaller batch is filled with rows of
    /// weight 0.
    pub batch: usize,
    /// What is made small.
    pub loss: Loss,
    /// How weights follow their gradients.
    pub optimiser: Optimiser,
    /// Gradients longer than this, all weights taken together, are shortened to it
    /// (Pascanu et al. 2013).
    pub clip_norm: Option<f32>,
    /// The weights that move.
    pub trainable: Vec<Trainable>,
    /// What batch normalisation does.
    pub statistics: Statistics,
}

/// A weight that moves.
#[derive(Clone, Debug, PartialEq)]
pub struct Trainable {
    /// Its name in the graph.
    pub name: String,
    /// Its own factor of the learning rate.
    pub rate: f32,
}

/// What batch normalisation normalises with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Statistics {
    /// Those that the network was trained with, which stay.
    Frozen,
    /// Those of the batch; the running ones follow by this share.
    Batch {
        /// Share of the batch in the new running statistics; PyTorch's 0.1.
        momentum: f32,
    },
}

/// An input of the step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepInput {
    /// Its name.
    pub name: String,
    /// Its axes, the batch first.
    pub shape: Vec<usize>,
}

/// What a tensor that goes from step to step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StateRole {
    /// A weight that is trained.
    Weight,
    /// A running mean or variance of batch normalisation.
    Statistic,
    /// The optimiser's mean of gradients, or velocity.
    FirstMoment,
    /// The optimiser's mean of squared gradients.
    SecondMoment,
}

impl StateRole {
    pub(super) fn prefix(self) -> &'static str {
        match self {
            StateRole::Weight | StateRole::Statistic => "",
            StateRole::FirstMoment => "moment1",
            StateRole::SecondMoment => "moment2",
        }
    }
}

/// A tensor that goes from step to step: what one gives, the next takes.
#[derive(Clone, Debug, PartialEq)]
pub struct StepState {
    /// The input.
    pub input: String,
    /// The output with the new value. It must not be bound to the input's memory:
    /// the step may read the old value after it wrote the new one.
    pub output: String,
    /// Its axes.
    pub shape: Vec<usize>,
    /// The value before the first step.
    pub initial: Vec<f32>,
    /// What it is.
    pub role: StateRole,
    /// The weight that it is, or belongs to.
    pub weight: String,
}

/// A training step as one graph.
#[derive(Clone, Debug)]
pub struct TrainingStep {
    /// The graph: ordinary operators, shapes fixed.
    pub graph: Graph,
    /// What the network takes.
    pub examples: StepInput,
    /// What it should give: `[batch, outputs]`.
    pub targets: StepInput,
    /// How much each row counts: `[batch]`.
    pub row_weights: StepInput,
    /// `[3]`: the learning rate, and `1 / (1 - beta^t)` of step `t` (from 1) for
    /// both betas of Adam; 1 for other optimisers.
    pub schedule: StepInput,
    /// What goes from step to step, weights first in network order.
    pub state: Vec<StepState>,
    /// Output without axes: the loss of the batch before the step.
    pub loss: String,
    /// Output `[batch, outputs]`: the logits before the step.
    pub logits: String,
    /// Output without axes: the length of all gradients, before clipping.
    pub gradient_norm: String,
    /// Bytes that a run needs at its peak, without the engine's own: state twice,
    /// constants, and what lives between nodes run in the graph's order.
    pub peak_bytes: u64,
}

const TARGETS: &str = "targets";
const ROW_WEIGHTS: &str = "row_weights";
const SCHEDULE: &str = "schedule";

impl Graph {
    /// The step that trains some weights of the network, from its one input to
    /// its logits (the output of that name, else the only one), `[batch, outputs]`.
    ///
    /// Batch normalisation that was folded into weights is trained with them; one
    /// that is a node keeps its statistics or follows them, as the options say.
    ///
    /// # Errors
    ///
    /// [`GraphError::NotDifferentiable`] names the first node without a gradient
    /// rule and the lowest tensor above which training can go;
    /// [`GraphError::UnknownShape`] where a shape doesn't follow from the batch
    /// alone; [`GraphError::UnknownTensor`] for a weight that isn't there;
    /// [`GraphError::NothingToTrain`] if no weight that moves has a gradient.
    pub fn training_step(&self, options: &StepOptions) -> Result<TrainingStep, GraphError> {
        let names: HashSet<&str> = options.trainable.iter().map(|t| t.name.as_str()).collect();
        let graph = self.clone().of_batch(options.batch, &names)?;
        let mut initial = initial_values(&graph, &names)?;
        let statistics: HashSet<String> = match options.statistics {
            Statistics::Frozen => HashSet::new(),
            Statistics::Batch { .. } => weights::statistics(&graph),
        };
        let mut state_names = names.clone();
        state_names.extend(statistics.iter().map(String::as_str));
        initial.extend(initial_values(&graph, &statistics.iter().map(String::as_str).collect())?);
        let Forward { mut e, tape, tensors, statistics: moved_statistics } =
            forward(&graph, &names, &state_names, options.statistics)?;

        let examples = only_input(&graph, &tensors)?;
        let logits = logits(&graph, &tensors)?;
        e.scope = "loss".to_owned();
        let mut free = taken(graph.graph());
        let mut input = |name: &str, shape: Vec<usize>| Tensor {
            name: crate::names::fresh(&mut free, name),
            shape,
        };
        let targets = input(TARGETS, logits.shape.clone());
        let row_weights = input(ROW_WEIGHTS, vec![options.batch]);
        let schedule_input = input(SCHEDULE, vec![3]);
        let (loss, gradient) = loss(&mut e, options.loss, &logits, &targets, &row_weights);
        let keep: HashSet<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut gradients = tape.backward(&mut e, &logits, gradient, &keep);

        e.scope = "step".to_owned();
        let order = weights::in_order(&graph, &names);
        let with_gradients: Vec<&str> =
            order.into_iter().filter(|name| gradients.contains_key(*name)).collect();
        if with_gradients.is_empty() {
            return Err(GraphError::NothingToTrain);
        }
        let norm = norm(&mut e, with_gradients.iter().map(|&name| &gradients[name]));
        if let Some(longest) = options.clip_norm {
            clip(&mut e, &norm, f64::from(longest), &mut gradients);
        }
        let schedule = schedule(&mut e, &schedule_input);
        let mut rates = Rates { base: schedule.rate.clone(), own: HashMap::new() };
        let factor: HashMap<&str, f32> =
            options.trainable.iter().map(|t| (t.name.as_str(), t.rate)).collect();
        let mut state = Vec::new();
        for &name in &with_gradients {
            let weight = tensors[name].clone();
            let rate = rates.of(&mut e, factor[name]);
            let moved =
                options.optimiser.write(&mut e, &weight, &gradients[name], &rate, &schedule);
            state.extend(moved.into_iter().map(|moved| (name.to_owned(), moved)));
        }
        for (name, next) in moved_statistics {
            let input = tensors[&name].clone();
            state.push((name, Moved { role: StateRole::Statistic, input, next }));
        }
        // Weights that nothing flows back to stay constants.
        for name in names.iter().filter(|&&name| !gradients.contains_key(name)) {
            let weight = graph.graph().initializer.iter().find(|i| i.name() == *name);
            e.constants.extend(weight.cloned());
        }
        state.sort_by_key(|(_, moved)| match moved.role {
            StateRole::Weight => 0,
            StateRole::Statistic => 1,
            StateRole::FirstMoment => 2,
            StateRole::SecondMoment => 3,
        });
        let state: Vec<StepState> = state
            .into_iter()
            .map(|(weight, moved)| StepState {
                initial: match moved.role {
                    StateRole::Weight | StateRole::Statistic => {
                        initial.get(&weight).cloned().unwrap_or_default()
                    }
                    _ => vec![0.0; moved.input.count()],
                },
                input: moved.input.name,
                output: moved.next.name,
                shape: moved.input.shape,
                role: moved.role,
                weight,
            })
            .collect();

        let stated =
            |tensor: &Tensor| StepInput { name: tensor.name.clone(), shape: tensor.shape.clone() };
        e.drop_unread();
        let data = [&examples, &targets, &row_weights, &schedule_input].map(stated);
        let peak_bytes = memory::peak(&e, &state);
        let declared = graph.inputs();
        let model = model(&e, &declared, &data, &state, [&loss, &logits, &norm]);
        let [examples, targets, row_weights, schedule] = data;
        Ok(TrainingStep {
            graph: Graph::of_model(model)?,
            examples,
            targets,
            row_weights,
            schedule,
            state,
            loss: loss.name,
            logits: logits.name,
            gradient_norm: norm.name,
            peak_bytes,
        })
    }

    /// The same graph for batches of one size, its shapes known.
    fn of_batch(self, batch: usize, moving: &HashSet<&str>) -> Result<Graph, GraphError> {
        let mut graph = self;
        for input in graph.inputs() {
            let mut shape = input
                .shape
                .clone()
                .ok_or_else(|| GraphError::UnknownShape { tensor: input.name.clone() })?;
            if let Some(first) = shape.first_mut() {
                *first = Dim::Fixed(batch as u64);
            }
            graph = graph.with_input_shape(&input.name, &shape)?;
        }
        // What the exporters declared was of another batch.
        graph.graph_mut().value_info.clear();
        for output in &mut graph.graph_mut().output {
            let info = TensorInfo { shape: None, ..TensorInfo::declared(output) };
            *output = info.to_value_info();
        }
        Ok(fold::shapes_known(graph, moving))
    }
}

fn only_input(graph: &Graph, tensors: &HashMap<String, Tensor>) -> Result<Tensor, GraphError> {
    match &graph.inputs()[..] {
        [only] => Ok(tensors[&only.name].clone()),
        several => Err(GraphError::SeveralInputs {
            inputs: several.iter().map(|input| input.name.clone()).collect(),
        }),
    }
}

fn logits(graph: &Graph, tensors: &HashMap<String, Tensor>) -> Result<Tensor, GraphError> {
    let outputs = graph.outputs();
    let name = match outputs.iter().find(|output| output.name == LOGITS) {
        Some(output) => &output.name,
        None => match &outputs[..] {
            [only] => &only.name,
            several => return Err(unknown(LOGITS, several.iter().map(|o| o.name.as_str()))),
        },
    };
    let tensor =
        tensors.get(name).ok_or_else(|| GraphError::UnknownShape { tensor: name.clone() })?;
    match tensor.rank() {
        2 => Ok(tensor.clone()),
        _ => Err(GraphError::LogitsShape { tensor: name.clone(), shape: tensor.shape.clone() }),
    }
}

fn initial_values(
    graph: &Graph,
    names: &HashSet<&str>,
) -> Result<HashMap<String, Vec<f32>>, GraphError> {
    let weights = &graph.graph().initializer;
    let mut values = HashMap::new();
    for &name in names {
        let Some(tensor) = weights.iter().find(|tensor| tensor.name() == name) else {
            return Err(unknown(name, weights.iter().map(|tensor| tensor.name())));
        };
        let of = weights::values(tensor)
            .ok_or_else(|| GraphError::NotFloats { tensor: name.to_owned() })?;
        values.insert(name.to_owned(), of);
    }
    Ok(values)
}

/// The length of all gradients together.
fn norm<'a>(e: &mut Emitter, gradients: impl Iterator<Item = &'a Tensor>) -> Tensor {
    let squares: Vec<Tensor> =
        gradients.map(|gradient| e.total("ReduceSumSquare", gradient)).collect();
    let sum = match &squares[..] {
        [only] => only.clone(),
        several => e.op("Sum", &several.iter().collect::<Vec<_>>(), Vec::new(), Vec::new()),
    };
    e.unary("Sqrt", &sum)
}

fn clip(e: &mut Emitter, norm: &Tensor, longest: f64, gradients: &mut HashMap<String, Tensor>) {
    // As PyTorch has it.
    let divisor = e.shifted(norm, 1e-6);
    let longest = e.scalar(longest);
    let ratio = e.div(&longest, &divisor);
    let one = e.scalar(1.0);
    let factor = e.binary("Min", &ratio, &one);
    // In a fixed order: the same graph gives the same bytes.
    let mut names: Vec<String> = gradients.keys().cloned().collect();
    names.sort_unstable();
    for name in names {
        let shorter = e.mul(&gradients[&name], &factor);
        gradients.insert(name, shorter);
    }
}

fn schedule(e: &mut Emitter, input: &Tensor) -> Schedule {
    let mut number = |start: usize| {
        let cut = super::emit::Cut { axis: 0, start, length: 1, step: 1 };
        let one = e.slice(input, &[cut]);
        e.reshape(&one, &[])
    };
    let rate = number(0);
    let corrections = [number(1), number(2)];
    Schedule { rate, corrections }
}

/// The rate of each factor, written once.
struct Rates {
    base: Tensor,
    own: HashMap<u32, Tensor>,
}

impl Rates {
    fn of(&mut self, e: &mut Emitter, factor: f32) -> Tensor {
        let base = &self.base;
        self.own
            .entry(factor.to_bits())
            .or_insert_with(|| e.scaled(base, f64::from(factor)))
            .clone()
    }
}

fn model(
    e: &Emitter,
    declared: &[TensorInfo],
    data: &[StepInput],
    state: &[StepState],
    numbers: [&Tensor; 3],
) -> ModelProto {
    let info = |name: &str, shape: &[usize]| {
        let element = declared
            .iter()
            .find(|input| input.name == name)
            .and_then(|input| input.element)
            .or(Some(e.element));
        let shape = Some(shape.iter().map(|&d| Dim::Fixed(d as u64)).collect());
        TensorInfo { name: name.to_owned(), element, shape }.to_value_info()
    };
    let inputs = data.iter().map(|input| info(&input.name, &input.shape));
    let state_inputs = state.iter().map(|state| info(&state.input, &state.shape));
    let outputs = numbers.iter().map(|tensor| info(&tensor.name, &tensor.shape));
    let state_outputs = state.iter().map(|state| info(&state.output, &state.shape));
    ModelProto {
        ir_version: Some(8),
        producer_name: Some("graft".to_owned()),
        opset_import: vec![OperatorSetIdProto { domain: None, version: Some(OPSET) }],
        graph: Some(GraphProto {
            name: Some("training step".to_owned()),
            node: e.nodes.clone(),
            initializer: e.constants.clone(),
            input: inputs.chain(state_inputs).collect(),
            output: outputs.chain(state_outputs).collect(),
            ..GraphProto::default()
        }),
        ..ModelProto::default()
    }
}
