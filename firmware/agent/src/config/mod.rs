//! The configuration: one TOML file, in which every key has a default, and flags
//! that win over it. `graftd.toml` beside this crate states the defaults.

mod spec;
mod values;

use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use spec::{SinkSpec, SourceSpec, SpecError};
use values::empty_is_none;
pub use values::{Seconds, Share, ValueError};

/// Everything that can be set.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(
    missing_docs,
    reason = "graftd.toml states what each key means, and a test holds it to this"
)]
pub struct Config {
    #[serde(deserialize_with = "empty_is_none")]
    pub bundle: Option<PathBuf>,
    #[serde(deserialize_with = "empty_is_none")]
    pub require_signature: Option<String>,
    #[serde(deserialize_with = "empty_is_none")]
    pub source: Option<SourceSpec>,
    pub sinks: Vec<Sink>,
    pub once: bool,
    pub top: usize,
    pub log: LogLevel,
    pub camera: Camera,
    pub folder: Folder,
    pub frames: Frames,
    pub smooth: Smooth,
    pub socket: Socket,
    pub mqtt: Mqtt,
    pub exec: Exec,
    pub gpio: Gpio,
    pub keep: Keep,
    pub health: Health,
}

/// One entry of `sinks`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Sink(pub SinkSpec);

impl TryFrom<String> for Sink {
    type Error = SpecError;

    fn try_from(text: String) -> Result<Sink, SpecError> {
        SinkSpec::try_from(text).map(Sink)
    }
}

/// How much is said on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
}

/// Section `[camera]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "as above")]
pub struct Camera {
    pub format: CameraFormat,
    pub width: u32,
    pub height: u32,
    pub frames_per_second: u32,
    pub buffers: u32,
    pub silence: Seconds,
    pub reopen_after: Seconds,
    pub reopen_at_most_after: Seconds,
}

/// What a camera is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum CameraFormat {
    /// The first of the others, in this order, that the camera has.
    Auto,
    Yuyv,
    Nv12,
    Rgb,
    Bgr,
    Mjpeg,
    Grey,
}

/// Section `[folder]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "as above")]
pub struct Folder {
    pub after: After,
    #[serde(deserialize_with = "empty_is_none")]
    pub move_to: Option<PathBuf>,
    pub max_bytes: u64,
}

/// What becomes of a picture once it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum After {
    Keep,
    Delete,
    Move,
}

/// Section `[frames]`: what stdin, a fifo or a replayed file holds.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "as above")]
pub struct Frames {
    pub format: FramesFormat,
    pub width: u32,
    pub height: u32,
    pub stride: usize,
    pub lossless: bool,
    pub repeat: u64,
}

/// How frames lie in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum FramesFormat {
    Mjpeg,
    Rgb,
    Bgr,
    Grey,
    Yuyv,
    Nv12,
}

/// Section `[smooth]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "as above")]
pub struct Smooth {
    pub method: SmoothMethod,
    pub window: usize,
    pub alpha: Share,
    pub enter: Share,
    pub leave: Share,
    pub hold: u32,
}

/// How single answers become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum SmoothMethod {
    None,
    Majority,
    Exponential,
}

/// Section `[socket]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "as above")]
pub struct Socket {
    pub clients: usize,
    pub mode: u32,
}

/// Section `[mqtt]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "as above")]
pub struct Mqtt {
    pub publish: Publish,
    pub qos: u8,
    pub retain: bool,
    pub client_id: String,
    pub username: String,
    #[serde(deserialize_with = "empty_is_none")]
    pub password_file: Option<PathBuf>,
    pub keep_alive: Seconds,
    pub reconnect_at_most_after: Seconds,
}

/// Which answers a broker is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Publish {
    Every,
    Change,
}

/// Section `[exec]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "as above")]
pub struct Exec {
    pub time_limit: Seconds,
}

/// Section `[gpio]`.
#[derive(Clone, Debug, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "as above")]
pub struct Gpio {
    pub active_low: bool,
}

/// Section `[keep]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "as above")]
pub struct Keep {
    #[serde(deserialize_with = "empty_is_none")]
    pub folder: Option<PathBuf>,
    pub max_bytes: u64,
    pub unknown: bool,
    pub margin: Share,
    pub at_most_every: Seconds,
}

/// Section `[health]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "as above")]
pub struct Health {
    #[serde(deserialize_with = "empty_is_none")]
    pub metrics: Option<String>,
    #[serde(deserialize_with = "empty_is_none")]
    pub watchdog: Option<PathBuf>,
    pub watchdog_timeout: Seconds,
    pub camera_quiet: Seconds,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            bundle: None,
            require_signature: None,
            source: None,
            sinks: vec![Sink(SinkSpec::Stdout)],
            once: false,
            top: 3,
            log: LogLevel::Info,
            camera: Camera::default(),
            folder: Folder::default(),
            frames: Frames::default(),
            smooth: Smooth::default(),
            socket: Socket::default(),
            mqtt: Mqtt::default(),
            exec: Exec::default(),
            gpio: Gpio::default(),
            keep: Keep::default(),
            health: Health::default(),
        }
    }
}

impl Default for Camera {
    fn default() -> Camera {
        Camera {
            format: CameraFormat::Auto,
            width: 640,
            height: 480,
            frames_per_second: 0,
            buffers: 3,
            silence: Seconds::constant(5),
            reopen_after: Seconds::constant(1),
            reopen_at_most_after: Seconds::constant(30),
        }
    }
}

impl Default for Folder {
    fn default() -> Folder {
        Folder { after: After::Keep, move_to: None, max_bytes: 32_000_000 }
    }
}

