use std::ffi::OsString;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{BenchError, BundleRun, StockRun, bundle, stock};

/// What one process measures. Memory and start-up are a process's: each task
/// wants a fresh one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// A bundle, as a device runs it.
    Bundle {
        /// Its file.
        bundle: PathBuf,
        /// Frames to time once it has started; 0 for the start alone.
        frames: u32,
        /// An ONNX file that the engine runs without graft, taking turns.
        stock: Option<PathBuf>,
        /// A folder for a file of large weights, which is mapped; nothing for memory.
        weights: Option<PathBuf>,
    },
    /// The start of an ONNX file in the engine without graft.
    Stock {
        /// The file.
        onnx: PathBuf,
        /// Of one example, batch 1 first.
        shape: Vec<usize>,
    },
}

/// Flags that make no task.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TaskError {
    /// Neither a bundle nor a model.
    #[error("name a bundle with --bundle, or an ONNX model with --onnx and --shape")]
    Nothing,
    /// A bundle knows its shape.
    #[error("--shape is for --onnx without --bundle: a bundle knows its own")]
    TwoShapes,
    /// An ONNX file alone is started, no more.
    #[error("--frames is for --bundle: with --onnx alone only the start is measured")]
    FramesOfStock,
    /// More than memory for their times.
    #[error("--frames {0}: there may be at most {most}", most = Task::TOO_MANY_FRAMES - 1)]
    Frames(u32),
    /// The engine alone has no such file.
    #[error("--weights is for --bundle: the engine alone keeps its weights in memory")]
    WeightsOfStock,
    /// Not the sizes of an example.
    #[error("--shape {0:?}: it is four sizes of 1 or more, or two of a text, such as 1,3,224,224")]
    Shape(String),
}

/// What a task found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measured {
    /// Of [`Task::Bundle`].
    Bundle(Box<BundleRun>),
    /// Of [`Task::Stock`].
    Stock(StockRun),
}

impl Task {
    /// Frames where nobody says how many.
    pub const FRAMES: u32 = 100;

    /// Each time is kept until the end.
    const TOO_MANY_FRAMES: u32 = 1_000_001;

    /// From the values of the flags that [`Task::flags`] writes.
    ///
    /// # Errors
    ///
    /// The first contradiction.
    pub fn from_flags(
        bundle: Option<PathBuf>,
        frames: Option<u32>,
        onnx: Option<PathBuf>,
        shape: Option<&str>,
        weights: Option<PathBuf>,
    ) -> Result<Task, TaskError> {
        if let Some(frames @ Task::TOO_MANY_FRAMES..) = frames {
            return Err(TaskError::Frames(frames));
        }
        match (bundle, onnx, shape) {
            (Some(bundle), stock, None) => {
                let frames = frames.unwrap_or(Task::FRAMES);
                Ok(Task::Bundle { bundle, frames, stock, weights })
            }
            (Some(_), _, Some(_)) => Err(TaskError::TwoShapes),
            (None, Some(_), Some(_)) if frames.is_some() => Err(TaskError::FramesOfStock),
            (None, Some(_), Some(_)) if weights.is_some() => Err(TaskError::WeightsOfStock),
            (None, Some(onnx), Some(text)) => Ok(Task::Stock { onnx, shape: parse_shape(text)? }),
            (None, ..) => Err(TaskError::Nothing),
        }
    }

    /// The flags that make this task in another process.
    pub fn flags(&self) -> Vec<OsString> {
        match self {
            Task::Bundle { bundle, frames, stock, weights } => {
                let mut flags = vec!["--bundle".into(), bundle.into()];
                flags.extend(["--frames".into(), frames.to_string().into()]);
                if let Some(stock) = stock {
                    flags.extend(["--onnx".into(), stock.into()]);
                }
                if let Some(weights) = weights {
                    flags.extend(["--weights".into(), weights.into()]);
                }
                flags
            }
            Task::Stock { onnx, shape } => {
                let shape: Vec<String> = shape.iter().map(usize::to_string).collect();
                vec!["--onnx".into(), onnx.into(), "--shape".into(), shape.join(",").into()]
            }
        }
    }

    /// Measures, in this process.
    ///
    /// # Errors
    ///
    /// What keeps a device from answering; and a system that does not tell what
    /// a process costs.
    pub fn measure(&self) -> Result<Measured, BenchError> {
        match self {
            Task::Bundle { bundle: path, frames, stock, weights } => {
                let run = bundle::run(path, *frames, stock.as_deref(), weights.as_deref());
                run.map(Box::new).map(Measured::Bundle)
            }
            Task::Stock { onnx, shape } => stock::run(onnx, shape).map(Measured::Stock),
        }
    }
}

fn parse_shape(text: &str) -> Result<Vec<usize>, TaskError> {
    let sizes = text.split(',').map(|size| size.parse().ok().filter(|&size| size > 0));
    let sizes: Option<Vec<usize>> = sizes.collect();
    sizes
        .filter(|sizes| matches!(sizes.len(), 2 | 4))
        .ok_or_else(|| TaskError::Shape(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the programs do it: each flag at most once, with a value.
    fn parse(flags: &[OsString]) -> Result<Task, TaskError> {
        let value = |name: &str| {
            let at = flags.iter().position(|flag| flag == name)?;
            Some(flags[at + 1].clone())
        };
        let text = |name| value(name).map(|v| v.into_string().expect("UTF-8"));
        let frames = text("--frames").map(|frames| frames.parse().expect("a number"));
        let path = |name| value(name).map(PathBuf::from);
        let (shape, weights) = (text("--shape"), path("--weights"));
        Task::from_flags(path("--bundle"), frames, path("--onnx"), shape.as_deref(), weights)
    }

    #[test]
    fn a_task_survives_its_flags() {
        for task in [
            Task::Bundle { bundle: "a b.graft".into(), frames: 0, stock: None, weights: None },
            Task::Bundle {
                bundle: "x".into(),
                frames: 7,
                stock: Some("y.onnx".into()),
                weights: Some("z w".into()),
            },
            Task::Stock { onnx: "y.onnx".into(), shape: vec![1, 3, 224, 192] },
            Task::Stock { onnx: "y.onnx".into(), shape: vec![1, 50] },
        ] {
            assert_eq!(parse(&task.flags()), Ok(task));
        }
    }

    #[test]
    fn flags_that_contradict_each_other_make_no_task() {
        let check = |line: &str, expected: TaskError| {
            let flags: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
            assert_eq!(parse(&flags), Err(expected), "{line}");
        };
        check("", TaskError::Nothing);
        check("--onnx x", TaskError::Nothing);
        check("--shape 1,3,8,8", TaskError::Nothing);
        check("--bundle x --shape 1,3,8,8", TaskError::TwoShapes);
        check("--onnx x --shape 1,3,8,8 --frames 2", TaskError::FramesOfStock);
        check("--onnx x --shape 1,3,8,8 --weights y", TaskError::WeightsOfStock);
        check("--bundle x --frames 1000001", TaskError::Frames(1_000_001));
        for shape in ["", "1,3,8", "1,3,8,8,8", "1,3,8,0", "1,3,8,x", "1,3,8,-8"] {
            let task = Task::from_flags(None, None, Some("x".into()), Some(shape), None);
            assert_eq!(task, Err(TaskError::Shape(shape.to_owned())));
        }
    }
}
