//! The sections of the configuration and their defaults.

use std::path::PathBuf;

use serde::Deserialize;

use super::values::{Seconds, Share, empty_is_none};

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
    /// A text a line.
    Text,
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
