//! Disk encryption on devices of many shapes.

use std::path::Path;

use super::{Device, PATIENCE};
use crate::posture::{DISK_ENCRYPTION, Finding, PostureCollector, PostureScope, State, encryption};

const LUKS2: &str = "CRYPT-LUKS2-0123456789abcdef0123456789abcdef-cryptroot\n";

/// A device-mapper or physical device with its place in sysfs.
fn block(device: &Device, number: &str, name: &str, dm_uuid: Option<&str>, slaves: &[&str]) {
    let dir = format!("sys/devices/virtual/block/{name}");
    device.folder(&dir).link(
        &format!("sys/dev/block/{number}"),
        format!("../../devices/virtual/block/{name}"),
    );
    device.link(
        &format!("sys/class/block/{name}"),
        format!("../../devices/virtual/block/{name}"),
    );
    device.file(&format!("dev/{name}"), "");
    if let Some(uuid) = dm_uuid {
        device.file(&format!("{dir}/dm/uuid"), uuid);
    }
    for slave in slaves {
        device.link(&format!("{dir}/slaves/{slave}"), format!("../../{slave}"));
    }
}

/// A disk `sda` with the plain partitions `sda1` and `sda2`, as every test has below its stack.
fn disk(device: &Device) {
    block(device, "8:0", "sda", None, &[]);
    for number in [1, 2] {
        let dir = format!("sys/devices/virtual/block/sda/sda{number}");
        device.file(&format!("{dir}/partition"), format!("{number}\n"));
        let target = format!("../../devices/virtual/block/sda/sda{number}");
        device.link(&format!("sys/dev/block/8:{number}"), target);
        device.link(
            &format!("sys/devices/virtual/block/sda{number}"),
            format!("sda/sda{number}"),
        );
    }
}

fn mount(device: &Device, lines: &[&str]) {
    let table: Vec<String> = lines
        .iter()
        .enumerate()
        .map(|(id, line)| format!("{} 1 {line}", id + 20))
        .collect();
    device.file("proc/self/mountinfo", table.join("\n"));
}

fn judge(device: &Device) -> Finding {
    let paths = PostureScope::standard().unwrap().paths;
    encryption::collect(&device.sysroot(), &paths)
}

fn known(device: &Device) -> (State, String) {
    let finding = judge(device);
    assert_eq!(finding.evidence, 2, "{finding:?}");
    (finding.state, finding.source)
}

fn reason(device: &Device) -> String {
    let finding = judge(device);
    assert_eq!(
        (&finding.state, finding.evidence),
        (&State::Unknown, 0),
        "{finding:?}"
    );
    finding.reason
}

#[test]
fn lvm_on_luks2_is_encrypted() {
    let device = Device::new();
    disk(&device);
    block(&device, "253:0", "dm-0", Some(LUKS2), &["sda1"]);
    block(&device, "253:1", "dm-1", Some("LVM-abc\n"), &["dm-0"]);
    mount(&device, &["253:1 / / rw - ext4 /dev/mapper/vg-root rw"]);
    assert_eq!(known(&device), (State::On, "sysfs:luks2".to_owned()));
}

#[test]
fn luks2_with_opal_is_told_apart() {
    let device = Device::new();
    disk(&device);
    block(
        &device,
        "253:0",
        "dm-0",
        Some("CRYPT-LUKS2-OPAL-0123-root\n"),
        &["sda1"],
    );
    mount(&device, &["253:0 / / rw - ext4 /dev/mapper/root rw"]);
    assert_eq!(known(&device), (State::On, "sysfs:luks2-opal".to_owned()));
}

#[test]
fn verity_integrity_and_subdevices_are_not_encryption() {
    for uuid in [
        "CRYPT-VERITY-0123-usr\n",
        "CRYPT-INTEGRITY-x\n",
        "CRYPT-SUBDEV-0123-x\n",
    ] {
        let device = Device::new();
        disk(&device);
        block(&device, "253:0", "dm-0", Some(uuid), &["sda1", "sda2"]);
        mount(&device, &["253:0 / / ro - erofs /dev/mapper/usr ro"]);
        assert_eq!(
            known(&device),
            (State::Off, "sysfs:plain".to_owned()),
            "{uuid}"
        );
    }
}

#[test]
fn integrity_above_luks_is_encrypted_by_what_lies_below() {
    let device = Device::new();
    disk(&device);
    block(&device, "253:0", "dm-0", Some(LUKS2), &["sda1"]);
    block(
        &device,
        "253:1",
        "dm-1",
        Some("CRYPT-VERITY-0123-root\n"),
        &["dm-0"],
    );
    mount(&device, &["253:1 / / ro - ext4 /dev/mapper/root ro"]);
    assert_eq!(known(&device).0, State::On);
}

#[test]
fn a_type_nobody_knows_is_unknown() {
    let device = Device::new();
    disk(&device);
    block(
        &device,
        "253:0",
        "dm-0",
        Some("CRYPT-FUTURE-0123-root\n"),
        &["sda1"],
    );
    mount(&device, &["253:0 / / rw - ext4 /dev/mapper/root rw"]);
    assert_eq!(reason(&device), "unknown-dm-crypt-type");
}

#[test]
fn a_mapped_device_without_a_type_is_unknown_over_plain_and_on_over_encrypted() {
    for (below, expected) in [(Some(LUKS2), State::On), (None, State::Unknown)] {
        let device = Device::new();
        disk(&device);
        block(&device, "253:0", "dm-0", below, &["sda1"]);
        block(&device, "253:1", "dm-1", Some(""), &["dm-0"]);
        mount(&device, &["253:1 / / rw - ext4 /dev/mapper/root rw"]);
        assert_eq!(judge(&device).state, expected);
    }
}

