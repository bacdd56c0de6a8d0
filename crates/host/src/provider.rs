//! Where ONNX Runtime computes.

use std::path::PathBuf;

use ort::ep::{self, ExecutionProvider as _, ExecutionProviderDispatch};

/// An execution provider of ONNX Runtime. The one asked for runs, or it is an
/// error: nothing falls back to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provider {
    /// The processor.
    Cpu,
    /// An NVIDIA GPU through CUDA and cuDNN.
    Cuda { ordinal: u32 },
    /// An NVIDIA GPU through TensorRT; engines are kept in `cache`.
    TensorRt { ordinal: u32, cache: PathBuf },
}

impl Provider {
    /// `cpu`, `cuda` or `tensorrt`.
    pub fn name(&self) -> &'static str {
        match self {
            Provider::Cpu => "cpu",
            Provider::Cuda { .. } => "cuda",
            Provider::TensorRt { .. } => "tensorrt",
        }
    }

    /// Sessions that work at the same time with `threads` threads: one a core on
    /// the processor; a GPU is one machine.
    pub(crate) fn sessions(&self, threads: usize) -> usize {
        match self {
            Provider::Cpu => threads,
            Provider::Cuda { .. } | Provider::TensorRt { .. } => 1,
        }
    }

    /// Whether the loaded library was built with it. It can still fail to load
    /// its own libraries when a session is made.
    pub(crate) fn is_compiled_in(&self) -> bool {
        match self {
            Provider::Cpu => Ok(true),
            Provider::Cuda { .. } => ep::CUDA::is_available(),
            Provider::TensorRt { .. } => ep::TensorRT::is_available(),
        }
        .unwrap_or(false)
    }

    pub(crate) fn dispatch(&self) -> Option<ExecutionProviderDispatch> {
        match self {
            Provider::Cpu => None,
            Provider::Cuda { ordinal } => Some(
                ep::CUDA::default()
                    .with_device_id(*ordinal as i32)
                    // TensorFloat-32 rounds to ten bits: features would differ
                    // from the CPU's by far more than the engines do.
                    .with_tf32(false)
                    .build()
                    .error_on_failure(),
            ),
            Provider::TensorRt { ordinal, cache } => Some(
                ep::TensorRT::default()
                    .with_device_id(*ordinal as i32)
                    .with_engine_cache(true)
                    .with_engine_cache_path(cache.display())
                    .with_timing_cache(true)
                    .with_timing_cache_path(cache.display())
                    .build()
                    .error_on_failure(),
            ),
        }
    }
}
