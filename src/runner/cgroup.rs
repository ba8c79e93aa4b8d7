//! The control group that this process is in. Where a service manager made one for a single build, everything else in
//! it is the build's, whatever it did to its environment, its group and its parents.

use std::fs;
use std::io;

/// The hierarchy in which systemd keeps track of units, where there are several (hybrid and v1).
const NAMED: &str = "name=systemd";

/// A control group, by its path in the hierarchy that tells units apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cgroup(String);

impl Cgroup {
    /// The one that this process is in; none where that is the root, which nobody has to himself.
    ///
    /// # Errors
    /// If `/proc` cannot tell.
    pub(super) fn own() -> io::Result<Option<Self>> {
        Ok(Self::parse(&fs::read_to_string("/proc/self/cgroup")?))
    }

    /// Whether process `pid` is in it, or in one below it.
    pub(super) fn has(&self, pid: i32) -> bool {
        let theirs = fs::read_to_string(format!("/proc/{pid}/cgroup"));
        theirs.ok().and_then(|text| Self::parse(&text)).is_some_and(|theirs| self.holds(&theirs))
    }

    fn holds(&self, other: &Self) -> bool {
        let below = other.0.strip_prefix(&self.0);
        below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
    }

    /// Reads lines of `ID:CONTROLLERS:PATH` (cgroups(7)). Where systemd has a hierarchy of its own, the unified one, of ID
    /// 0, may not be mounted, and then shows everybody in its root.
    fn parse(text: &str) -> Option<Self> {
        let path = |of: &str| {
            text.lines().find_map(|line| {
                let (_, line) = line.split_once(':')?;
                let (controllers, path) = line.split_once(':')?;
                (controllers == of).then_some(path)
            })
        };
        let path = path(NAMED).or_else(|| path(""))?;
        // The kernel appends this to one that was removed under its last process.
        let path = path.strip_suffix(" (deleted)").unwrap_or(path);
        (path != "/").then(|| Self(path.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: &str = "/system.slice/system-basewatch\\x2drunner.slice/basewatch-runner@7-1.service";

    fn cgroup(text: &str) -> Option<String> {
        Cgroup::parse(text).map(|cgroup| cgroup.0)
    }

    #[test]
    fn a_unit_is_found_on_the_unified_and_on_the_hybrid_hierarchy() {
        assert_eq!(cgroup(&format!("0::{UNIT}\n")).as_deref(), Some(UNIT));
        let hybrid = format!("9:name=systemd:{UNIT}\n8:pids:{UNIT}\n4:memory:/other\n0::{UNIT}\n");
        assert_eq!(cgroup(&hybrid).as_deref(), Some(UNIT));
        let unmounted = format!("4:memory:/other\n1:name=systemd:{UNIT}\n0::/\n");
        assert_eq!(cgroup(&unmounted).as_deref(), Some(UNIT));
    }

    #[test]
    fn nobody_has_the_root_to_himself() {
        for text in ["0::/\n", "9:name=systemd:/\n8:pids:/x\n0::/x\n", "", "nonsense\n"] {
            assert_eq!(cgroup(text), None, "{text}");
        }
    }

    #[test]
    fn one_below_is_within_and_one_beside_is_not() {
        let ours = Cgroup(UNIT.to_owned());
        let of = |path: String| Cgroup(path);
        assert!(ours.holds(&ours) && ours.holds(&of(format!("{UNIT}/below"))));
        assert!(!ours.holds(&of(format!("{UNIT}0"))) && !ours.holds(&of("/system.slice".to_owned())));
    }
}
