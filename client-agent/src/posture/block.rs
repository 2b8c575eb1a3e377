//! The stack of block devices below a file system, and whether every path down it is encrypted.
//!
//! Owns the walk through sysfs and the list of device-mapper types that encrypt. Needs no root. It
//! cannot see encryption that a drive, a hypervisor or a cloud does below the lowest device, nor
//! encryption of single folders by the file system (fscrypt).
//!
//! Source: libcryptsetup (`CRYPT-TYPE-UUID-NAME` as the device's uuid), sysfs block layout.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::mounts::{Mount, Mounts};
use super::sysroot::{Sysroot, entries, text_at};

/// The deepest stack followed; real ones have at most six layers, a loop of devices has no end.
const DEPTH_MAX: u8 = 16;

/// Types of device-mapper device that encrypt. The more specific prefix stands first.
///
/// A bare `CRYPT-` is not enough: `CRYPT-VERITY-` is a signature check over plain data.
const ENCRYPTING: [(&str, &str); 8] = [
    ("CRYPT-LUKS2-OPAL-", "luks2-opal"),
    ("CRYPT-LUKS2-", "luks2"),
    ("CRYPT-LUKS1-", "luks1"),
    ("CRYPT-PLAIN-", "dm-crypt-plain"),
    ("CRYPT-TCRYPT-", "tcrypt"),
    ("CRYPT-BITLK-", "bitlocker"),
    ("CRYPT-FVAULT2-", "filevault2"),
    ("CRYPT-LOOPAES-", "loop-aes"),
];

/// Types that libcryptsetup sets up without encrypting; what lies below them counts.
const NOT_ENCRYPTING: [&str; 3] = ["CRYPT-VERITY-", "CRYPT-INTEGRITY-", "CRYPT-SUBDEV-"];

/// How the data of a file system reaches the lowest devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cover {
    /// Through an encrypting layer on every path, of this kind.
    Encrypted(&'static str),
    /// Through none.
    Plain,
    /// Through one on some paths only.
    Mixed,
    /// Cannot be told, for this reason.
    Unknown(&'static str),
}

impl Cover {
    /// Combines the covers of all parts: encrypted only if every part is.
    ///
    /// A plain part beside an unknown one stays unknown: whether that is `off` or `partial`
    /// depends on the part that could not be seen.
    pub(super) fn all_of(parts: impl IntoIterator<Item = Cover>) -> Option<Cover> {
        parts.into_iter().reduce(|a, b| match (a, b) {
            (Cover::Unknown(reason), _) | (_, Cover::Unknown(reason)) => Cover::Unknown(reason),
            (Cover::Encrypted(a), Cover::Encrypted(b)) => {
                Cover::Encrypted(if a == b { a } else { "several" })
            }
            (Cover::Plain, Cover::Plain) => Cover::Plain,
            _ => Cover::Mixed,
        })
    }
}

/// The block devices of a machine, with the mount table for files that act as devices.
#[derive(Debug)]
pub(super) struct Devices<'a> {
    pub sysroot: &'a Sysroot,
    pub mounts: &'a Mounts,
}

