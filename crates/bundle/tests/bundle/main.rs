//! The format, held to docs/format.md: what an independent writer wrote is read,
//! what breaks a rule is refused, what is written is read back.

mod file;
mod raw;
mod reads;
mod refusals;
mod round_trip;
mod signature;
