//! The command line. Flags win over the configuration file.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::prelude::*;

use crate::config::{
    Config, ConfigError, FramesFormat, LogLevel, Sink, SinkSpec, SmoothMethod, SourceSpec,
    SpecError,
};

/// What `graftd --help` prints.
pub const HELP: &str = "\
graftd: looks at frames, or reads texts, and says what is in them, for months

usage: graftd --bundle FILE --source SOURCE [--sink SINK]... [flags]
       graftd --config FILE [flags]
       graftd bench --bundle FILE    say what a bundle costs here (graftd bench --help)

  --config FILE            settings in TOML; flags win over it
  --check-config           say whether configuration and flags are right, and stop
  --bundle FILE            what graft train wrote
  --check-bundle           say whether the bundle holds on this machine, and stop
  --weights FOLDER         keep large weights in a file there, mapped, instead of in memory
  --require-signature KEY  open only bundles signed for this minisign public key
  --source SOURCE          v4l2:DEVICE, folder:FOLDER, stdin, fifo:PATH or replay:FILE
  --once                   end when the source has nothing more for now
  --sink SINK              stdout, socket:PATH, mqtt:HOST[:PORT]/TOPIC, exec:PROGRAM or
                           gpio:CHIP:LINE=LABEL; may be given many times [stdout]
  --top N                  how many of the most probable labels an answer lists [3]

frames on stdin, in a fifo or in a replayed file:
  --format FORMAT          mjpeg, rgb, bgr, grey, yuyv or nv12; text, which is a text a line,
                           each of them answered [mjpeg]
  --size WIDTHxHEIGHT      of raw frames, in pixels
  --stride BYTES           from row to row of raw frames [no padding]
  --lossless               answer every frame and let the writer wait
  --repeat N               replay so many times; 0 is for ever [1]

health:
  --smooth METHOD          none, majority or exponential [none]
  --keep FOLDER            keep frames that were hard to tell, as PNG
  --metrics [HOST:]PORT    serve metrics over HTTP; without HOST on 127.0.0.1 only
  --watchdog DEVICE        feed this hardware watchdog
  --log LEVEL              error, warn, info or debug [info]

  --help, --version

exit status: 0 done or stopped, 1 something failed, 2 wrong flags or configuration
";

/// What graftd is asked to do.
#[derive(Debug)]
pub enum Command {
    /// Print [`HELP`].
    Help,
    /// Print the version.
    Version,
    /// Say that the configuration is right.
    Check(Box<Config>),
    /// Say whether the bundle holds on this machine.
    CheckBundle(Box<Config>),
    /// Run.
    Run(Box<Config>),
    /// Print [`crate::BENCH_HELP`].
    #[cfg(feature = "bench")]
    BenchHelp,
    /// Measure.
    #[cfg(feature = "bench")]
    Bench(graft_runtime::bench::Task),
}

