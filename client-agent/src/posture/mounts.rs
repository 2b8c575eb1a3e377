//! The mount table: which file system holds a path, and what it is made on.
//!
//! Owns the parsing of mountinfo and of the swap list. Does not own what lies below a device.
//!
//! Source: proc_pid_mountinfo(5), proc_swaps(5).

use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::sysroot::Sysroot;

/// One mounted file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    /// Device number as `MAJOR:MINOR`; the major is 0 for file systems that span devices.
    pub device: String,
    /// Where it is mounted.
    pub point: PathBuf,
    /// Type of file system.
    pub kind: String,
    /// What it was mounted from, a device path for most.
    pub source: String,
}

/// The mount table in the order in which the mounts were made.
#[derive(Debug, Default)]
pub(super) struct Mounts(Vec<Mount>);

impl Mounts {
    /// Reads the table of the first process, or our own where that one is not readable.
    ///
    /// A service manager can hide `/home` from a daemon behind an empty file system; the first
    /// process sees what people see.
    pub(super) fn read(sysroot: &Sysroot) -> Option<Self> {
        let first = sysroot
            .table("/proc/1/mountinfo")
            .filter(|text| !text.is_empty());
        let text = first.or_else(|| sysroot.table("/proc/self/mountinfo"))?;
        Some(Self::parse(&text)).filter(|mounts| !mounts.0.is_empty())
    }

    fn parse(text: &str) -> Self {
        Self(text.lines().filter_map(parse_mount).collect())
    }

    /// Returns the mount that holds an absolute path: the longest mount point above it, and among
    /// equals the one mounted last, which hides the others.
    pub(super) fn holding(&self, path: &Path) -> Option<&Mount> {
        let above = self.0.iter().filter(|mount| path.starts_with(&mount.point));
        above.max_by_key(|mount| mount.point.components().count())
    }
}

/// One swap area.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Swap {
    /// The device or file.
    pub path: PathBuf,
    /// Whether it is a file on a mounted file system.
    pub is_file: bool,
}

/// Reads the swap areas in use; `None` when the list cannot be read.
pub(super) fn swaps(sysroot: &Sysroot) -> Option<Vec<Swap>> {
    let text = sysroot.table("/proc/swaps")?;
    let areas = text.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_whitespace();
        let path = unescape(fields.next()?);
        Some(Swap {
            path,
            is_file: fields.next()? == "file",
        })
    });
    Some(areas.collect())
}

fn parse_mount(line: &str) -> Option<Mount> {
    let (left, right) = line.split_once(" - ")?;
    let mut left = left.split(' ').skip(2);
    let (device, point) = (left.next()?, left.nth(1)?);
    let mut right = right.split(' ');
    let (kind, source) = (right.next()?, right.next()?);
    Some(Mount {
        device: device.to_owned(),
        point: unescape(point),
        kind: kind.to_owned(),
        source: unescape(source).to_string_lossy().into_owned(),
    })
}

/// Undoes the kernel's escapes: space, tab, line feed and backslash as three octal digits.
fn unescape(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let octal = after.first_chunk::<3>().and_then(|digits| {
            let text = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(text, 8).ok()
        });
        match (first, octal) {
            (b'\\', Some(byte)) => {
                bytes.push(byte);
                rest = after.get(3..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
21 1 253:1 / / rw,relatime shared:1 - ext4 /dev/mapper/vg-root rw
22 21 0:30 /home /home rw shared:2 - btrfs /dev/mapper/home rw
23 21 8:1 / /mnt/a\\040b rw - ext4 /dev/sda1 rw
24 21 8:2 / /home rw - ext4 /dev/sda2 rw";

    #[test]
    fn the_longest_and_then_the_last_mount_holds_a_path() {
        let mounts = Mounts::parse(TABLE);
        let device = |path: &str| mounts.holding(Path::new(path)).unwrap().device.clone();
        assert_eq!(device("/"), "253:1");
        assert_eq!(device("/homer"), "253:1");
        assert_eq!(device("/home/a/b"), "8:2");
        assert_eq!(device("/mnt/a b/c"), "8:1");
    }

    #[test]
    fn a_line_that_is_not_a_mount_is_skipped() {
        assert!(Mounts::parse("nonsense\n1 2 3 -").0.is_empty());
        assert_eq!(unescape("a\\"), PathBuf::from("a\\"));
        assert_eq!(unescape("a\\134x"), PathBuf::from("a\\x"));
    }
}
