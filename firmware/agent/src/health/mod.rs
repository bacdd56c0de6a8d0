//! Whether all is well, told to whoever restarts graftd or looks at it.

mod board;
mod http;
mod metrics;
mod pulse;
mod systemd;
mod watchdog;

pub(crate) use http::serve as serve_metrics;
pub(crate) use metrics::{Metrics, Seen};
pub(crate) use pulse::{Pulse, Sign};
pub(crate) use systemd::{Manager, State};
pub(crate) use watchdog::Watchdog;
pub use watchdog::WatchdogError;