/// Wrong flags, or a wrong file that they name.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// A flag that is unknown or lacks its value.
    #[error("{0}: see graftd --help")]
    Flag(#[from] lexopt::Error),
    /// A value that its flag does not have.
    #[error("--{flag} {value:?}: it is {expected}")]
    Value {
        /// Without its dashes.
        flag: &'static str,
        /// As given.
        value: String,
        /// What it may be.
        expected: String,
    },
    /// A source or sink that does not exist.
    #[error("--{flag}: {source}")]
    Spec {
        /// Without its dashes.
        flag: &'static str,
        /// Why.
        source: SpecError,
    },
    /// The configuration file.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// `graftd bench` with flags that contradict each other.
    #[cfg(feature = "bench")]
    #[error("{0}: see graftd bench --help")]
    Bench(#[from] graft_runtime::bench::TaskError),
    /// `graftd bench` of a build that cannot.
    #[cfg(not(feature = "bench"))]
    #[error("this graftd was built without the feature bench; the one of make device has it")]
    NoBench,
}

/// Reads the arguments after the program's name.
///
/// # Errors
///
/// The first flag that is wrong, or the configuration file.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, CliError> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if arguments.first().is_some_and(|first| first == "bench") {
        #[cfg(feature = "bench")]
        return crate::bench::parse(&arguments[1..]);
        #[cfg(not(feature = "bench"))]
        return Err(CliError::NoBench);
    }
    // The file first: flags win wherever they stand.
    let mut config = match config_file(&arguments)? {
        Some(path) => Config::read(&path)?,
        None => Config::default(),
    };
    let mut sinks = Vec::new();
    let mut command: fn(Box<Config>) -> Command = Command::Run;
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(flag) = parser.next()? {
        match flag {
            Long("config") => drop(parser.value()?),
            Long("check-config") => command = Command::Check,
            Long("check-bundle") => command = Command::CheckBundle,
            Long("bundle") => config.bundle = Some(parser.value()?.into()),
            Long("require-signature") => {
                config.require_signature = Some(parser.value()?.string()?);
            }
            Long("weights") => config.weights = Some(parser.value()?.into()),
            Long("source") => {
                let text = parser.value()?.string()?;
                let spec = SourceSpec::try_from(text)
                    .map_err(|source| CliError::Spec { flag: "source", source })?;
                config.source = Some(spec);
            }
            Long("sink") => {
                let text = parser.value()?.string()?;
                let spec = SinkSpec::try_from(text)
                    .map_err(|source| CliError::Spec { flag: "sink", source })?;
                sinks.push(Sink(spec));
            }
            Long("once") => config.once = true,
            Long("top") => config.top = parser.value()?.parse()?,
            Long("format") => {
                config.frames.format = choice("format", &parser.value()?.string()?, &FORMATS)?;
            }
            Long("size") => {
                let text = parser.value()?.string()?;
                (config.frames.width, config.frames.height) = size(&text)?;
            }
            Long("stride") => config.frames.stride = parser.value()?.parse()?,
            Long("lossless") => config.frames.lossless = true,
            Long("repeat") => config.frames.repeat = parser.value()?.parse()?,
            Long("smooth") => {
                config.smooth.method = choice("smooth", &parser.value()?.string()?, &METHODS)?;
            }
            Long("keep") => config.keep.folder = Some(parser.value()?.into()),
            Long("metrics") => config.health.metrics = Some(parser.value()?.string()?),
            Long("watchdog") => config.health.watchdog = Some(parser.value()?.into()),
            Long("log") => config.log = choice("log", &parser.value()?.string()?, &LEVELS)?,
            Short('h') | Long("help") => return Ok(Command::Help),
            Short('V') | Long("version") => return Ok(Command::Version),
            other => return Err(other.unexpected().into()),
        }
    }
    if !sinks.is_empty() {
        config.sinks = sinks;
    }
    Ok(command(Box::new(config)))
}

/// Finds `--config FILE` and leaves every other complaint to the second pass.
fn config_file(arguments: &[OsString]) -> Result<Option<PathBuf>, CliError> {
    let mut arguments = arguments.iter();
    let mut found = None;
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy();
        if text == "--help" || text == "-h" || text == "--version" || text == "-V" {
            return Ok(None);
        } else if text == "--config" {
            found = arguments.next().map(PathBuf::from);
        } else if let Some(path) = text.strip_prefix("--config=") {
            found = Some(path.into());
        } else if text == "--" {
            break;
        }
    }
    Ok(found)
}

const FORMATS: [(&str, FramesFormat); 7] = [
    ("mjpeg", FramesFormat::Mjpeg),
    ("rgb", FramesFormat::Rgb),
    ("bgr", FramesFormat::Bgr),
    ("grey", FramesFormat::Grey),
    ("yuyv", FramesFormat::Yuyv),
    ("nv12", FramesFormat::Nv12),
    ("text", FramesFormat::Text),
];

const METHODS: [(&str, SmoothMethod); 3] = [
    ("none", SmoothMethod::None),
    ("majority", SmoothMethod::Majority),
    ("exponential", SmoothMethod::Exponential),
];

const LEVELS: [(&str, LogLevel); 4] = [
    ("error", LogLevel::Error),
    ("warn", LogLevel::Warn),
    ("info", LogLevel::Info),
    ("debug", LogLevel::Debug),
];

fn choice<T: Copy>(
    flag: &'static str,
    value: &str,
    choices: &[(&'static str, T)],
) -> Result<T, CliError> {
    let found = choices.iter().find(|(name, _)| *name == value);
    found.map(|&(_, choice)| choice).ok_or_else(|| CliError::Value {
        flag,
        value: value.to_owned(),
        expected: format!("one of {}", choices.iter().map(|c| c.0).collect::<Vec<_>>().join(", ")),
    })
}

fn size(text: &str) -> Result<(u32, u32), CliError> {
    let sides = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    sides.ok_or_else(|| CliError::Value {
        flag: "size",
        value: text.to_owned(),
        expected: "WIDTHxHEIGHT in pixels, such as 640x480".to_owned(),
    })
}
