//! A camera that may be unplugged at any time.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Instant;

use graft_input::PixelFormat;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::v4l2::{self, FourCc, Mapped, Shape};
use super::{SourceError, Station};
use crate::config::{Camera, CameraFormat};
use crate::counts::is_said;
use crate::job::{Pace, RawLayout};
use crate::mailbox::{Captured, Encoding};
use crate::stop::{Stop, Wait};

/// Best first: exact pixels before a lossy code, colour before grey.
const FORMATS: [(CameraFormat, FourCc, Option<PixelFormat>); 7] = [
    (CameraFormat::Yuyv, FourCc(*b"YUYV"), Some(PixelFormat::Yuyv)),
    (CameraFormat::Nv12, FourCc(*b"NV12"), Some(PixelFormat::Nv12)),
    (CameraFormat::Rgb, FourCc(*b"RGB3"), Some(PixelFormat::Rgb)),
    (CameraFormat::Bgr, FourCc(*b"BGR3"), Some(PixelFormat::Bgr)),
    (CameraFormat::Mjpeg, FourCc(*b"MJPG"), None),
    (CameraFormat::Mjpeg, FourCc(*b"JPEG"), None),
    (CameraFormat::Grey, FourCc(*b"GREY"), Some(PixelFormat::Grey)),
];

/// Why a camera gives no frames.
#[derive(Debug, thiserror::Error)]
pub enum CameraFault {
    /// The system refused something; it may be another time.
    #[error("cannot {act}: {source}")]
    System {
        /// What was to be done.
        act: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// It has not given a frame for too long.
    #[error("no frame for {seconds} s")]
    Silent {
        /// How long.
        seconds: u64,
    },
    /// Some other device.
    #[error("it is no camera that streams frames")]
    NoCamera,
    /// A camera whose pictures come in several pieces.
    #[error(
        "it gives each plane of a picture apart (V4L2's multi-planar interface), which is not \
         read: put a program before graftd that writes to a fifo"
    )]
    Planes,
    /// Not a format that it has.
    #[error("it gives no {wanted}; it offers {offered} instead: set [camera] format")]
    Format {
        /// What it was asked for.
        wanted: String,
        /// What it would give.
        offered: String,
    },
}

impl CameraFault {
    /// Whether it can be no better another time.
    fn is_final(&self) -> bool {
        match self {
            CameraFault::System { .. } | CameraFault::Silent { .. } => false,
            CameraFault::NoCamera | CameraFault::Planes | CameraFault::Format { .. } => true,
        }
    }

    fn system(act: &'static str) -> impl FnOnce(io::Error) -> CameraFault {
        move |source| CameraFault::System { act, source }
    }
}

pub(super) fn run(path: &Path, camera: &Camera, station: &Station) -> Result<(), SourceError> {
    let first_pause = camera.reopen_after.get();
    let longest_pause = camera.reopen_at_most_after.get().max(first_pause);
    let (mut pause, mut failures) = (first_pause, 0_u64);
    let mut frame = Captured::empty();
    loop {
        let mut frames = 0_u64;
        let ended = Capture::open(path, camera)
            .and_then(|capture| capture.stream(camera, station, &mut frame, &mut frames));
        let fault = match ended {
            Ok(()) => return Ok(()),
            // Another device may stand under this name later; at the start it is
            // a slip in the configuration.
            Err(fault) if fault.is_final() && failures == 0 && frames == 0 => {
                return Err(SourceError::Camera { path: path.to_owned(), fault });
            }
            Err(fault) => fault,
        };
        if frames > 0 {
            (pause, failures) = (first_pause, 0);
        }
        failures += 1;
        if is_said(failures) {
            log::warn!("{}: {fault} ({failures} times in a row); opening it again", path.display());
        }
        if station.stop.sleep(pause) == Wait::Stopped {
            return Ok(());
        }
        pause = (2 * pause).min(longest_pause);
        station.counts.reopened.one();
    }
}

/// A camera that streams.
struct Capture {
    // Before the device, which may not go while they are mapped.
    buffers: Vec<Mapped>,
    device: File,
    encoding: Encoding,
}

