//! Where frames come from. Each source runs on a thread of its own and puts
//! frames into the mailbox.

mod camera;
mod folder;
mod framing;
mod replay;
mod stream;
mod v4l2;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

pub use camera::CameraFault;

use crate::counts::Counts;
use crate::job::Source;
use crate::mailbox::Mailbox;
use crate::stop::Stop;

/// What a source needs to do its work.
#[derive(Clone)]
pub(crate) struct Station {
    pub mailbox: Arc<Mailbox>,
    pub counts: Arc<Counts>,
    pub stop: Stop,
    /// End when there is nothing more for now.
    pub once: bool,
}

/// Why no frames come, or no more of them.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The system refused something.
    #[error("{}: cannot {act}: {source}", path.display())]
    System {
        /// What it was done to.
        path: PathBuf,
        /// What was to be done.
        act: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file to be replayed without a single frame in it.
    #[error("{}: there is not one whole frame in it", path.display())]
    NoFrames {
        /// The file.
        path: PathBuf,
    },
    /// Answered pictures would come back as new ones.
    #[error("{}: answered pictures cannot be moved into the folder that is watched", path.display())]
    SameFolder {
        /// The folder.
        path: PathBuf,
    },
    /// The folder was deleted or moved.
    #[error("{}: the folder is not there any more", path.display())]
    Gone {
        /// The folder.
        path: PathBuf,
    },
    /// The camera is not one that graftd can use.
    #[error("{}: {fault}", path.display())]
    Camera {
        /// The device file.
        path: PathBuf,
        /// Why.
        fault: CameraFault,
    },
    /// Something else than what the source reads.
    #[error("{}: it is no {expected}", path.display())]
    Kind {
        /// What is there.
        path: PathBuf,
        /// What should be.
        expected: &'static str,
    },
}

impl SourceError {
    /// For `map_err`. The path is copied only when there is an error: this stands
    /// in the way of every frame.
    fn system<'a>(
        path: &'a Path,
        act: &'static str,
    ) -> impl FnOnce(std::io::Error) -> SourceError + use<'a> {
        move |source| SourceError::System { path: path.to_owned(), act, source }
    }
}

/// What a source's thread does once the source is open.
type Run = Box<dyn FnOnce(&Station) -> Result<(), SourceError> + Send>;

/// Opens a source and starts its thread, which ends when the source does or is
/// told to stop.
///
/// # Errors
///
/// If the source is not there. A camera that is not there yet is waited for.
pub(crate) fn start(
    source: Source,
    station: Station,
) -> Result<JoinHandle<Result<(), SourceError>>, SourceError> {
    let run: Run = match source {
        Source::Camera { device, camera } => {
            Box::new(move |station| camera::run(&device, &camera, station))
        }
        Source::Folder { folder, after, max_bytes } => {
            let mut watched = folder::Watched::open(&folder, after, max_bytes)?;
            Box::new(move |station| watched.run(station))
        }
        Source::Stream { from, framing, pace } => {
            let stream = stream::Opened::open(from)?;
            Box::new(move |station| stream::run(stream, framing, pace, station))
        }
        Source::Replay { file, framing, repeat } => {
            let opened = replay::open(&file)?;
            Box::new(move |station| replay::run(&file, opened, framing, repeat, station))
        }
    };
    let name = std::thread::Builder::new().name("source".to_owned());
    let spawned = name.spawn(move || {
        let result = run(&station);
        station.mailbox.end();
        result
    });
    spawned.map_err(SourceError::system(Path::new("source"), "start a thread"))
}
