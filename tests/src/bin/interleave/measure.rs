use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// The middle value, or the mean of the two.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) {
        (values[middle - 1] + values[middle]) / 2.0
    } else {
        values[middle]
    }
}

/// CPU time of this process, all threads, since it began.
pub fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// What something took.
#[derive(Clone, Copy)]
pub struct Took {
    pub wall: Duration,
    /// Of all threads. It hardly changes when others use the machine too.
    pub cpu: Duration,
}

pub fn clocked(work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Took> {
    let (wall, cpu) = (Instant::now(), processor_time());
    work()?;
    Ok(Took { wall: wall.elapsed(), cpu: processor_time() - cpu })
}

pub fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

pub fn verdict(holds: bool) -> &'static str {
    if holds { "PASS" } else { "FAIL" }
}
