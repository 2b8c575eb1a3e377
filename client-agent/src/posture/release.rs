//! Which operating system and which kernel run.
//!
//! Owns reading the two names. Does not own whether a version is still supported.
//!
//! Source: os-release(5), proc_sys_kernel(5).

use super::field::{Finding, ROOT, SYSTEM, State};
use super::sysroot::Sysroot;

/// The most bytes of a name kept: entries have room for names, not for essays.
const NAME_BYTES_MAX: usize = 128;

/// Reports the distribution as `ID VERSION_ID`, for example `debian 12`.
pub(super) fn os(sysroot: &Sysroot) -> Finding {
    let text = sysroot
        .text("/etc/os-release")
        .or_else(|| sysroot.text("/usr/lib/os-release"));
    let Some(text) = text else {
        return Finding::unknown("os-release", "no-os-release");
    };
    let Some(id) = member(&text, "ID") else {
        return Finding::unknown("os-release", "os-release-without-id");
    };
    // A rolling distribution has no version; its build takes the place where it is given.
    let version = member(&text, "VERSION_ID").or_else(|| member(&text, "BUILD_ID"));
    let name = version.map_or_else(|| id.clone(), |version| format!("{id} {version}"));
    Finding::known(State::Text(clip(name)), ROOT, "os-release", "")
}

/// Reports the running kernel's release.
pub(super) fn kernel(sysroot: &Sysroot) -> Finding {
    match sysroot
        .text("/proc/sys/kernel/osrelease")
        .filter(|text| !text.is_empty())
    {
        Some(text) => Finding::known(State::Text(clip(text)), SYSTEM, "procfs", ""),
        None => Finding::unknown("procfs", "no-osrelease"),
    }
}

/// Returns a member of an os-release file without its quotes; the last one wins, as in a shell.
fn member(text: &str, name: &str) -> Option<String> {
    let value = text.lines().rev().find_map(|line| {
        line.trim_start()
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('='))
    })?;
    let value = value.trim().trim_matches(['"', '\'']);
    (!value.is_empty()).then(|| value.to_owned())
}

/// Cuts at a character boundary and drops control characters.
fn clip(text: String) -> String {
    let mut text: String = text.chars().filter(|c| !c.is_control()).collect();
    let mut end = NAME_BYTES_MAX.min(text.len());
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.truncate(end);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_lose_their_quotes_and_the_last_one_wins() {
        let text = "NAME=\"Debian\"\nID=debian\nVERSION_ID=\"12\"\nID='arch'\nBUILD_ID=rolling";
        assert_eq!(member(text, "ID").as_deref(), Some("arch"));
        assert_eq!(member(text, "VERSION_ID").as_deref(), Some("12"));
        assert_eq!(member(text, "VERSION"), None);
        assert_eq!(member("ID=\"\"", "ID"), None);
    }

    #[test]
    fn long_and_strange_names_are_cut() {
        assert_eq!(clip("a\u{7}b".to_owned()), "ab");
        assert_eq!(clip("é".repeat(100)).len(), 128);
        assert_eq!(clip(format!("x{}", "é".repeat(100))).len(), 127);
    }
}
