//! Tests of a row of segments: numbering, rolling over, the cap, retiring, damage.

use std::fs;

use super::*;
use crate::error::Family;

const LIMITS: BookLimits = BookLimits {
    segment_bytes: 128,
    total_bytes_max: 1024,
    reserve_bytes: 64,
};

fn open(dir: &Path, limits: BookLimits) -> SegmentLog {
    let opened = SegmentLog::open(dir, limits).unwrap();
    assert_eq!(opened.torn, None);
    opened.log
}

fn payload(number: u64) -> Vec<u8> {
    format!("record number {number:06}").into_bytes()
}

fn fill(log: &mut SegmentLog, count: u64) {
    for _ in 0..count {
        let number = log.next_record();
        assert_eq!(log.append(&payload(number)).unwrap(), number);
    }
    log.sync().unwrap();
}

fn numbers(log: &SegmentLog, from: u64) -> Vec<u64> {
    log.iter_from(from)
        .unwrap()
        .map(|item| {
            let (number, bytes) = item.unwrap();
            assert_eq!(bytes, payload(number));
            number
        })
        .collect()
}

fn segment_files(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "seg"))
        .collect();
    paths.sort();
    paths
}

fn disk_bytes(dir: &Path) -> u64 {
    segment_files(dir)
        .iter()
        .map(|path| fs::metadata(path).unwrap().len())
        .sum()
}

#[test]
fn numbers_continue_over_files_and_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), LIMITS);
    fill(&mut log, 10);
    assert!(segment_files(dir.path()).len() > 2);
    assert_eq!(numbers(&log, 0), (0..10).collect::<Vec<_>>());
    assert_eq!(log.total_bytes(), disk_bytes(dir.path()));
    drop(log);
    let mut log = open(dir.path(), LIMITS);
    assert_eq!(log.next_record(), 10);
    fill(&mut log, 3);
    assert_eq!(numbers(&log, 7), (7..13).collect::<Vec<_>>());
    assert_eq!(log.total_bytes(), disk_bytes(dir.path()));
}

#[test]
fn records_not_yet_synced_are_not_handed_out() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), LIMITS);
    fill(&mut log, 2);
    log.append(&payload(2)).unwrap();
    assert_eq!(numbers(&log, 0), [0, 1]);
    assert!(matches!(
        log.iter_from(3),
        Err(ReadLogError::Beyond { next: 2, .. })
    ));
    assert!(matches!(
        log.retire_before(3),
        Err(RetireError::Beyond { next: 2, .. })
    ));
    log.sync().unwrap();
    assert_eq!(numbers(&log, 2), [2]);
}

#[test]
fn a_full_book_refuses_keeps_everything_and_lets_the_reserve_speak() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), LIMITS);
    let error = loop {
        let number = log.next_record();
        if let Err(error) = log.append(&payload(number)) {
            break error;
        }
    };
    assert!(matches!(error, AppendLogError::Full { .. }), "{error:?}");
    assert_eq!(error.family(), Family::Retry);
    let count = log.next_record();
    log.append_from_reserve(&payload(count)).unwrap();
    log.sync().unwrap();
    assert!(log.total_bytes() <= LIMITS.total_bytes_max);
    assert_eq!(numbers(&log, 0), (0..=count).collect::<Vec<_>>());
    log.retire_before(count).unwrap();
    fill(&mut log, 1);
}

#[test]
fn room_bytes_is_never_more_than_append_takes() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), LIMITS);
    fill(&mut log, 7);
    let room = usize::try_from(log.room_bytes()).unwrap();
    assert!(room > 0);
    log.append(&vec![b'x'; room]).unwrap();
}

#[test]
fn retiring_removes_whole_files_only_and_gives_bytes_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), LIMITS);
    fill(&mut log, 10);
    let before = log.total_bytes();
    let retired = log.retire_before(5).unwrap();
    assert!(retired.segments > 0);
    assert_eq!(log.total_bytes(), before - retired.bytes);
    assert_eq!(log.total_bytes(), disk_bytes(dir.path()));
    let first = log.first_record();
    assert!(first <= 5);
    assert_eq!(numbers(&log, first), (first..10).collect::<Vec<_>>());
    assert!(matches!(
        log.iter_from(0),
        Err(ReadLogError::Retired { .. })
    ));
    assert_eq!(log.retire_before(5).unwrap(), Retired::default());
}

