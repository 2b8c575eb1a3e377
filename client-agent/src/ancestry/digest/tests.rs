//! Tests of the digest cache with real files.

use std::fs;
use std::io::Write;

use super::*;

/// A moment at which every file written so far has settled.
fn later() -> SystemTime {
    SystemTime::now() + Duration::from_secs(10)
}

#[test]
fn a_forged_modification_time_misses_the_cache() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tool");
    fs::write(&path, b"honest bytes").unwrap();
    let cache = DigestCache::new();
    let file = File::open(&path).unwrap();
    let modified = file.metadata().unwrap().modified().unwrap();
    let inode = file.metadata().unwrap().ino();
    let first = cache.digest(&file, later(), None).unwrap();
    assert_eq!(first.sha256, Sha256::of(b"honest bytes"));
    assert!(cache.digest(&file, later(), None).unwrap().remembered);

    let mut writer = fs::OpenOptions::new().write(true).open(&path).unwrap();
    writer.write_all(b"forged bytes").unwrap();
    writer.set_modified(modified).unwrap();
    drop(writer);
    let file = File::open(&path).unwrap();
    let stat = file.metadata().unwrap();
    assert_eq!((stat.ino(), stat.modified().unwrap()), (inode, modified));
    let second = cache.digest(&file, later(), None).unwrap();
    assert!(!second.remembered);
    assert_eq!(second.sha256, Sha256::of(b"forged bytes"));
}

#[test]
fn a_file_changed_just_now_is_not_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tool");
    fs::write(&path, b"fresh").unwrap();
    let file = File::open(&path).unwrap();
    let changed = file.metadata().unwrap();
    let changed = UNIX_EPOCH + Duration::new(changed.ctime() as u64, changed.ctime_nsec() as u32);
    let cache = DigestCache::new();
    for now in [
        changed,
        changed + SETTLED - Duration::from_nanos(1),
        UNIX_EPOCH,
    ] {
        cache.digest(&file, now, None).unwrap();
        assert!(cache.is_empty());
    }
    cache.digest(&file, changed + SETTLED, None).unwrap();
    assert_eq!(cache.len(), 1);
}

#[test]
fn a_passed_deadline_is_pending_and_a_remembered_digest_needs_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tool");
    fs::write(&path, vec![7; 3 * CHUNK_BYTES + 1]).unwrap();
    let file = File::open(&path).unwrap();
    let cache = DigestCache::new();
    let passed = Some(Instant::now());
    assert!(matches!(
        cache.digest(&file, later(), passed),
        Err(DigestError::Pending)
    ));
    let full = cache.digest(&file, later(), None).unwrap();
    assert_eq!(full.sha256, Sha256::of(&vec![7; 3 * CHUNK_BYTES + 1]));
    assert_eq!(
        cache.digest(&file, later(), passed).unwrap().sha256,
        full.sha256
    );
}

#[test]
fn what_is_not_a_file_or_too_large_has_no_digest() {
    let dir = tempfile::tempdir().unwrap();
    let cache = DigestCache::new();
    let folder = File::open(dir.path()).unwrap();
    assert!(matches!(
        cache.digest(&folder, later(), None),
        Err(DigestError::NotAFile)
    ));
    let huge = File::create(dir.path().join("huge")).unwrap();
    huge.set_len(FILE_BYTES_MAX + 1).unwrap();
    assert!(matches!(
        cache.digest(&huge, later(), None),
        Err(DigestError::TooLarge { .. })
    ));
}

#[test]
fn the_oldest_digest_goes_when_the_cache_is_full() {
    let cache = DigestCache::new();
    let key = |ino| Key {
        dev: 1,
        ino,
        size: 1,
        ctime: 1,
        ctime_nsec: 0,
    };
    for ino in 0..=DIGESTS_MAX as u64 {
        cache.remember(key(ino), Sha256::of(&ino.to_be_bytes()));
    }
    assert_eq!(cache.len(), DIGESTS_MAX);
    assert_eq!(cache.remembered(&key(0)), None);
    assert!(cache.remembered(&key(1)).is_some());
}
