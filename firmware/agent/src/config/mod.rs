//! The configuration: one TOML file, in which every key has a default, and flags
//! that win over it. `graftd.toml` beside this crate states the defaults.

mod sections;
mod spec;
mod values;

use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use sections::{
    After, Camera, CameraFormat, Exec, Folder, Frames, FramesFormat, Gpio, Health, Keep, LogLevel,
    Mqtt, Publish, Smooth, SmoothMethod, Socket,
};
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
    pub weights: Option<PathBuf>,
    #[serde(deserialize_with = "empty_is_none")]
    pub source: Option<SourceSpec>,
    pub sinks: Vec<Sink>,
    pub once: bool,
    pub top: usize,
    pub max_pixels: u64,
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

impl Default for Config {
    fn default() -> Config {
        Config {
            bundle: None,
            require_signature: None,
            weights: None,
            source: None,
            sinks: vec![Sink(SinkSpec::Stdout)],
            once: false,
            top: 3,
            max_pixels: graft_input::MAX_PIXELS,
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
