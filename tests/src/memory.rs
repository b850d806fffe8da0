//! How much memory a test takes.

use std::fs;

/// What this process has in memory; nothing where there is no `/proc`.
pub fn resident_kilobytes() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.map_or(0, |size| size.trim().trim_end_matches(" kB").parse().unwrap())
}
