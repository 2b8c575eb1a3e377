//! The parts of `/proc/PID/stat` and `/proc/PID/status` that are used, and one constant of `/proc`.
//!
//! Owns parsing only; reading the files is the caller's.
//!
//! Source: proc_pid_stat(5), proc_pid_status(5).

/// The link text of the machine's own pid namespace (`PROC_PID_INIT_INO` in the kernel).
pub const MACHINE_PID_NAMESPACE: &str = "pid:[4026531836]";

/// A process as its `stat` line describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// Name the process gave itself, at most 15 bytes.
    pub name: String,
    /// Parent's process id; 0 for the first process of a namespace.
    pub parent: u32,
    /// Session id, which survives the parent's end.
    pub session: u32,
    /// Device number of the controlling terminal, 0 for none.
    pub terminal: i32,
    /// When the process started, in clock ticks since the machine did.
    pub start_time: u64,
}

impl Stat {
    /// Parses the line; `None` when it has another form.
    ///
    /// The name may hold spaces and parentheses, so the fields begin after the last one.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let open = line.find('(')?;
        let close = line.rfind(')')?;
        let name = line.get(open.checked_add(1)?..close)?.to_owned();
        // The third field of the line, the state, is the first of these.
        let fields: Vec<&str> = line
            .get(close.checked_add(1)?..)?
            .split_whitespace()
            .collect();
        let field = |number: usize| fields.get(number.checked_sub(3)?).copied();
        Some(Self {
            name,
            parent: field(4)?.parse().ok()?,
            session: field(6)?.parse().ok()?,
            terminal: field(7)?.parse().ok()?,
            start_time: field(22)?.parse().ok()?,
        })
    }
}

/// A process as its `status` file describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// User who started the process.
    pub uid: u32,
    /// User whose rights it has.
    pub euid: u32,
    /// In how many nested pid namespaces the process has a number, at least 1.
    pub namespace_depth: usize,
    /// Process id of a debugger, 0 for none.
    pub tracer: u32,
}

impl Status {
    /// Parses the file; `None` when a member is missing.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let member = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        };
        let mut uids = member("Uid")?.split_whitespace();
        let (uid, euid) = (uids.next()?.parse().ok()?, uids.next()?.parse().ok()?);
        // Kernels without pid namespaces have no such line.
        let namespace_depth = member("NSpid").map_or(1, |ids| ids.split_whitespace().count());
        let tracer = member("TracerPid")
            .and_then(|id| id.trim().parse().ok())
            .unwrap_or(0);
        Some(Self {
            uid,
            euid,
            namespace_depth,
            tracer,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_shift_the_fields() {
        let line = "42 (a) S 1 (b) R 7 8 9 34816 9 4194304 1 2 3 4 5 6 7 8 20 0 1 0 777 9 9";
        let stat = Stat::parse(line).unwrap();
        assert_eq!(stat.name, "a) S 1 (b");
        assert_eq!((stat.parent, stat.session, stat.terminal), (7, 9, 34816));
        assert_eq!(stat.start_time, 777);
        assert_eq!(Stat::parse("42 (a) S 1"), None);
        assert_eq!(Stat::parse(""), None);
        assert_eq!(Stat::parse(")("), None);
    }

    #[test]
    fn real_and_effective_user_are_told_apart() {
        let text = "Name:\tsudo\nTracerPid:\t7\nUid:\t1000\t0\t0\t0\nNSpid:\t9\t1\n";
        let status = Status::parse(text).unwrap();
        assert_eq!((status.uid, status.euid), (1000, 0));
        assert_eq!((status.namespace_depth, status.tracer), (2, 7));
        assert_eq!(Status::parse("Name:\tx\n"), None);
    }
}