#[test]
fn one_plain_physical_volume_makes_it_partial() {
    let device = Device::new();
    disk(&device);
    block(&device, "253:0", "dm-0", Some(LUKS2), &["sda1"]);
    block(
        &device,
        "253:1",
        "dm-1",
        Some("LVM-abc\n"),
        &["dm-0", "sda2"],
    );
    mount(&device, &["253:1 / / rw - ext4 /dev/mapper/vg-root rw"]);
    assert_eq!(known(&device), (State::Partial, "sysfs:mixed".to_owned()));
}

#[test]
fn a_plain_home_makes_an_encrypted_root_partial() {
    let device = Device::new();
    disk(&device);
    block(&device, "253:0", "dm-0", Some(LUKS2), &["sda1"]);
    mount(
        &device,
        &[
            "253:0 / / rw - ext4 /dev/dm-0 rw",
            "8:2 / /home rw - ext4 /dev/sda2 rw",
        ],
    );
    let finding = judge(&device);
    assert_eq!(finding.state, State::Partial);
    assert_eq!(finding.reason, "/=luks2 /home=plain swap=none");
}

#[test]
fn btrfs_counts_every_member_device() {
    for (second, expected) in [("dm-1", State::On), ("sda2", State::Partial)] {
        let device = Device::new();
        disk(&device);
        block(&device, "253:0", "dm-0", Some(LUKS2), &["sda1"]);
        block(&device, "253:1", "dm-1", Some(LUKS2), &["sda2"]);
        device.link("dev/mapper/root", "../dm-0");
        for member in ["dm-0", second] {
            let target = format!("../../../../devices/virtual/block/{member}");
            device.link(&format!("sys/fs/btrfs/0123-4567/devices/{member}"), target);
        }
        mount(
            &device,
            &["0:30 /@ / rw - btrfs /dev/mapper/root rw,subvol=/@"],
        );
        assert_eq!(judge(&device).state, expected);
    }
}

#[test]
fn btrfs_without_its_member_list_is_unknown() {
    let device = Device::new();
    disk(&device);
    block(&device, "253:0", "dm-0", Some(LUKS2), &["sda1"]);
    mount(&device, &["0:30 /@ / rw - btrfs /dev/dm-0 rw,subvol=/@"]);
    assert_eq!(reason(&device), "btrfs-not-in-sysfs");
}

#[test]
fn a_plain_partition_is_off_and_swap_is_noted() {
    let device = Device::new();
    disk(&device);
    block(
        &device,
        "253:0",
        "dm-0",
        Some("CRYPT-PLAIN-swap\n"),
        &["sda2"],
    );
    mount(&device, &["8:1 / / rw - ext4 /dev/sda1 rw"]);
    device.file(
        "proc/swaps",
        "Filename Type Size Used Priority\n/dev/dm-0 partition 9 0 -2\n",
    );
    let finding = judge(&device);
    assert_eq!(finding.state, State::Off);
    assert_eq!(finding.reason, "/=plain /home=plain swap=dm-crypt-plain");
}

#[test]
fn a_loop_device_counts_as_the_file_system_of_its_file() {
    let device = Device::new();
    disk(&device);
    block(&device, "253:0", "dm-0", Some(LUKS2), &["sda1"]);
    block(&device, "7:0", "loop0", None, &[]);
    device.file(
        "sys/devices/virtual/block/loop0/loop/backing_file",
        "/data/home.img\n",
    );
    let data = "253:0 / /data rw - ext4 /dev/dm-0 rw";
    mount(&device, &["7:0 / / rw - ext4 /dev/loop0 rw", data]);
    assert_eq!(known(&device).0, State::On);
    // A file that lies on the very device it backs has no end.
    device.file(
        "sys/devices/virtual/block/loop0/loop/backing_file",
        "/home.img\n",
    );
    assert_eq!(reason(&device), "too-deep");
}

#[test]
fn what_cannot_be_seen_is_unknown_and_says_why() {
    for (line, expected) in [
        ("0:40 / / rw - zfs rpool/ROOT rw", "zfs"),
        ("0:41 / / rw - overlay overlay rw", "overlay"),
        ("0:42 / / rw - nfs4 server:/root rw", "network-file-system"),
        ("0:43 / / rw - tmpfs tmpfs rw", "memory-file-system"),
        ("9:9 / / rw - ext4 /dev/md9 rw", "device-not-in-sysfs"),
    ] {
        let device = Device::new();
        mount(&device, &[line]);
        assert_eq!(reason(&device), expected);
    }
}

#[test]
fn inside_a_container_or_wsl_the_disk_is_somebody_elses() {
    let device = Device::new();
    disk(&device);
    mount(&device, &["8:1 / / rw - ext4 /dev/sda1 rw"]);
    device.file("run/.containerenv", "");
    assert_eq!(reason(&device), "container");
    let device = Device::new();
    device.file(
        "proc/sys/kernel/osrelease",
        "5.15.167.4-microsoft-standard-WSL2\n",
    );
    assert_eq!(reason(&device), "wsl-host");
}

#[test]
fn a_folder_named_by_the_caller_is_in_scope() {
    let device = Device::new();
    disk(&device);
    block(&device, "253:0", "dm-0", Some(LUKS2), &["sda1"]);
    mount(
        &device,
        &[
            "253:0 / / rw - ext4 /dev/dm-0 rw",
            "8:2 / /srv rw - ext4 /dev/sda2 rw",
        ],
    );
    let mut scope = PostureScope::standard().unwrap();
    scope.paths.push(Path::new("/srv/people/a").to_owned());
    let root = device.path("");
    let report = PostureCollector::new(&root, scope).collect_within(0, PATIENCE);
    assert_eq!(report.fields[DISK_ENCRYPTION].state, State::Partial);
}
