//! A configuration that is complete: what is to be done, without contradictions.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use graft_input::PixelFormat;

use crate::config::{After, Camera, Config, FramesFormat, SinkSpec, SourceSpec};

/// What graftd does until it is stopped.
#[derive(Debug)]
pub(crate) struct Job {
    pub bundle: PathBuf,
    pub source: Source,
    pub sinks: Vec<SinkSpec>,
    pub metrics: Option<SocketAddr>,
    /// All that stands for itself.
    pub config: Config,
}

/// Where frames come from and how they are read there.
#[derive(Debug)]
pub(crate) enum Source {
    Camera { device: PathBuf, camera: Camera },
    Folder { folder: PathBuf, after: Disposal, max_bytes: u64 },
    Stream { from: Stream, framing: Framing, pace: Pace },
    Replay { file: PathBuf, framing: Framing, repeat: u64 },
}

/// A stream that somebody else writes to.
#[derive(Debug)]
pub(crate) enum Stream {
    Stdin,
    Fifo(PathBuf),
}

/// What becomes of a picture that was answered.
#[derive(Debug)]
pub(crate) enum Disposal {
    Keep,
    Delete,
    MoveTo(PathBuf),
}

/// How frames are told apart in a stream of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Jpeg,
    Raw(RawLayout),
    /// A text a line.
    Lines,
}

/// What a source gives and a bundle answers about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Matter {
    Pictures,
    Texts,
}

/// Raw frames of one shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawLayout {
    pub format: PixelFormat,
    pub width: u32,
    pub height: u32,
    pub stride: usize,
}

/// Who waits when frames come faster than answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Nobody: an older frame gives way to a newer one.
    Newest,
    /// The source.
    Every,
}

/// Settings that are right each by itself and wrong together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JobError {
    /// Something without a default is not given.
    #[error("no {key} is given: set {key:?} in the configuration or give --{key}")]
    Missing {
        /// Its key.
        key: &'static str,
    },
    /// Raw frames of unknown size.
    #[error("raw frames need a size: set width and height in [frames] or give --size WIDTHxHEIGHT")]
    NoSize,
    /// Raw frames that are no frames.
    #[error("a frame of {width}x{height} {format:?} cannot have a stride of {stride} bytes")]
    Stride {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
        /// Of the pixels.
        format: PixelFormat,
        /// As given.
        stride: usize,
    },
    /// A folder is needed.
    #[error("[folder] after = \"move\" needs move_to, a folder for the answered pictures")]
    NoMoveTo,
    /// What is kept are pictures.
    #[error("[keep] folder is set, and the source gives texts: frames alone are kept")]
    KeepTexts,
    /// A number that is none.
    #[error("{key} is {found}, must be {least} to {most}")]
    Range {
        /// Section and key.
        key: &'static str,
        /// As given.
        found: u64,
        /// The smallest that is allowed.
        least: u64,
        /// The largest that is allowed.
        most: u64,
    },
    /// One connection cannot be two.
    #[error("there are {count} sinks {kind}; one is the most")]
    Twice {
        /// As sinks are written.
        kind: &'static str,
        /// How many.
        count: usize,
    },
    /// A name that brokers do not take.
    #[error("[mqtt] client_id is {0:?}, must have 1 to 23 letters, digits, '-' or '_'")]
    ClientId(String),
    /// No address.
    #[error(
        "metrics cannot be served on {0:?}: it is PORT, which is 127.0.0.1:PORT, or ADDRESS:PORT"
    )]
    Metrics(String),
}

