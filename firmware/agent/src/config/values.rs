//! Values of the configuration whose type alone does not make them right.
//!
//! They are checked while they are read, so that the error names the line.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

/// A share of 1, or a probability.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "f32")]
pub struct Share(f32);

/// A span of time; 0 where a key says that it means "never".
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub struct Seconds(Duration);

/// A number that is wrong where it stands.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum ValueError {
    /// Not a share.
    #[error("{0} is not from 0 to 1")]
    Share(f32),
    /// Not a span of time that a clock can count.
    #[error("{0} is not a number of seconds from 0 to 1000000000")]
    Seconds(f64),
}

impl Share {
    pub(crate) const ZERO: Share = Share(0.0);
    pub(crate) const ONE: Share = Share(1.0);

    pub(crate) const fn constant(value: f32) -> Share {
        assert!(value >= 0.0 && value <= 1.0, "a share");
        Share(value)
    }

    /// From 0 to 1.
    pub fn get(self) -> f32 {
        self.0
    }
}

impl TryFrom<f32> for Share {
    type Error = ValueError;

    fn try_from(value: f32) -> Result<Share, ValueError> {
        if (0.0..=1.0).contains(&value) { Ok(Share(value)) } else { Err(ValueError::Share(value)) }
    }
}

impl Seconds {
    pub(crate) const fn constant(seconds: u64) -> Seconds {
        Seconds(Duration::from_secs(seconds))
    }

    /// The span.
    pub fn get(self) -> Duration {
        self.0
    }

    /// The span, unless it is 0.
    pub fn unless_zero(self) -> Option<Duration> {
        (!self.0.is_zero()).then_some(self.0)
    }
}

impl TryFrom<f64> for Seconds {
    type Error = ValueError;

    fn try_from(value: f64) -> Result<Seconds, ValueError> {
        if (0.0..=1e9).contains(&value) {
            Ok(Seconds(Duration::from_secs_f64(value)))
        } else {
            Err(ValueError::Seconds(value))
        }
    }
}

/// Reads a text that may be empty, which means "not given". The file of defaults
/// can show such a key then, as TOML has no null.
pub(crate) fn empty_is_none<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<String>,
    T::Error: std::fmt::Display,
{
    let text = String::deserialize(from)?;
    if text.is_empty() {
        return Ok(None);
    }
    T::try_from(text).map(Some).map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_share_is_refused() {
        assert!(Share::try_from(0.0).is_ok() && Share::try_from(1.0).is_ok());
        for wrong in [-0.1, 1.1, f32::NAN, f32::INFINITY] {
            assert!(Share::try_from(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_no_clock_can_count_is_refused() {
        assert_eq!(Seconds::try_from(0.25).map(Seconds::get), Ok(Duration::from_millis(250)));
        for wrong in [-1.0, f64::NAN, f64::INFINITY, 1e10] {
            assert!(Seconds::try_from(wrong).is_err(), "{wrong}");
        }
    }
}
