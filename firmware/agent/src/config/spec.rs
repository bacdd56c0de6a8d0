//! Sources and sinks as they are written in one line, in the configuration and
//! in flags alike.

use std::path::PathBuf;

/// Where frames come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceSpec {
    /// A V4L2 capture device.
    Camera(PathBuf),
    /// A folder of pictures that is watched.
    Folder(PathBuf),
    /// Frames on standard input.
    Stdin,
    /// Frames in a named pipe.
    Fifo(PathBuf),
    /// A file of frames, at full speed.
    Replay(PathBuf),
}

/// Where answers go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinkSpec {
    /// Lines of JSON on standard output.
    Stdout,
    /// The same on a Unix socket that graftd listens on.
    Socket(PathBuf),
    /// The same to an MQTT broker.
    Mqtt {
        /// Name or address.
        host: String,
        /// TCP port.
        port: u16,
        /// Without wildcards.
        topic: String,
    },
    /// A program that is run when the stable answer changes.
    Exec(PathBuf),
    /// A line of a GPIO chip, active while the stable answer is a label.
    Gpio {
        /// The chip's device file.
        chip: PathBuf,
        /// Offset of the line on the chip.
        line: u32,
        /// Of the bundle.
        label: String,
    },
}

/// A line that names no source or sink.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// None of the sources.
    #[error(
        "{0:?} names no source: \
         it is v4l2:DEVICE, folder:FOLDER, stdin, fifo:PATH or replay:FILE"
    )]
    Source(String),
    /// None of the sinks.
    #[error(
        "{0:?} names no sink: it is stdout, socket:PATH, mqtt:HOST[:PORT]/TOPIC, \
         exec:PROGRAM or gpio:CHIP:LINE=LABEL"
    )]
    Sink(String),
    /// A sink that this build leaves out.
    #[error("{sink:?} needs a graftd built with the feature {feature:?}; this one is not")]
    Feature {
        /// As it was written.
        sink: String,
        /// Of the cargo package.
        feature: &'static str,
    },
    /// A broker that cannot be.
    #[error("{0:?} names no broker and topic: it is mqtt:HOST[:PORT]/TOPIC, without + and #")]
    Mqtt(String),
    /// A line that cannot be.
    #[error("{0:?} names no line: it is gpio:CHIP:LINE=LABEL, such as gpio:gpiochip0:17=person")]
    Gpio(String),
}

impl TryFrom<String> for SourceSpec {
    type Error = SpecError;

    fn try_from(text: String) -> Result<SourceSpec, SpecError> {
        match text.split_once(':') {
            _ if text == "stdin" => Ok(SourceSpec::Stdin),
            Some((_, "")) => Err(SpecError::Source(text)),
            Some(("v4l2", path)) => Ok(SourceSpec::Camera(path.into())),
            Some(("folder", path)) => Ok(SourceSpec::Folder(path.into())),
            Some(("fifo", path)) => Ok(SourceSpec::Fifo(path.into())),
            Some(("replay", path)) => Ok(SourceSpec::Replay(path.into())),
            _ => Err(SpecError::Source(text)),
        }
    }
}

impl TryFrom<String> for SinkSpec {
    type Error = SpecError;

    fn try_from(text: String) -> Result<SinkSpec, SpecError> {
        let built = |feature: &'static str, here: bool| match here {
            true => Ok(()),
            false => Err(SpecError::Feature { sink: text.clone(), feature }),
        };
        match text.split_once(':') {
            _ if text == "stdout" => Ok(SinkSpec::Stdout),
            Some((_, "")) => Err(SpecError::Sink(text)),
            Some(("socket", path)) => Ok(SinkSpec::Socket(path.into())),
            Some(("exec", path)) => {
                built("exec", cfg!(feature = "exec"))?;
                Ok(SinkSpec::Exec(path.into()))
            }
            Some(("mqtt", rest)) => {
                built("mqtt", cfg!(feature = "mqtt"))?;
                mqtt(rest).ok_or(SpecError::Mqtt(text))
            }
            Some(("gpio", rest)) => {
                built("gpio", cfg!(feature = "gpio"))?;
                gpio(rest).ok_or(SpecError::Gpio(text))
            }
            _ => Err(SpecError::Sink(text)),
        }
    }
}

