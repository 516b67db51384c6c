//! What the process itself uses: copied from `/proc` into pillion's own metrics when they are read.
//!
//! A figure that cannot be read is left as it was; nothing here may fail a scrape.

use super::{Metric, gauge, limiter, total, total_seconds};
use std::time::Duration;

/// The kernel counts processor time in ticks of 1/100 s towards user space, whatever its own clock.
const TICKS_PER_SECOND: f64 = 100.0;

/// Copies the figures of this process; `started` is its start since the Unix epoch.
pub fn collect(started: Duration) {
    gauge(Metric::BuildInfo, &[env!("CARGO_PKG_VERSION")], 1.0);
    gauge(Metric::ProcessStartTime, &[], started.as_secs_f64());
    total(Metric::LogSuppressed, &[], limiter::suppressed());
    let read = |name: &str| std::fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
    if let Some((cpu_seconds, threads)) = read_stat(&read("stat")) {
        total_seconds(Metric::ProcessCpuSeconds, &[], cpu_seconds);
        gauge(Metric::ProcessThreads, &[], threads);
    }
    if let Some(bytes) = read_resident(&read("status")) {
        gauge(Metric::ProcessResidentMemory, &[], bytes);
    }
    if let Some(most) = read_max_fds(&read("limits")) {
        gauge(Metric::ProcessMaxFds, &[], most);
    }
    if let Ok(entries) = std::fs::read_dir("/proc/self/fd") {
        // The listing holds the descriptor of the listing itself.
        gauge(Metric::ProcessOpenFds, &[], entries.count().saturating_sub(1) as f64);
    }
}

/// Processor seconds and threads from `/proc/self/stat`.
fn read_stat(text: &str) -> Option<(f64, f64)> {
    // The second field is the name in parentheses and may hold anything; the third follows the last one.
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let user: f64 = fields.nth(11)?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    let threads = fields.nth(4)?.parse().ok()?;
    Some(((user + system) / TICKS_PER_SECOND, threads))
}

/// Resident bytes from `/proc/self/status`.
fn read_resident(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024.0)
}

/// The soft limit of descriptors from `/proc/self/limits`.
fn read_max_fds(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Recorder;

    #[test]
    fn figures_are_read_from_the_kernels_files() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 99 0 0 0 250 50 0 0 20 0 3 0 100 1 2";
        assert_eq!(read_stat(stat), Some((3.0, 3.0)));
        assert_eq!(read_resident("VmPeak:\t 9 kB\nVmRSS:\t    2048 kB\n"), Some(2_097_152.0));
        let limits =
            "Limit  Soft  Hard  Units\nMax open files            1024                 4096      files\n";
        assert_eq!(read_max_fds(limits), Some(1024.0));
        for read in [read_resident, read_max_fds] {
            assert_eq!(read("nothing of use"), None);
        }
        assert_eq!(read_stat(""), None);
    }

    #[test]
    fn this_process_has_all_figures() {
        let (recorder, reader) = Recorder::detached();
        metrics::with_local_recorder(&recorder, || collect(Duration::from_secs(1_700_000_000)));
        let names: Vec<_> = reader.families().iter().map(|f| f.metric.name()).collect();
        insta::assert_snapshot!(names.join(" "), @"pillion_build_info pillion_process_cpu_seconds_total pillion_process_resident_memory_bytes pillion_process_open_fds pillion_process_max_fds pillion_process_threads pillion_process_start_time_seconds pillion_log_lines_suppressed_total");
        for family in reader.families() {
            let value = family.samples[0].value;
            let may_be_zero = matches!(family.metric, Metric::LogSuppressed | Metric::ProcessCpuSeconds);
            assert!(value > 0.0 || may_be_zero, "{family:?}");
        }
    }
}
