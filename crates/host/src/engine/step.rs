//! A training step, again and again, with its state where the provider computes.

use graft_onnx::TrainingStep;
use ort::memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType};
use ort::session::{IoBinding, Session};
use ort::value::Tensor;

use super::{Engine, NetworkError, Waiting};
use crate::provider::Provider;

/// A training step in a session. Weights and moments stay on the provider's
/// device between steps.
///
/// They are there twice: a step reads one set and writes the other. An output that
/// is bound onto its own input is written while it is read, without an error.
pub(crate) struct Step {
    session: Session,
    /// Reads set 0 and writes set 1, and the other way round.
    turns: [IoBinding; 2],
    sets: [Vec<Tensor<f32>>; 2],
    /// The set that the next step reads.
    current: usize,
    examples: Slot,
    targets: Slot,
    row_weights: Slot,
    schedule: Slot,
    loss: Tensor<f32>,
    gradient_norm: Tensor<f32>,
}

/// An input that is new for each step.
struct Slot {
    name: String,
    values: Tensor<f32>,
}

/// What a step learns from. Lengths are those of the step's inputs.
pub(crate) struct Batch {
    pub(crate) examples: Vec<f32>,
    pub(crate) targets: Vec<f32>,
    pub(crate) row_weights: Vec<f32>,
    pub(crate) schedule: [f32; 3],
}

/// What a step says of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moved {
    pub(crate) loss: f32,
    /// Before clipping.
    pub(crate) gradient_norm: f32,
}

fn fail(error: ort::Error) -> NetworkError {
    NetworkError::Run { reason: format!("{error:?}") }
}

impl Slot {
    fn new(name: &str, shape: &[usize]) -> Result<Slot, ort::Error> {
        let values = Tensor::new(&Allocator::default(), shape.iter().copied().collect::<Shape>())?;
        Ok(Slot { name: name.to_owned(), values })
    }

    fn fill(&mut self, values: &[f32]) {
        self.values.extract_tensor_mut().1.copy_from_slice(values);
    }
}

type Shape = ort::value::Shape;

impl Step {
    /// Opens a step with the values that its state begins with, or with these,
    /// in the order of [`TrainingStep::state`].
    pub(crate) fn open(
        engine: &Engine,
        provider: &Provider,
        threads: usize,
        step: &TrainingStep,
        state: Option<&[Vec<f32>]>,
    ) -> Result<Step, NetworkError> {
        let session =
            engine.session(&step.graph.to_bytes(), provider, threads, Waiting::Spinning)?;
        let build = || -> Result<Step, ort::Error> {
            let on_device = match provider {
                Provider::Cpu => Allocator::default(),
                Provider::Cuda { ordinal } | Provider::TensorRt { ordinal, .. } => {
                    let (device, number) = (AllocationDevice::CUDA, *ordinal as i32);
                    let (kind, of) = (AllocatorType::Device, MemoryType::Default);
                    Allocator::new(&session, MemoryInfo::new(device, number, kind, of)?)?
                }
            };
            let mut sets = [Vec::new(), Vec::new()];
            for (i, one) in step.state.iter().enumerate() {
                let shape = || one.shape.iter().copied().collect::<Shape>();
                let values = state.map_or(&one.initial, |state| &state[i]);
                let mut first = Tensor::<f32>::new(&on_device, shape())?;
                let mut second = Tensor::<f32>::new(&on_device, shape())?;
                match provider {
                    Provider::Cpu => {
                        first.extract_tensor_mut().1.copy_from_slice(values);
                        // Never read before it is written, but no memory of others.
                        second.extract_tensor_mut().1.fill(0.0);
                    }
                    Provider::Cuda { .. } | Provider::TensorRt { .. } => {
                        let here = Tensor::from_array((shape(), values.clone()))?;
                        here.copy_into(&mut first)?;
                    }
                }
                sets[0].push(first);
                sets[1].push(second);
            }
            let mut loss = Tensor::<f32>::new(&Allocator::default(), Shape::default())?;
            let mut gradient_norm = Tensor::<f32>::new(&Allocator::default(), Shape::default())?;
            let [mut there, mut back] = [session.create_binding()?, session.create_binding()?];
            for (i, one) in step.state.iter().enumerate() {
                there.bind_input(&one.input, &sets[0][i])?;
                there.bind_output(&one.output, &mut sets[1][i])?;
                back.bind_input(&one.input, &sets[1][i])?;
                back.bind_output(&one.output, &mut sets[0][i])?;
            }
            for binding in [&mut there, &mut back] {
                binding.bind_output(&step.loss, &mut loss)?;
                binding.bind_output(&step.gradient_norm, &mut gradient_norm)?;
            }
            let slot = |input: &graft_onnx::StepInput| Slot::new(&input.name, &input.shape);
            Ok(Step {
                examples: slot(&step.examples)?,
                targets: slot(&step.targets)?,
                row_weights: slot(&step.row_weights)?,
                schedule: slot(&step.schedule)?,
                turns: [there, back],
                sets,
                current: 0,
                loss,
                gradient_norm,
                session,
            })
        };
        build().map_err(fail)
    }

    /// One step.
    pub(crate) fn run(&mut self, batch: &Batch) -> Result<Moved, NetworkError> {
        self.examples.fill(&batch.examples);
        self.targets.fill(&batch.targets);
        self.row_weights.fill(&batch.row_weights);
        self.schedule.fill(&batch.schedule);
        let binding = &mut self.turns[self.current];
        for slot in [&self.examples, &self.targets, &self.row_weights, &self.schedule] {
            // Each time: where the provider has a memory of its own, binding is
            // what copies the values there.
            binding.bind_input(&slot.name, &slot.values).map_err(fail)?;
        }
        drop(self.session.run_binding(binding).map_err(fail)?);
        self.current = 1 - self.current;
        let scalar = |tensor: &Tensor<f32>| tensor.extract_tensor().1[0];
        Ok(Moved { loss: scalar(&self.loss), gradient_norm: scalar(&self.gradient_norm) })
    }

    /// Weights and moments as the last step left them, in the order of
    /// [`TrainingStep::state`].
    pub(crate) fn state(&self) -> Result<Vec<Vec<f32>>, NetworkError> {
        let here = |tensor: &Tensor<f32>| -> Result<Vec<f32>, ort::Error> {
            if tensor.memory_info().is_cpu_accessible() {
                return Ok(tensor.extract_tensor().1.to_vec());
            }
            let copy = tensor.to(AllocationDevice::CPU, 0)?;
            Ok(copy.extract_tensor().1.to_vec())
        };
        self.sets[self.current].iter().map(here).collect::<Result<_, _>>().map_err(fail)
    }
}

#[cfg(test)]
mod tests;
