//! CPU times as Linux reports them: of the machine, of a thread, and of control groups with a quota.
//!
//! On systems without these files, everything here is `None` or empty.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// The CPU time of the machine since it was started, summed over its CPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct CpuTimes {
    /// Time in which CPUs were busy.
    pub(super) busy: Duration,
    /// Time that the hypervisor gave to other virtual machines.
    pub(super) stolen: Duration,
    /// The total time.
    pub(super) total: Duration,
}

/// Returns the CPU time of the machine.
pub(super) fn cpu_times() -> Option<CpuTimes> {
    parse_stat(&fs::read_to_string("/proc/stat").ok()?)
}

/// Parses `/proc/stat`, whose first line has the sums over all CPUs in hundredths of a second.
fn parse_stat(text: &str) -> Option<CpuTimes> {
    let line = text.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> = line.split_whitespace().map_while(|number| number.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal; guests are part of user.
    let [user, nice, system, idle, iowait, irq, softirq, steal, ..] = ticks[..] else { return None };
    let busy = user + nice + system + irq + softirq;
    let time = |ticks: u64| Duration::from_millis(ticks * 10);
    Some(CpuTimes { busy: time(busy), stolen: time(steal), total: time(busy + idle + iowait + steal) })
}

/// Returns how long the calling thread was runnable but waited for a CPU.
pub(super) fn run_delay() -> Option<Duration> {
    parse_schedstat(&fs::read_to_string("/proc/thread-self/schedstat").ok()?)
}

/// Parses a `schedstat`: the time on a CPU, the time waiting for one, and the number of time slices.
fn parse_schedstat(text: &str) -> Option<Duration> {
    text.split_whitespace().nth(1)?.parse().ok().map(Duration::from_nanos)
}

/// Returns the ID of the calling thread.
#[cfg(target_os = "linux")]
pub(super) fn thread_id() -> u32 {
    rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs()
}

/// Returns a number for the calling thread.
#[cfg(not(target_os = "linux"))]
pub(super) fn thread_id() -> u32 {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Returns how often the system has preempted the calling thread, which is a system call; 0 if it does not count that.
#[cfg(target_os = "linux")]
pub(super) fn preemptions() -> u64 {
    use nix::sys::resource::{UsageWho, getrusage};
    let usage = getrusage(UsageWho::RUSAGE_THREAD);
    usage.map_or(0, |usage| u64::try_from(usage.involuntary_context_switches()).unwrap_or(0))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn preemptions() -> u64 {
    0
}

/// How often a CPU quota was used up since its control group was created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct QuotaTimes {
    /// Periods in which the group ran.
    pub(super) periods: u64,
    /// Periods in which the quota was used up.
    pub(super) throttled_periods: u64,
    /// How long the group was throttled, summed over CPUs.
    pub(super) throttled: Duration,
}

/// Returns the files with the quotas of this process: those of its control group, and of all groups above.
pub(super) fn quota_files() -> Vec<PathBuf> {
    let [groups, mounts] = ["/proc/self/cgroup", "/proc/self/mountinfo"].map(fs::read_to_string);
    let (Ok(groups), Ok(mounts)) = (groups, mounts) else { return Vec::new() };
    group_directories(&groups, &mounts).into_iter().map(|directory| directory.join("cpu.stat")).collect()
}

/// Reads the file of a quota.
pub(super) fn quota_times(file: &Path) -> Option<QuotaTimes> {
    parse_cpu_stat(&fs::read_to_string(file).ok()?)
}

/// Parses a `cpu.stat` of either version. Returns `None` if the group has no quota.
fn parse_cpu_stat(text: &str) -> Option<QuotaTimes> {
    let value = |name: &str| {
        let mut words = text.lines().filter_map(|line| line.split_once(' '));
        words.find(|(word, _)| *word == name).and_then(|(_, number)| number.trim().parse::<u64>().ok())
    };
    let micros = value("throttled_usec").map(Duration::from_micros);
    let nanos = || value("throttled_time").map(Duration::from_nanos);
    Some(QuotaTimes {
        periods: value("nr_periods")?,
        throttled_periods: value("nr_throttled")?,
        throttled: micros.or_else(nanos)?,
    })
}

/// Returns the directories of the control groups that may limit the CPU time of this process, from `/proc/self/cgroup` and
/// `/proc/self/mountinfo`. Both versions may be mounted.
fn group_directories(groups: &str, mounts: &str) -> Vec<PathBuf> {
    let mut directories = Vec::new();
    for group in groups.lines() {
        let mut parts = group.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let has_cpu = |list: &str| list.split(',').any(|name| name == "cpu");
        let (version, fits): (_, fn(&str) -> bool) = match controllers {
            "" => ("cgroup2", |_| true),
            _ if has_cpu(controllers) => ("cgroup", |options| options.split(',').any(|name| name == "cpu")),
            _ => continue,
        };
        let mount = mounts.lines().find_map(|line| {
            let (place, source) = line.split_once(" - ")?;
            let mut source = source.split(' ');
            let (kind, options) = (source.next()?, source.nth(1)?);
            let mut place = place.split(' ').skip(3);
            let (root, point) = (place.next()?, place.next()?);
            (kind == version && fits(options)).then_some((root, point))
        });
        let Some((root, point)) = mount else { continue };
        // In a container, its own group may be mounted as the root, or the whole tree may be.
        let below = Path::new(path).strip_prefix(root).unwrap_or(Path::new(""));
        let point = Path::new(point);
        let all = below.ancestors().map(|part| if part == Path::new("") { point.to_owned() } else { point.join(part) });
        directories.extend(all);
    }
    directories
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_machines_cpu_times() {
        let stat = "cpu  34258 5 14382 33383 418 1 240 27 9 0\ncpu0 16294 0 6851 17911 183 0 101 13 0 0\nintr 1 2\n";
        let times = CpuTimes {
            busy: Duration::from_millis(10 * (34_258 + 5 + 14_382 + 1 + 240)),
            stolen: Duration::from_millis(270),
            total: Duration::from_millis(10 * (34_258 + 5 + 14_382 + 33_383 + 418 + 1 + 240 + 27)),
        };
        assert_eq!(parse_stat(stat), Some(times));
        for broken in ["", "cpu", "cpu  1 2 3", "cpu0 1 2 3 4 5 6 7 8"] {
            assert_eq!(parse_stat(broken), None, "{broken}");
        }
    }

    #[test]
    fn reads_how_long_a_thread_waited() {
        assert_eq!(parse_schedstat("123456 1693689 17\n"), Some(Duration::from_nanos(1_693_689)));
        assert_eq!(parse_schedstat(""), None);
    }

    #[test]
    fn reads_the_quota_of_both_versions() {
        let quota = QuotaTimes { periods: 21, throttled_periods: 20, throttled: Duration::from_micros(911_370) };
        let second = "usage_usec 1\nuser_usec 1\nnr_periods 21\nnr_throttled 20\nthrottled_usec 911370\nnr_bursts 0\n";
        let first = "nr_periods 21\nnr_throttled 20\nthrottled_time 911370000\n";
        assert_eq!([second, first].map(parse_cpu_stat), [Some(quota); 2]);
        assert_eq!(parse_cpu_stat("usage_usec 1\nuser_usec 1\nsystem_usec 0\n"), None, "no quota");
    }

    #[test]
    fn finds_the_control_groups_of_both_versions_and_those_above() {
        let mounts = "\
24 1 0:22 / /proc rw,nosuid shared:5 - proc proc rw
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
33 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate
";
        let groups = "5:cpuset:/other\n4:cpu,cpuacct:/a/b\n1:name=systemd:/\n0::/user.slice\n";
        let found = group_directories(groups, mounts);
        let expected = ["cpu,cpuacct/a/b", "cpu,cpuacct/a", "cpu,cpuacct", "unified/user.slice", "unified"];
        assert_eq!(found, expected.map(|path| Path::new("/sys/fs/cgroup").join(path)));

        // Version 1 in a container, whose own group is mounted as the root.
        let mounts = "32 31 0:29 /docker/4f /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n";
        assert_eq!(group_directories("4:cpu:/docker/4f\n", mounts), [Path::new("/sys/fs/cgroup/cpu")]);
        // Version 2 in a container with its own namespace.
        let mounts = "32 31 0:29 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
        assert_eq!(group_directories("0::/\n", mounts), [Path::new("/sys/fs/cgroup")]);
        assert_eq!(group_directories("0::/../other\nx\n", "\nx - y\n"), Vec::<PathBuf>::new());
    }
}
