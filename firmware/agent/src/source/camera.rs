//! A camera that may be unplugged at any time.

use std::path::Path;

use super::{SourceError, Station};
use crate::config::Camera;

pub(super) fn run(_: &Path, _: &Camera, _: &Station) -> Result<(), SourceError> {
    Ok(())
}
