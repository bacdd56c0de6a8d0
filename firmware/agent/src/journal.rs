//! What graftd says about itself: lines on standard error, in the form that
//! whoever reads them expects.

use std::io::Write;

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::config::LogLevel;

struct Journal {
    style: Style,
    level: LevelFilter,
}

/// Who reads standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// systemd's journal: each line begins with its priority, see
    /// sd-daemon(3).
    Systemd,
    Plain,
}

/// Starts logging, once in a process.
///
/// # Panics
///
/// If something else logs already.
pub fn start(level: LogLevel) {
    // systemd says so where standard error leads to the journal.
    let style =
        if std::env::var_os("JOURNAL_STREAM").is_some() { Style::Systemd } else { Style::Plain };
    let level = match level {
        LogLevel::Error => LevelFilter::Error,
        LogLevel::Warn => LevelFilter::Warn,
        LogLevel::Info => LevelFilter::Info,
        LogLevel::Debug => LevelFilter::Debug,
    };
    log::set_max_level(level);
    log::set_boxed_logger(Box::new(Journal { style, level }))
        .expect("invariant: nothing else in this process logs");
}

impl Log for Journal {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // What libraries tell of themselves below a warning is for their
        // authors.
        let ours = metadata.target().starts_with("graft");
        metadata.level() <= if ours { self.level } else { self.level.min(LevelFilter::Warn) }
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let line = line(self.style, record.level(), &record.args().to_string());
            // In one write, so that lines of threads do not mix. If nobody
            // listens there is nobody to tell.
            let _ = std::io::stderr().lock().write_all(line.as_bytes());
        }
    }

    fn flush(&self) {}
}

fn line(style: Style, level: Level, text: &str) -> String {
    match style {
        Style::Systemd => {
            let priority = match level {
                Level::Error => 3,
                Level::Warn => 4,
                Level::Info => 6,
                Level::Debug | Level::Trace => 7,
            };
            // Each line is a message of its own there.
            text.lines().map(|text| format!("<{priority}>{text}\n")).collect()
        }
        Style::Plain => {
            let word = match level {
                Level::Error => "error: ",
                Level::Warn => "warning: ",
                Level::Info => "",
                Level::Debug | Level::Trace => "debug: ",
            };
            format!("graftd: {word}{text}\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_the_form_that_their_reader_expects() {
        assert_eq!(line(Style::Systemd, Level::Warn, "a\nb"), "<4>a\n<4>b\n");
        assert_eq!(line(Style::Systemd, Level::Error, "a"), "<3>a\n");
        assert_eq!(line(Style::Plain, Level::Warn, "a"), "graftd: warning: a\n");
        assert_eq!(line(Style::Plain, Level::Info, "a"), "graftd: a\n");
    }
}