impl Job {
    /// Checks what no single key can be checked for.
    ///
    /// # Errors
    ///
    /// The first contradiction.
    pub fn new(config: Config) -> Result<Job, JobError> {
        let bundle = config.bundle.clone().ok_or(JobError::Missing { key: "bundle" })?;
        let spec = config.source.clone().ok_or(JobError::Missing { key: "source" })?;
        let range = |key, found: u64, least, most| match (least..=most).contains(&found) {
            true => Ok(()),
            false => Err(JobError::Range { key, found, least, most }),
        };
        range("top", config.top as u64, 1, 1000)?;
        range("max_pixels", config.max_pixels, 1, graft_input::MAX_PIXELS)?;
        range("[smooth] window", config.smooth.window as u64, 1, 1000)?;
        range("[smooth] hold", config.smooth.hold.into(), 1, 10_000)?;
        range("[camera] buffers", config.camera.buffers.into(), 2, 32)?;
        range("[camera] width", config.camera.width.into(), 1, 65_535)?;
        range("[camera] height", config.camera.height.into(), 1, 65_535)?;
        range("[socket] clients", config.socket.clients as u64, 1, 1000)?;
        range("[socket] mode", config.socket.mode.into(), 0, 0o777)?;
        range("[mqtt] qos", config.mqtt.qos.into(), 0, 2)?;
        let keep_alive = config.mqtt.keep_alive.get().as_secs();
        range("[mqtt] keep_alive", keep_alive, 1, 65_535)?;
        let watchdog = config.health.watchdog_timeout.get().as_secs();
        range("[health] watchdog_timeout", watchdog, 1, 86_400)?;
        let id = &config.mqtt.client_id;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
        if !((1..=23).contains(&id.len()) && id.bytes().all(plain)) {
            return Err(JobError::ClientId(id.clone()));
        }

        let sinks: Vec<SinkSpec> = config.sinks.iter().map(|sink| sink.0.clone()).collect();
        let twice = |kind, same: fn(&SinkSpec) -> bool| {
            let count = sinks.iter().filter(|sink| same(sink)).count();
            if count > 1 { Err(JobError::Twice { kind, count }) } else { Ok(()) }
        };
        twice("stdout", |sink| matches!(sink, SinkSpec::Stdout))?;
        // Brokers tell clients apart by their id, and one section gives one.
        twice("mqtt", |sink| matches!(sink, SinkSpec::Mqtt { .. }))?;

        let source = source(&config, spec)?;
        if source.matter() == Matter::Texts && config.keep.folder.is_some() {
            return Err(JobError::KeepTexts);
        }
        Ok(Job {
            source,
            metrics: config.health.metrics.as_deref().map(metrics_address).transpose()?,
            bundle,
            sinks,
            config,
        })
    }
}

impl Source {
    /// Whether nothing may come for hours without anything being wrong.
    pub fn may_be_quiet(&self) -> bool {
        !matches!(self, Source::Camera { .. })
    }

    /// What comes from it.
    pub fn matter(&self) -> Matter {
        match self {
            Source::Stream { framing: Framing::Lines, .. }
            | Source::Replay { framing: Framing::Lines, .. } => Matter::Texts,
            Source::Camera { .. }
            | Source::Folder { .. }
            | Source::Stream { .. }
            | Source::Replay { .. } => Matter::Pictures,
        }
    }
}

impl RawLayout {
    /// Bytes of one frame.
    pub fn frame_bytes(&self) -> usize {
        // Checked by `framing`.
        self.stride * self.format.rows(self.height) as usize
    }
}

fn source(config: &Config, spec: SourceSpec) -> Result<Source, JobError> {
    // A text says nothing about the one before: none gives way to another.
    let every = config.frames.lossless || config.frames.format == FramesFormat::Text;
    let pace = if every { Pace::Every } else { Pace::Newest };
    Ok(match spec {
        SourceSpec::Camera(device) => Source::Camera { device, camera: config.camera.clone() },
        SourceSpec::Folder(folder) => Source::Folder {
            folder,
            after: match config.folder.after {
                After::Keep => Disposal::Keep,
                After::Delete => Disposal::Delete,
                After::Move => {
                    Disposal::MoveTo(config.folder.move_to.clone().ok_or(JobError::NoMoveTo)?)
                }
            },
            max_bytes: config.folder.max_bytes,
        },
        SourceSpec::Stdin => {
            Source::Stream { from: Stream::Stdin, framing: framing(config)?, pace }
        }
        SourceSpec::Fifo(path) => {
            Source::Stream { from: Stream::Fifo(path), framing: framing(config)?, pace }
        }
        SourceSpec::Replay(file) => {
            Source::Replay { file, framing: framing(config)?, repeat: config.frames.repeat }
        }
    })
}

