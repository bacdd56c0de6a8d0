use std::path::Path;
use std::process::{Command, Stdio};

use graft_runtime::bench::{Measured, Task};

use super::process::{self, ProcessError};
use super::{BenchError, Watch};

/// This machine.
pub(super) struct Here<'a> {
    pub(super) program: &'a Path,
    pub(super) words: &'a [&'a str],
    pub(super) scratch: &'a Path,
}

impl Here<'_> {
    pub(super) fn measure(
        &self,
        task: &Task,
        watch: &mut Watch<'_>,
    ) -> Result<Measured, BenchError> {
        let mut command = Command::new(self.program);
        command.args(self.words).args(task.flags()).stdin(Stdio::null());
        let said =
            process::run(&mut command, self.scratch, watch).map_err(|error| match error {
                ProcessError::Stopped => BenchError::Cancelled,
                error => BenchError::Here(error),
            })?;
        process::measured(&said)
    }
}
