use std::path::PathBuf;

use ort::session::Session;
use ort::value::TensorRef;

use super::{Engine, Waiting};
use crate::provider::Provider;

/// An ONNX graph in an ONNX Runtime session, with one input.
pub struct Network {
    session: Session,
    input: String,
    outputs: Vec<String>,
}

/// A network that doesn't open or doesn't run.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// ONNX Runtime refuses the graph.
    #[error("ONNX Runtime cannot open the network: {reason}")]
    Open { reason: String },
    /// The library was built without the provider.
    #[error("{} was built without the provider {provider}", library.display())]
    ProviderMissing { provider: &'static str, library: PathBuf },
    /// The provider can't load what it needs.
    #[error("the provider {provider} cannot be used: {reason}")]
    Provider { provider: &'static str, reason: String },
    /// More than one input.
    #[error("the network has {count} inputs ({names}); one is expected")]
    Inputs { count: usize, names: String },
    /// It failed while running.
    #[error("ONNX Runtime failed while running the network: {reason}")]
    Run { reason: String },
    /// No such output.
    #[error("the network has no output {name:?}; it has {found}")]
    NoOutput { name: String, found: String },
    /// An output that isn't what the graph promised.
    #[error("output {name:?} of the network has {found} values, {expected} were expected")]
    Output { name: String, found: usize, expected: usize },
}

impl Network {
    /// Opens a graph with `threads` threads of its own.
    pub fn open(
        engine: &Engine,
        model: &[u8],
        provider: &Provider,
        threads: usize,
    ) -> Result<Network, NetworkError> {
        let session = engine.session(model, provider, threads, Waiting::Blocked)?;
        let names = |outlets: &[ort::value::Outlet]| -> Vec<String> {
            outlets.iter().map(|o| o.name().to_owned()).collect()
        };
        let inputs = names(session.inputs());
        let outputs = names(session.outputs());
        match <[String; 1]>::try_from(inputs) {
            Ok([input]) => Ok(Network { session, input, outputs }),
            Err(inputs) => {
                Err(NetworkError::Inputs { count: inputs.len(), names: inputs.join(", ") })
            }
        }
    }

    /// Runs one batch. `take` gets the values of the output named `output`.
    pub fn run(
        &mut self,
        shape: &[usize],
        tensor: &[f32],
        output: &str,
        take: impl FnOnce(&[f32]),
    ) -> Result<(), NetworkError> {
        if !self.outputs.iter().any(|name| name == output) {
            let (name, found) = (output.to_owned(), self.outputs.join(", "));
            return Err(NetworkError::NoOutput { name, found });
        }
        let fail = |e: ort::Error| NetworkError::Run { reason: format!("{e:?}") };
        let input = TensorRef::from_array_view((shape, tensor)).map_err(fail)?;
        let outputs = self.session.run(ort::inputs![self.input.as_str() => input]).map_err(fail)?;
        let (_, values) = outputs[output].try_extract_tensor::<f32>().map_err(fail)?;
        take(values);
        Ok(())
    }
}