impl Capture {
    fn open(path: &Path, camera: &Camera) -> Result<Capture, CameraFault> {
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let device = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|error| CameraFault::system("open the camera")(error.into()))?;
        let able = match v4l2::abilities(&device) {
            // Something that knows nothing of V4L2.
            Err(error) if error.raw_os_error() == Some(Errno::NOTTY.raw_os_error()) => {
                return Err(CameraFault::NoCamera);
            }
            other => other.map_err(CameraFault::system("ask the camera what it can do"))?,
        };
        match able {
            v4l2::Abilities { captures: true, streams: true, .. } => {}
            v4l2::Abilities { captures_planes: true, .. } => return Err(CameraFault::Planes),
            _ => return Err(CameraFault::NoCamera),
        }
        let (shape, pixels) = choose(&device, camera)?;
        let encoding = match pixels {
            None => Encoding::Picture,
            Some(format) => {
                let least = format.row_bytes(shape.width) as usize;
                let stride = (shape.bytes_per_line as usize).max(least);
                let (width, height) = (shape.width, shape.height);
                Encoding::Raw(RawLayout { format, width, height, stride })
            }
        };
        if camera.frames_per_second > 0
            && let Err(error) = v4l2::set_frames_per_second(&device, camera.frames_per_second)
        {
            log::warn!("{}: it keeps its own frame rate: {error}", path.display());
        }
        let buffers = v4l2::map_buffers(&device, camera.buffers)
            .map_err(CameraFault::system("get the camera's buffers"))?;
        for index in 0..buffers.len() as u32 {
            v4l2::queue(&device, index).map_err(CameraFault::system("queue a buffer"))?;
        }
        v4l2::start(&device).map_err(CameraFault::system("start the camera"))?;
        log::info!(
            "{}: {}x{} {}, {} buffers",
            path.display(),
            shape.width,
            shape.height,
            shape.format,
            buffers.len()
        );
        Ok(Capture { buffers, device: device.into(), encoding })
    }

    /// Reads frames until it is time to stop, or something is wrong.
    fn stream(
        &self,
        camera: &Camera,
        station: &Station,
        frame: &mut Captured,
        frames: &mut u64,
    ) -> Result<(), CameraFault> {
        let silence = camera.silence.unless_zero();
        loop {
            let waited = station
                .stop
                .wait_readable(&self.device, silence)
                .map_err(CameraFault::system("wait for a frame"))?;
            match waited {
                Wait::Ready => {}
                Wait::Stopped => return Ok(()),
                Wait::TimedOut => {
                    let seconds = silence.unwrap_or_default().as_secs();
                    return Err(CameraFault::Silent { seconds });
                }
            }
            let Some(filled) =
                v4l2::dequeue(&self.device).map_err(CameraFault::system("take a frame"))?
            else {
                breathe(&station.stop);
                continue;
            };
            let buffer = self.buffers.get(filled.index as usize).ok_or_else(|| {
                CameraFault::system("take a frame")(io::Error::other("a buffer of another's"))
            })?;
            if filled.broken {
                let count = station.counts.unreadable.one();
                if is_said(count) {
                    log::warn!("the camera says that a frame is damaged ({count} so far)");
                }
            } else {
                self.copy(buffer, filled.bytes, frame);
                station.mailbox.put(frame, Pace::Newest);
                *frames += 1;
            }
            v4l2::queue(&self.device, filled.index)
                .map_err(CameraFault::system("queue a buffer"))?;
        }
    }

    /// Copies a frame out, so that the driver has its buffer back at once however
    /// long the answer takes.
    fn copy(&self, buffer: &Mapped, bytes: usize, frame: &mut Captured) {
        // Drivers may leave the number out, and may count padding behind the
        // last row.
        let bytes = if bytes == 0 { buffer.len() } else { bytes };
        let bytes = match self.encoding {
            // A camera gives no texts.
            Encoding::Picture | Encoding::Text => bytes,
            Encoding::Raw(layout) => bytes.min(layout.frame_bytes()),
        };
        frame.bytes.clear();
        frame.bytes.extend_from_slice(buffer.filled(bytes));
        frame.encoding = self.encoding;
        frame.name.clear();
        frame.at = Instant::now();
    }
}

/// A device that says it is ready and is not must not take all of a processor.
fn breathe(stop: &Stop) {
    stop.sleep(std::time::Duration::from_millis(1));
}

/// Agrees with the device on what its frames are.
fn choose(
    device: impl std::os::fd::AsFd,
    camera: &Camera,
) -> Result<(Shape, Option<PixelFormat>), CameraFault> {
    let mut offered = None;
    for (_, code, pixels) in FORMATS
        .iter()
        .filter(|(format, ..)| camera.format == CameraFormat::Auto || camera.format == *format)
    {
        let shape = v4l2::set_format(&device, camera.width, camera.height, *code)
            .map_err(CameraFault::system("set the camera's format"))?;
        if shape.format == *code {
            return Ok((shape, *pixels));
        }
        offered = Some(shape.format);
    }
    Err(CameraFault::Format {
        wanted: format!("{:?}", camera.format).to_lowercase(),
        offered: offered.map_or("nothing".to_owned(), |code| code.to_string()),
    })
}
