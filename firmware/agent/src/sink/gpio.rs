//! A line of a GPIO chip that is active while the steady answer is a label.

use std::path::{Path, PathBuf};

use gpiocdev::Request;
use gpiocdev::line::Value;

use super::{SinkError, Told};
use crate::config;

/// A line that is ours until this is dropped, and inactive then.
pub(crate) struct Gpio {
    request: Request,
    chip: PathBuf,
    line: u32,
    label: String,
}

impl Gpio {
    pub fn request(
        chip: &Path,
        line: u32,
        label: &str,
        settings: &config::Gpio,
    ) -> Result<Gpio, SinkError> {
        let mut builder = Request::builder();
        builder
            .on_chip(chip)
            .with_consumer(consumer(label))
            .with_line(line)
            .as_output(Value::Inactive);
        if settings.active_low {
            builder.as_active_low();
        }
        let request = builder.request().map_err(|error| refused(chip, line, &error))?;
        Ok(Gpio { request, chip: chip.to_owned(), line, label: label.to_owned() })
    }

    pub fn tell(&mut self, told: &Told<'_>) -> Result<(), SinkError> {
        if told.changed_from.is_none() {
            return Ok(());
        }
        let active = told.stable == Some(self.label.as_str());
        let value = if active { Value::Active } else { Value::Inactive };
        // A chip that goes away takes the reason for running with it: whoever
        // starts graftd again finds out whether it has come back.
        self.request
            .set_value(self.line, value)
            .map(drop)
            .map_err(|error| refused(&self.chip, self.line, &error))
    }
}

impl Drop for Gpio {
    fn drop(&mut self) {
        if let Err(error) = self.request.set_value(self.line, Value::Inactive) {
            log::warn!("{}", refused(&self.chip, self.line, &error));
        }
    }
}

/// Under which name `gpioinfo` shows the line: with its label, of which the kernel
/// takes what fits into 31 bytes.
fn consumer(label: &str) -> String {
    let mut name = format!("graftd {label}");
    while name.len() > 31 {
        name.pop();
    }
    name
}

fn refused(chip: &Path, line: u32, error: &gpiocdev::Error) -> SinkError {
    SinkError::Gpio { chip: chip.to_owned(), line, reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_shown_with_its_label() {
        assert_eq!(consumer("crack"), "graftd crack");
        assert_eq!(consumer(&"ä".repeat(40)), format!("graftd {}", "ä".repeat(12)));
    }
}
