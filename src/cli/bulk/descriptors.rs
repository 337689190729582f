//! How many connections this process may have open at once.

/// What else needs a descriptor: lookups, files, the terminal.
#[cfg(target_os = "linux")]
const OTHERS: usize = 128;

/// Raises the limit of open files as far as it goes without rights, and tells how many of the connections that are `wanted` fit under
/// it; at least one.
#[cfg(target_os = "linux")]
pub(in crate::cli) fn enough_for(wanted: usize) -> usize {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return wanted };
    let needed = u64::try_from(wanted.saturating_add(OTHERS)).unwrap_or(u64::MAX).min(hard);
    let raised = needed > soft && setrlimit(Resource::RLIMIT_NOFILE, needed, hard).is_ok();
    let there = usize::try_from(if raised { needed } else { soft }).unwrap_or(usize::MAX);
    wanted.min(there.saturating_sub(OTHERS)).max(1)
}

/// Elsewhere the limit is taken as it is.
#[cfg(not(target_os = "linux"))]
pub(in crate::cli) fn enough_for(wanted: usize) -> usize {
    wanted
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn connections_fit_under_the_limit() {
        let (_, hard) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).expect("a limit");
        let most = usize::try_from(hard).unwrap_or(usize::MAX).saturating_sub(OTHERS).max(1);
        assert_eq!(enough_for(1), 1);
        assert_eq!(enough_for(usize::MAX), most);
    }
}