impl Default for Frames {
    fn default() -> Frames {
        Frames {
            format: FramesFormat::Mjpeg,
            width: 0,
            height: 0,
            stride: 0,
            lossless: false,
            repeat: 1,
        }
    }
}

impl Default for Smooth {
    fn default() -> Smooth {
        Smooth {
            method: SmoothMethod::None,
            window: 5,
            alpha: Share::constant(0.3),
            enter: Share::ZERO,
            leave: Share::ONE,
            hold: 1,
        }
    }
}

impl Default for Socket {
    fn default() -> Socket {
        Socket { clients: 16, mode: 0o660 }
    }
}

impl Default for Mqtt {
    fn default() -> Mqtt {
        Mqtt {
            publish: Publish::Every,
            qos: 0,
            retain: false,
            client_id: "graftd".to_owned(),
            username: String::new(),
            password_file: None,
            keep_alive: Seconds::constant(30),
            reconnect_at_most_after: Seconds::constant(30),
        }
    }
}

impl Default for Exec {
    fn default() -> Exec {
        Exec { time_limit: Seconds::constant(10) }
    }
}

impl Default for Keep {
    fn default() -> Keep {
        Keep {
            folder: None,
            max_bytes: 100_000_000,
            unknown: true,
            margin: Share::constant(0.2),
            at_most_every: Seconds::constant(10),
        }
    }
}

impl Default for Health {
    fn default() -> Health {
        Health {
            metrics: None,
            watchdog: None,
            watchdog_timeout: Seconds::constant(15),
            camera_quiet: Seconds::constant(60),
        }
    }
}

/// A configuration file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("cannot read the configuration {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is no TOML, or has a key or a value that graftd does not know.
    #[error("the configuration {}: {source}", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// With line and column.
        source: toml::de::Error,
    },
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// Names the line of what is wrong.
    pub fn read(path: &Path) -> Result<Config, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        toml::from_str(&text).map_err(|source| ConfigError::Toml { path: path.to_owned(), source })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde::de::value::Error;
    use serde::de::{Deserializer, Error as _, Visitor};
    use serde::forward_to_deserialize_any;

    use super::*;

    const DEFAULTS: &str = include_str!("../../graftd.toml");

    /// Learns the keys of a section from what its `Deserialize` asks for.
    struct Keys<'a>(&'a mut BTreeSet<String>);

    impl<'de> Deserializer<'de> for Keys<'_> {
        type Error = Error;

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _name: &'static str,
            fields: &'static [&'static str],
            _visitor: V,
        ) -> Result<V::Value, Error> {
            self.0.extend(fields.iter().map(|&field| field.to_owned()));
            Err(Error::custom("only the keys were wanted"))
        }

        fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Error> {
            Err(Error::custom("not a section"))
        }

        forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option
            unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    fn keys<T: for<'de> Deserialize<'de>>() -> BTreeSet<String> {
        let mut keys = BTreeSet::new();
        assert!(T::deserialize(Keys(&mut keys)).is_err());
        keys
    }

    #[test]
    fn the_file_of_defaults_shows_every_key_and_is_the_defaults() {
        assert_eq!(toml::from_str::<Config>(DEFAULTS).unwrap(), Config::default());

        let file: toml::Table = toml::from_str(DEFAULTS).unwrap();
        let in_file: BTreeSet<String> = file.keys().cloned().collect();
        assert_eq!(in_file, keys::<Config>());
        let check = |section: &str, keys: BTreeSet<String>| {
            let in_file: BTreeSet<String> =
                file[section].as_table().unwrap().keys().cloned().collect();
            assert_eq!(in_file, keys, "[{section}]");
        };
        check("camera", keys::<Camera>());
        check("folder", keys::<Folder>());
        check("frames", keys::<Frames>());
        check("smooth", keys::<Smooth>());
        check("socket", keys::<Socket>());
        check("mqtt", keys::<Mqtt>());
        check("exec", keys::<Exec>());
        check("gpio", keys::<Gpio>());
        check("keep", keys::<Keep>());
        check("health", keys::<Health>());
    }

    #[test]
    fn every_key_of_the_file_of_defaults_is_explained() {
        let mut explained = false;
        for line in DEFAULTS.lines() {
            if line.trim().is_empty() {
                explained = false;
            } else if line.starts_with('#') {
                explained = true;
            } else if !line.starts_with('[') {
                assert!(explained, "no comment above {line:?}");
            }
        }
    }

    #[test]
    fn an_empty_file_is_the_defaults() {
        assert_eq!(toml::from_str::<Config>("").unwrap(), Config::default());
        assert_eq!(toml::from_str::<Config>("[mqtt]\n").unwrap(), Config::default());
    }

    #[test]
    fn errors_name_the_line() {
        let check = |text: &str, line: usize, words: &str| {
            let error = toml::from_str::<Config>(text).unwrap_err().to_string();
            assert!(error.contains(&format!("line {line},")), "{error}");
            assert!(error.contains(words), "{error}");
        };
        check("top = 1\ncolour = 3\n", 2, "unknown field `colour`");
        check("[smooth]\nwindows = 3\n", 2, "unknown field `windows`");
        check("[smooth]\n\nalpha = 1.5\n", 3, "1.5 is not from 0 to 1");
        check("[camera]\nsilence = -1.0\n", 2, "seconds");
        check("\nsource = \"webcam\"\n", 2, "v4l2:DEVICE");
        // Of a list, the line where it begins; the words quote the entry.
        check("\nsinks = [\n  \"stdout\",\n  \"file:x\",\n]\n", 2, "\"file:x\"");
        check("[folder]\nafter = \"burn\"\n", 2, "unknown variant `burn`");
        check("top = \n", 1, "");
    }
}