#[test]
fn retiring_everything_keeps_the_next_number_over_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), LIMITS);
    fill(&mut log, 10);
    log.retire_before(10).unwrap();
    assert_eq!(log.total_bytes(), 8);
    assert_eq!(log.first_record(), 10);
    drop(log);
    let mut log = open(dir.path(), LIMITS);
    assert_eq!(log.next_record(), 10);
    fill(&mut log, 1);
    assert_eq!(numbers(&log, 10), [10]);
}

#[test]
fn an_iterator_outlives_retirement_with_a_clear_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), LIMITS);
    fill(&mut log, 10);
    let mut iter = log.iter_from(0).unwrap();
    assert_eq!(iter.next().unwrap().unwrap().0, 0);
    log.retire_before(10).unwrap();
    let last = iter.by_ref().last();
    assert!(
        matches!(last, Some(Err(ReadLogError::Retired { .. }))),
        "{last:?}"
    );
    assert!(iter.next().is_none());
}

#[test]
fn a_torn_last_file_is_cut_and_reported() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), LIMITS);
    fill(&mut log, 10);
    drop(log);
    let last = segment_files(dir.path()).pop().unwrap();
    let mut bytes = fs::read(&last).unwrap();
    bytes.extend_from_slice(b"\0\0\0\x20half a record");
    fs::write(&last, &bytes).unwrap();
    let opened = SegmentLog::open(dir.path(), LIMITS).unwrap();
    assert_eq!(opened.torn.unwrap().bytes, 17);
    assert_eq!(numbers(&opened.log, 0), (0..10).collect::<Vec<_>>());
}

#[test]
fn damage_before_the_last_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), LIMITS);
    fill(&mut log, 10);
    drop(log);
    let first = segment_files(dir.path()).remove(0);
    let whole = fs::read(&first).unwrap();
    fs::write(&first, &whole[..whole.len() - 1]).unwrap();
    let error = SegmentLog::open(dir.path(), LIMITS).unwrap_err();
    assert_eq!(error.family(), Family::Refused);
    assert!(
        matches!(
            error,
            OpenLogError::Segment(OpenSegmentError::Corrupt { .. })
        ),
        "{error:?}"
    );
}

#[test]
fn a_missing_file_in_the_middle_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), LIMITS);
    fill(&mut log, 10);
    drop(log);
    fs::remove_file(&segment_files(dir.path())[1]).unwrap();
    let error = SegmentLog::open(dir.path(), LIMITS).unwrap_err();
    assert!(matches!(error, OpenLogError::Hole { .. }), "{error:?}");
}

#[test]
fn a_record_damaged_while_open_is_reported_not_returned() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), LIMITS);
    fill(&mut log, 3);
    let path = segment_files(dir.path()).remove(0);
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let items: Vec<_> = log.iter_from(0).unwrap().collect();
    assert!(
        matches!(items.last(), Some(Err(ReadLogError::Segment(_)))),
        "{items:?}"
    );
}

#[test]
fn a_second_owner_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let _log = open(dir.path(), LIMITS);
    let error = SegmentLog::open(dir.path(), LIMITS).unwrap_err();
    assert!(matches!(error, OpenLogError::Lock(_)));
}

#[test]
fn strange_names_and_limits_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for limits in [
        BookLimits {
            segment_bytes: 1,
            ..LIMITS
        },
        BookLimits {
            segment_bytes: SEGMENT_BYTES_MAX + 1,
            ..LIMITS
        },
        BookLimits {
            reserve_bytes: LIMITS.total_bytes_max,
            ..LIMITS
        },
    ] {
        let error = SegmentLog::open(dir.path(), limits).unwrap_err();
        assert!(matches!(error, OpenLogError::BadLimits { .. }));
    }
    fs::write(dir.path().join("+0000000000000000001.seg"), b"").unwrap();
    let error = SegmentLog::open(dir.path(), LIMITS).unwrap_err();
    assert!(
        matches!(error, OpenLogError::UnexpectedFile { .. }),
        "{error:?}"
    );
}

#[test]
fn what_stands_in_the_way_of_the_next_file_poisons() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), LIMITS);
    fill(&mut log, 1);
    for first in 2..10 {
        fs::write(segment_path(dir.path(), first), b"theirs").unwrap();
    }
    let error = loop {
        let number = log.next_record();
        if let Err(error) = log.append(&payload(number)) {
            break error;
        }
    };
    assert!(
        matches!(error, AppendLogError::InTheWay { .. }),
        "{error:?}"
    );
    assert!(matches!(
        log.append(b"x"),
        Err(AppendLogError::Poisoned { .. })
    ));
    assert!(matches!(
        log.retire_before(0),
        Err(RetireError::Poisoned { .. })
    ));
    assert_eq!(log.sync().unwrap_err().family(), Family::Fatal);
}