fn framing(config: &Config) -> Result<Framing, JobError> {
    let frames = &config.frames;
    let format = match frames.format {
        FramesFormat::Mjpeg => return Ok(Framing::Jpeg),
        FramesFormat::Text => return Ok(Framing::Lines),
        FramesFormat::Rgb => PixelFormat::Rgb,
        FramesFormat::Bgr => PixelFormat::Bgr,
        FramesFormat::Grey => PixelFormat::Grey,
        FramesFormat::Yuyv => PixelFormat::Yuyv,
        FramesFormat::Nv12 => PixelFormat::Nv12,
    };
    let (width, height) = (frames.width, frames.height);
    if width == 0 || height == 0 {
        return Err(JobError::NoSize);
    }
    let row = format.row_bytes(width);
    let stride = if frames.stride == 0 { row } else { frames.stride as u64 };
    let wrong = JobError::Stride { width, height, format, stride: frames.stride };
    // A frame of a gigabyte is a slip of the finger.
    let bytes = stride.checked_mul(format.rows(height)).filter(|&bytes| bytes <= 1 << 30);
    if stride < row || bytes.is_none() {
        return Err(wrong);
    }
    Ok(Framing::Raw(RawLayout { format, width, height, stride: stride as usize }))
}

fn metrics_address(text: &str) -> Result<SocketAddr, JobError> {
    let local = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let port = text.parse().map(local).ok();
    port.or_else(|| text.parse().ok()).ok_or_else(|| JobError::Metrics(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(text: &str) -> Result<Job, JobError> {
        let start = "bundle = \"b.graft\"\n";
        Job::new(toml::from_str(&format!("{start}{text}")).unwrap())
    }

    #[test]
    fn what_has_no_default_must_be_given() {
        let error = Job::new(Config::default()).unwrap_err();
        assert_eq!(error, JobError::Missing { key: "bundle" });
        assert_eq!(job("").unwrap_err(), JobError::Missing { key: "source" });
    }

    #[test]
    fn raw_frames_need_a_size_and_rows_that_fit() {
        let raw =
            |rest: &str| job(&format!("source = \"stdin\"\n[frames]\nformat = \"yuyv\"\n{rest}"));
        assert_eq!(raw("").unwrap_err(), JobError::NoSize);
        let stride = raw("width = 5\nheight = 2\nstride = 11\n").unwrap_err();
        assert!(matches!(stride, JobError::Stride { stride: 11, .. }), "{stride}");
        let Source::Stream { framing: Framing::Raw(layout), pace: Pace::Newest, .. } =
            raw("width = 5\nheight = 2\n").unwrap().source
        else {
            panic!("a stream of raw frames");
        };
        // Three pairs of pixels, four bytes each.
        assert_eq!((layout.stride, layout.frame_bytes()), (12, 24));
        assert!(raw("width = 4000000000\nheight = 4000000000\n").is_err());
    }

    #[test]
    fn texts_are_all_answered_and_none_is_kept() {
        let text = "source = \"fifo:in\"\n[frames]\nformat = \"text\"\n";
        let texts = job(text).unwrap().source;
        assert_eq!(texts.matter(), Matter::Texts);
        assert!(matches!(texts, Source::Stream { pace: Pace::Every, .. }), "{texts:?}");
        let kept = format!("{text}[keep]\nfolder = \"kept\"\n");
        assert_eq!(job(&kept).unwrap_err(), JobError::KeepTexts);
        // It is about streams: a folder holds pictures whatever it says.
        let folder = text.replace("fifo:in", "folder:in");
        assert_eq!(job(&folder).unwrap().source.matter(), Matter::Pictures);
    }

    #[test]
    fn metrics_stay_at_home_unless_told() {
        assert_eq!(metrics_address("9090").unwrap().to_string(), "127.0.0.1:9090");
        assert_eq!(metrics_address("0.0.0.0:9090").unwrap().to_string(), "0.0.0.0:9090");
        for wrong in ["", "x", "99999", "host:9090"] {
            assert_eq!(metrics_address(wrong), Err(JobError::Metrics(wrong.to_owned())));
        }
    }

    #[test]
    fn numbers_out_of_range_name_their_key() {
        let error = job("source = \"stdin\"\ntop = 0\n").unwrap_err();
        assert_eq!(error.to_string(), "top is 0, must be 1 to 1000");
        let error = job("source = \"stdin\"\nmax_pixels = 100000001\n").unwrap_err();
        assert_eq!(error.to_string(), "max_pixels is 100000001, must be 1 to 100000000");
        let error = job("source = \"stdin\"\n[mqtt]\nqos = 3\n").unwrap_err();
        assert_eq!(error.to_string(), "[mqtt] qos is 3, must be 0 to 2");
    }

    #[test]
    fn moving_needs_a_place() {
        let text = "source = \"folder:in\"\n[folder]\nafter = \"move\"\n";
        assert_eq!(job(text).unwrap_err(), JobError::NoMoveTo);
    }
}
