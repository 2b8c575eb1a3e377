//! Fixtures that play devices, and the cases about the report as a whole.
//!
//! Owns the builder of a device's folder. Each sibling covers one collector.

mod disk;
mod firmware;
mod network;
mod processes;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;

/// More than any collector needs on a crowded machine: these tests are about values.
const PATIENCE: Duration = Duration::from_secs(120);

/// A folder that plays a device.
pub(super) struct Device {
    dir: tempfile::TempDir,
}

impl Device {
    /// A machine with a kernel, a first process and nothing else.
    pub(super) fn new() -> Self {
        let device = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        device
            .file("proc/sys/kernel/osrelease", "6.12.0-1-amd64\n")
            .file("proc/1/comm", "systemd\n")
            .file("proc/1/cgroup", "0::/init.scope\n")
            .file("proc/swaps", "Filename Type Size Used Priority\n")
            .file("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
        device
    }

    pub(super) fn path(&self, inner: &str) -> PathBuf {
        self.dir.path().join(inner)
    }

    pub(super) fn file(&self, inner: &str, text: impl AsRef<[u8]>) -> &Self {
        let path = self.path(inner);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    pub(super) fn folder(&self, inner: &str) -> &Self {
        fs::create_dir_all(self.path(inner)).unwrap();
        self
    }

    pub(super) fn link(&self, inner: &str, target: impl AsRef<Path>) -> &Self {
        let path = self.path(inner);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
        self
    }

    pub(super) fn sysroot(&self) -> Sysroot {
        Sysroot::new(self.dir.path())
    }

    pub(super) fn report(&self) -> PostureReport {
        PostureCollector::new(self.dir.path(), PostureScope::standard().unwrap())
            .collect_within(1000, PATIENCE)
    }
}

#[test]
fn a_report_has_every_field_and_marks_a_fixture_in_each() {
    let device = Device::new();
    let posture = device.report().posture(1500);
    let names: Vec<&str> = posture.0.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            DISK_ENCRYPTION,
            ENDPOINT_PROTECTION,
            KERNEL,
            NETWORK,
            OS,
            SECURE_BOOT,
            VIRTUALISATION
        ]
    );
    for (name, value) in &posture.0 {
        assert!(value.source.starts_with("fixture:"), "{name}: {value:?}");
        assert_eq!(value.age_ms, 500, "{name}");
    }
    assert_eq!(posture.known(OS), Some("debian 12"));
    assert_eq!(posture.known(KERNEL), Some("6.12.0-1-amd64"));
    assert_eq!(posture.known(VIRTUALISATION), Some("none"));
    assert_eq!(posture.known(SECURE_BOOT), Some("not-applicable"));
    assert_eq!(posture.0[DISK_ENCRYPTION].source, "fixture:no-mount-table");
}

#[test]
fn the_device_itself_is_not_marked() {
    let scope = PostureScope::standard().unwrap();
    let report = PostureCollector::new(Path::new("/proc/.."), scope).collect_within(0, PATIENCE);
    assert!(!report.fixture, "a detour to the root is the root");
    let posture = report.posture(0);
    assert!(
        posture
            .0
            .values()
            .all(|value| !value.source.starts_with("fixture:")),
        "{posture:?}"
    );
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert_eq!(posture.known(KERNEL), Some(release.trim_end()));
}

#[test]
fn a_missing_os_release_is_unknown_with_the_reason_as_its_source() {
    let device = Device::new();
    fs::remove_file(device.path("etc/os-release")).unwrap();
    let posture = device.report().posture(1000);
    assert_eq!(posture.known(OS), None);
    assert_eq!(posture.0[OS].source, "fixture:no-os-release");
    assert_eq!(posture.0[OS].evidence, 0);
}

#[test]
fn the_digest_ignores_time_and_changes_name_the_fields() {
    let device = Device::new();
    let first = device.report();
    let mut later = device.report();
    later.collected_ms += 60_000;
    assert_eq!(first.digest(), later.digest());
    assert_eq!(changed(&first, &later), None);
    device.file("proc/sys/kernel/osrelease", "6.12.1-1-amd64\n");
    let updated = device.report();
    let change = changed(&first, &updated).unwrap();
    assert_eq!(change.fields, [KERNEL]);
    assert_eq!(
        (change.before, change.after),
        (first.digest(), updated.digest())
    );
}

#[test]
fn a_link_out_of_the_fixture_is_not_followed() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("device"), b"").unwrap();
    let device = Device::new();
    device.link("sys/dev/block/8:1", outside.path());
    let sysroot = device.sysroot();
    assert_eq!(sysroot.resolve(&device.path("sys/dev/block/8:1")), None);
    assert_eq!(sysroot.at("/../../etc/passwd"), sysroot.at("/etc/passwd"));
}

#[test]
fn containers_wsl_and_virtual_machines_are_named() {
    let value = |device: &Device| device.report().posture(0).0[VIRTUALISATION].value.clone();
    let container = Device::new();
    container.file(".dockerenv", "");
    assert_eq!(value(&container), "container");
    let pod = Device::new();
    pod.file(
        "proc/1/cgroup",
        "0::/kubepods.slice/cri-containerd-0123.scope\n",
    );
    assert_eq!(value(&pod), "container");
    let wsl = Device::new();
    wsl.file(
        "proc/sys/kernel/osrelease",
        "5.15.167.4-microsoft-standard-WSL2\n",
    );
    assert_eq!(value(&wsl), "wsl");
    let dmi = Device::new();
    dmi.file(
        "sys/class/dmi/id/product_name",
        "Standard PC (Q35 + ICH9, 2009)\n",
    );
    assert_eq!(value(&dmi), "vm");
    let cpu = Device::new();
    cpu.file(
        "proc/cpuinfo",
        "processor\t: 0\nflags\t\t: fpu hypervisor sse2\n",
    );
    assert_eq!(value(&cpu), "vm");
}

#[test]
fn a_machine_made_from_a_container_image_is_a_machine() {
    let mark = |namespace: &str, root: &str| {
        let device = Device::new();
        device
            .file(".dockerenv", "")
            .link("proc/self/ns/pid", namespace)
            .file(
                "proc/self/mountinfo",
                format!("21 1 {root} / / rw - ext4 /dev/root rw\n"),
            );
        device.report().posture(0).0[VIRTUALISATION].value.clone()
    };
    assert_eq!(mark("pid:[4026531836]", "254:0"), "none");
    assert_eq!(mark("pid:[4026532999]", "254:0"), "container");
    assert_eq!(mark("pid:[4026531836]", "0:52"), "container");
}
