//! The limit of open files. Each connection needs one, and the default limits are low.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The number of files that the process opens besides the connections of workers.
const OTHER_FILES: u64 = 64;

/// Raises the limit of open files as far as the system allows, and returns it; `None` is no limit.
pub(super) fn raise() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    // Some systems report a hard limit that they do not grant, so lower ones are tried too.
    let wanted = [limit.maximum, Some(1 << 20), Some(65_536), Some(10_240)];
    let better = |wanted: Option<u64>| match (wanted, limit.current) {
        (_, None) => false,
        (None, _) => true,
        (Some(wanted), Some(current)) => wanted > current,
    };
    let granted = wanted
        .into_iter()
        .filter(|wanted| better(*wanted))
        .find(|wanted| setrlimit(Resource::Nofile, Rlimit { current: *wanted, maximum: limit.maximum }).is_ok());
    granted.unwrap_or(limit.current)
}

/// The warning that there are fewer files than connections, if each of `workers` has one.
pub(super) fn shortage(workers: usize, allowed: Option<u64>) -> Option<String> {
    let allowed = allowed?;
    let needed = workers as u64 + OTHER_FILES;
    (needed > allowed).then(|| {
        format!(
            "{workers} workers with a connection each need about {needed} open files, but the system allows this process \
             {allowed}; further connections fail. Raise the hard limit: `ulimit -Hn {needed}` as root in the shell that \
             starts the test, a `nofile` line in /etc/security/limits.conf, `LimitNOFILE=` in a systemd unit, or `docker \
             run --ulimit nofile={needed}:{needed}`"
        )
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn raises_the_soft_limit_to_the_hard_limit() {
        let allowed = raise();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(allowed, limit.current);
        assert_eq!(limit.current, limit.maximum);
    }

    #[test]
    fn warns_only_of_a_shortage() {
        assert_eq!(shortage(1_000_000, None), None);
        assert_eq!(shortage(100, Some(1024)), None);
        assert_eq!(shortage(1024 - OTHER_FILES as usize, Some(1024)), None);
        let told = shortage(1024, Some(1024)).unwrap();
        for part in
            ["1024 workers", "about 1088", "ulimit -Hn 1088", "limits.conf", "LimitNOFILE", "docker run --ulimit"]
        {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
}