impl Devices<'_> {
    /// Judges the file system that holds an absolute path.
    pub(super) fn cover_of_path(&self, path: &Path) -> Cover {
        self.path_at_depth(path, 0)
    }

    /// Judges a device by its path under `/dev`.
    pub(super) fn cover_of_device(&self, device: &Path) -> Cover {
        match self.dir_of_device(device) {
            Some(dir) => self.walk(&dir, 0),
            None => Cover::Unknown("device-not-in-sysfs"),
        }
    }

    fn path_at_depth(&self, path: &Path, depth: u8) -> Cover {
        match self.mounts.holding(path) {
            Some(mount) => self.cover_of_mount(mount, depth),
            None => Cover::Unknown("not-mounted"),
        }
    }

    fn cover_of_mount(&self, mount: &Mount, depth: u8) -> Cover {
        match mount.kind.as_str() {
            "ecryptfs" => return Cover::Encrypted("ecryptfs"),
            "fuse.gocryptfs" => return Cover::Encrypted("gocryptfs"),
            "fuse.encfs" => return Cover::Encrypted("encfs"),
            "zfs" => return Cover::Unknown("zfs"),
            "tmpfs" | "ramfs" | "rootfs" => return Cover::Unknown("memory-file-system"),
            "overlay" => return Cover::Unknown("overlay"),
            "nfs" | "nfs4" | "cifs" | "smb3" | "9p" | "virtiofs" => {
                return Cover::Unknown("network-file-system");
            }
            _ => {}
        }
        let numbered = !mount.device.starts_with("0:");
        let dir = if numbered {
            self.sysroot
                .resolve(&self.sysroot.at("/sys/dev/block").join(&mount.device))
        } else {
            self.dir_of_device(Path::new(&mount.source))
        };
        let Some(dir) = dir else {
            return Cover::Unknown("device-not-in-sysfs");
        };
        if mount.kind == "btrfs" {
            self.walk_btrfs(&dir, depth)
        } else {
            self.walk(&dir, depth)
        }
    }

    /// Returns the sysfs folder of a device path, by its number or by its name.
    fn dir_of_device(&self, device: &Path) -> Option<PathBuf> {
        if !device.starts_with("/dev") {
            return None;
        }
        let node = self.sysroot.resolve(&self.sysroot.at(device))?;
        let stat = fs::metadata(&node).ok()?;
        let dir = if stat.file_type().is_block_device() {
            let (major, minor) = (
                rustix::fs::major(stat.rdev()),
                rustix::fs::minor(stat.rdev()),
            );
            self.sysroot
                .at("/sys/dev/block")
                .join(format!("{major}:{minor}"))
        } else {
            // A fixture cannot hold device nodes; there the name leads to the device.
            self.sysroot.at("/sys/class/block").join(node.file_name()?)
        };
        self.sysroot.resolve(&dir)
    }

    /// Judges all devices of a btrfs file system, of which the mount table names only one.
    fn walk_btrfs(&self, dir: &Path, depth: u8) -> Cover {
        for file_system in entries(&self.sysroot.at("/sys/fs/btrfs")) {
            let members: Vec<Option<PathBuf>> = entries(&file_system.join("devices"))
                .iter()
                .map(|member| self.sysroot.resolve(member))
                .collect();
            if members.iter().flatten().any(|member| member == dir) {
                let covers = members.iter().map(|member| match member {
                    Some(member) => self.walk(member, depth),
                    None => Cover::Unknown("device-not-in-sysfs"),
                });
                return Cover::all_of(covers).unwrap_or(Cover::Unknown("btrfs-without-devices"));
            }
        }
        Cover::Unknown("btrfs-not-in-sysfs")
    }

    /// Judges the device whose resolved sysfs folder is `dir`.
    fn walk(&self, dir: &Path, depth: u8) -> Cover {
        if depth > DEPTH_MAX {
            return Cover::Unknown("too-deep");
        }
        let below = depth.saturating_add(1);
        let mapped = fs::symlink_metadata(dir.join("dm")).is_ok();
        let uuid = text_at(&dir.join("dm/uuid")).unwrap_or_default();
        if let Some((_, method)) = ENCRYPTING
            .iter()
            .find(|(prefix, _)| uuid.starts_with(prefix))
        {
            return Cover::Encrypted(method);
        }
        let known = NOT_ENCRYPTING.iter().any(|prefix| uuid.starts_with(prefix));
        if uuid.starts_with("CRYPT-") && !known {
            return Cover::Unknown("unknown-dm-crypt-type");
        }
        if let Some(file) = text_at(&dir.join("loop/backing_file")).filter(|f| !f.is_empty()) {
            return self.path_at_depth(Path::new(&file), below);
        }
        if fs::symlink_metadata(dir.join("partition")).is_ok() {
            return match dir.parent() {
                Some(disk) => self.walk(disk, below),
                None => Cover::Unknown("partition-without-disk"),
            };
        }
        let slaves = entries(&dir.join("slaves"));
        let covers = slaves
            .iter()
            .map(|slave| match self.sysroot.resolve(slave) {
                Some(slave) => self.walk(&slave, below),
                None => Cover::Unknown("device-not-in-sysfs"),
            });
        match (Cover::all_of(covers), mapped && uuid.is_empty()) {
            (Some(Cover::Encrypted(method)), _) => Cover::Encrypted(method),
            // A device set up by hand carries no type: it may or may not encrypt.
            (_, true) => Cover::Unknown("dm-without-uuid"),
            (Some(cover), false) => cover,
            (None, false) if mapped => Cover::Unknown("dm-without-slaves"),
            (None, false) => Cover::Plain,
        }
    }
}
