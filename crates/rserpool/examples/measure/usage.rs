//! What processes cost, as Linux counts it.

use crate::Failure;
use std::fs;

/// What a process has used so far, and holds now.
#[derive(Clone, Copy, Default)]
pub(crate) struct Usage {
    /// Processor time in user space and in the kernel, in seconds.
    pub(crate) seconds: f64,
    /// How often its threads gave a processor up or lost it.
    pub(crate) switches: u64,
    pub(crate) threads: u32,
    pub(crate) resident_kib: u32,
}

impl Usage {
    pub(crate) fn of(process: u32) -> Result<Self, Failure> {
        let mut usage = Self::default();
        for task in fs::read_dir(format!("/proc/{process}/task"))? {
            let task = task?.path();
            // A thread may end while this looks.
            let Ok(status) = fs::read_to_string(task.join("status")) else {
                continue;
            };
            usage.threads += 1;
            let voluntary = field(&status, "voluntary_ctxt_switches:");
            usage.switches += voluntary + field(&status, "nonvoluntary_ctxt_switches:");
            usage.resident_kib = u32::try_from(field(&status, "VmRSS:"))?;
        }
        usage.seconds = seconds(&fs::read_to_string(format!("/proc/{process}/stat"))?)?;
        Ok(usage)
    }
}

/// The number in the line that begins like this.
fn field(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or_default()
}

/// The 14th and 15th field of `/proc/PID/stat`; the second may have blanks in it.
fn seconds(stat: &str) -> Result<f64, Failure> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let (_, rest) = stat.rsplit_once(')').ok_or("no /proc/PID/stat")?;
    let ticks = rest.split_whitespace().skip(11).take(2);
    let ticks: Vec<f64> = ticks.map(str::parse).collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() / TICKS_PER_SECOND)
}
