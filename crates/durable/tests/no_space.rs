//! A full device: nothing is lost, nothing is half written, and freeing space is enough to go on.
//!
//! Owns the test on a real, tiny tmpfs. Mounting one needs root; without it the test says that it
//! was skipped.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use cairn_durable::book::AppendLogError;
use cairn_durable::file::WriteFileError;
use cairn_durable::segment::AppendError;
use cairn_durable::{BookLimits, Family, SegmentLog, SegmentWriter, write_atomic};

const LIMITS: BookLimits = BookLimits {
    segment_bytes: 32 * 1024,
    total_bytes_max: 16 * 1024 * 1024,
    reserve_bytes: 0,
};

/// A mounted tmpfs of 256 KiB, unmounted when dropped.
struct TinyDevice {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

impl TinyDevice {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_owned();
        let mounted = rustix::process::geteuid().is_root()
            && Command::new("mount")
                .args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"])
                .arg(&path)
                .status()
                .is_ok_and(|status| status.success());
        if !mounted {
            let _ = writeln!(std::io::stdout(), "skipped: needs root for a tmpfs");
            return None;
        }
        Some(Self { _dir: dir, path })
    }
}

impl Drop for TinyDevice {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.path).status();
    }
}

fn payload(number: u64) -> Vec<u8> {
    format!("{number:08}").repeat(125).into_bytes()
}

fn check(log: &SegmentLog) {
    let mut expected = 0;
    for item in log.iter_from(0).unwrap() {
        let (number, bytes) = item.unwrap();
        assert_eq!((number, bytes), (expected, payload(expected)));
        expected += 1;
    }
    assert_eq!(expected, log.durable_next());
}

fn fill_device(log: &mut SegmentLog) -> AppendLogError {
    loop {
        if let Err(error) = log.append(&payload(log.next_record())) {
            return error;
        }
        log.sync().unwrap();
    }
}

#[test]
fn a_full_device_is_no_space_and_freeing_some_is_enough() {
    let Some(device) = TinyDevice::mount() else {
        return;
    };
    let ballast = device.path.join("ballast");
    fs::write(&ballast, vec![0; 96 * 1024]).unwrap();
    let folder = device.path.join("spool");
    let mut log = SegmentLog::open(&folder, LIMITS).unwrap().log;
    let error = fill_device(&mut log);
    assert!(matches!(error, AppendLogError::NoSpace { .. }), "{error:?}");
    assert_eq!(error.family(), Family::Retry);
    let held = log.next_record();
    assert!(held > 50, "{held}");
    check(&log);
    fs::remove_file(&ballast).unwrap();
    let error = fill_device(&mut log);
    assert!(matches!(error, AppendLogError::NoSpace { .. }), "{error:?}");
    assert!(log.next_record() > held + 50);
    check(&log);
    let next = log.next_record();
    drop(log);
    let opened = SegmentLog::open(&folder, LIMITS).unwrap();
    assert_eq!(opened.torn, None, "a refused append leaves nothing behind");
    let mut log = opened.log;
    assert_eq!(log.next_record(), next);
    check(&log);
    log.retire_before(next - 1).unwrap();
    log.append(&payload(next)).unwrap();
    log.sync().unwrap();
}

#[test]
fn one_segment_takes_a_partial_write_back() {
    let Some(device) = TinyDevice::mount() else {
        return;
    };
    let path = device.path.join("one.seg");
    let mut writer = SegmentWriter::create(&path).unwrap();
    writer.append(b"small").unwrap();
    writer.sync().unwrap();
    let length = fs::metadata(&path).unwrap().len();
    let error = writer.append(&vec![b'x'; 1024 * 1024]).unwrap_err();
    assert!(matches!(error, AppendError::NoSpace { .. }), "{error:?}");
    assert_eq!(fs::metadata(&path).unwrap().len(), length);
    writer.append(b"small again").unwrap();
    writer.sync().unwrap();
    let opened = SegmentWriter::open_append(&path).unwrap();
    assert_eq!((opened.offsets.len(), opened.torn), (2, None));
}

#[test]
fn replacing_a_file_on_a_full_device_keeps_the_old_one() {
    let Some(device) = TinyDevice::mount() else {
        return;
    };
    let path: &Path = &device.path.join("state");
    write_atomic(path, b"old", 0o600).unwrap();
    let error = write_atomic(path, &vec![b'x'; 1024 * 1024], 0o600).unwrap_err();
    assert!(matches!(error, WriteFileError::NoSpace { .. }), "{error:?}");
    assert_eq!(fs::read(path).unwrap(), b"old");
    assert_eq!(fs::read_dir(&device.path).unwrap().count(), 1);
    write_atomic(path, b"new", 0o600).unwrap();
}