/// `HOST[:PORT]/TOPIC`; an IPv6 address stands in brackets.
fn mqtt(text: &str) -> Option<SinkSpec> {
    let (broker, topic) = text.split_once('/')?;
    let (host, port) = match broker.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            (host, if port.is_empty() { None } else { Some(port.strip_prefix(':')?) })
        }
        None => match broker.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (broker, None),
        },
    };
    let port = port.map_or(Some(1883), |port| port.parse().ok())?;
    let right = !host.is_empty() && !topic.is_empty() && !topic.contains(['+', '#', '\0']);
    right.then(|| SinkSpec::Mqtt { host: host.to_owned(), port, topic: topic.to_owned() })
}

/// `CHIP:LINE=LABEL`; a chip without a slash is one in /dev.
fn gpio(text: &str) -> Option<SinkSpec> {
    let (place, label) = text.split_once('=')?;
    let (chip, line) = place.rsplit_once(':')?;
    if chip.is_empty() || label.is_empty() {
        return None;
    }
    // Joining an absolute path replaces what it is joined to.
    let chip = std::path::Path::new("/dev").join(chip);
    Some(SinkSpec::Gpio { chip, line: line.parse().ok()?, label: label.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Result<SourceSpec, SpecError> {
        SourceSpec::try_from(text.to_owned())
    }

    fn sink(text: &str) -> Result<SinkSpec, SpecError> {
        SinkSpec::try_from(text.to_owned())
    }

    #[test]
    fn sources() {
        assert_eq!(source("v4l2:/dev/video0"), Ok(SourceSpec::Camera("/dev/video0".into())));
        assert_eq!(source("folder:in:box"), Ok(SourceSpec::Folder("in:box".into())));
        assert_eq!(source("stdin"), Ok(SourceSpec::Stdin));
        for wrong in ["", "stdin:", "fifo:", "camera:/dev/video0", "/dev/video0"] {
            assert_eq!(source(wrong), Err(SpecError::Source(wrong.to_owned())));
        }
    }

    #[test]
    fn sinks() {
        assert_eq!(sink("stdout"), Ok(SinkSpec::Stdout));
        assert_eq!(sink("socket:/run/a"), Ok(SinkSpec::Socket("/run/a".into())));
        for wrong in ["", "socket:", "file:x"] {
            assert_eq!(sink(wrong), Err(SpecError::Sink(wrong.to_owned())));
        }
    }

    #[test]
    fn brokers() {
        let check = |text: &str, host: &str, port: u16, topic: &str| {
            let (host, topic) = (host.to_owned(), topic.to_owned());
            assert_eq!(mqtt(text), Some(SinkSpec::Mqtt { host, port, topic }), "{text}");
        };
        check("broker/a/b", "broker", 1883, "a/b");
        check("10.0.0.1:1884/t", "10.0.0.1", 1884, "t");
        check("[::1]:1884/t", "::1", 1884, "t");
        check("[::1]/t", "::1", 1883, "t");
        for wrong in ["broker", "broker/", "/t", ":1883/t", "a:x/t", "a/t/#", "a/+/t", "[::1/t"] {
            assert_eq!(mqtt(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn lines() {
        let expected = |chip: &str, line, label: &str| SinkSpec::Gpio {
            chip: chip.into(),
            line,
            label: label.into(),
        };
        assert_eq!(gpio("gpiochip0:17=cat"), Some(expected("/dev/gpiochip0", 17, "cat")));
        assert_eq!(gpio("/dev/x:0=a=b"), Some(expected("/dev/x", 0, "a=b")));
        for wrong in ["gpiochip0:17", "gpiochip0=cat", ":1=cat", "c:-1=cat", "c:1="] {
            assert_eq!(gpio(wrong), None, "{wrong}");
        }
    }
}
