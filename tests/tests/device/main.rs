//! What goes onto boards: the board files, and the programs that `make device`
//! builds, run by qemu's user-mode emulation on the processors of those boards.
//!
//! Tests in `on_arm` need `make device` and the emulators. Where a machine cannot
//! have them, tests/run.sh leaves them out by that name and says so; they never
//! pass by not running.

mod board_files;
mod on_arm;
