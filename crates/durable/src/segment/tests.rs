//! Tests of one segment: exhaustive damage, poisoning, limits.

use std::fs;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;

struct Fixture {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

fn fixture() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("one.seg");
    Fixture { _dir: dir, path }
}

fn write_records(path: &Path, payloads: &[Vec<u8>]) -> Vec<u8> {
    let mut writer = SegmentWriter::create(path).unwrap();
    for payload in payloads {
        writer.append(payload).unwrap();
    }
    writer.sync().unwrap();
    fs::read(path).unwrap()
}

fn read_records(path: &Path) -> Vec<Vec<u8>> {
    SegmentReader::open(path)
        .unwrap()
        .map(|record| record.unwrap().payload)
        .collect()
}

/// Returns the offset at which each record begins, and the end of the last.
fn boundaries(payloads: &[Vec<u8>]) -> Vec<usize> {
    let mut at = 8;
    let mut all = vec![at];
    for payload in payloads {
        at += 8 + payload.len();
        all.push(at);
    }
    all
}

fn samples() -> Vec<Vec<u8>> {
    vec![
        b"first".to_vec(),
        vec![0; 20],
        b"{\"seq\":3}".to_vec(),
        vec![0xff; 3],
        b"last one".to_vec(),
    ]
}

#[test]
fn the_bytes_are_the_documented_ones() {
    let f = fixture();
    // 0xe3069283 is the published CRC-32C check value of "123456789".
    let bytes = write_records(&f.path, &[b"123456789".to_vec()]);
    let mut expected = b"CAIRNSG1".to_vec();
    expected.extend_from_slice(&[0, 0, 0, 9, 0xe3, 0x06, 0x92, 0x83]);
    expected.extend_from_slice(b"123456789");
    assert_eq!(bytes, expected);
}

#[test]
fn records_come_back_after_reopening_and_appending_goes_on() {
    let f = fixture();
    write_records(&f.path, &samples());
    let mut opened = SegmentWriter::open_append(&f.path).unwrap();
    assert_eq!(opened.torn, None);
    let offset = opened.writer.append(b"more").unwrap();
    assert_eq!(offset as usize, *boundaries(&samples()).last().unwrap());
    opened.writer.sync().unwrap();
    let mut expected = samples();
    expected.push(b"more".to_vec());
    assert_eq!(read_records(&f.path), expected);
}

#[test]
fn truncation_at_every_length_keeps_every_whole_record() {
    let f = fixture();
    let payloads = samples();
    let bytes = write_records(&f.path, &payloads);
    let ends = boundaries(&payloads);
    for length in 0..bytes.len() {
        fs::write(&f.path, &bytes[..length]).unwrap();
        let opened = SegmentWriter::open_append(&f.path);
        if length < 8 {
            assert!(
                matches!(opened, Err(OpenSegmentError::NotASegment { .. })),
                "{length}"
            );
            continue;
        }
        let mut opened = opened.unwrap();
        let whole = ends.iter().filter(|end| **end <= length).count() - 1;
        let torn = length - ends[whole];
        let tail = TornTail {
            offset: ends[whole] as u64,
            bytes: torn as u64,
        };
        assert_eq!(opened.torn, (torn > 0).then_some(tail), "{length}");
        assert_eq!(opened.offsets.len(), whole, "{length}");
        opened.writer.append(b"after the tear").unwrap();
        opened.writer.sync().unwrap();
        let mut expected = payloads[..whole].to_vec();
        expected.push(b"after the tear".to_vec());
        assert_eq!(read_records(&f.path), expected, "{length}");
    }
}

#[test]
fn a_bit_flip_anywhere_loses_at_most_the_last_record_or_is_refused() {
    let f = fixture();
    let payloads = samples();
    let bytes = write_records(&f.path, &payloads);
    let last = boundaries(&payloads)[payloads.len() - 1];
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        fs::write(&f.path, &damaged).unwrap();
        match SegmentWriter::open_append(&f.path) {
            Err(OpenSegmentError::NotASegment { .. }) => assert!(bit / 8 < 8, "bit {bit}"),
            Err(OpenSegmentError::Corrupt {
                offset, next_valid, ..
            }) => {
                assert!(bit / 8 >= 8 && bit / 8 < last, "bit {bit}");
                assert!(offset < next_valid, "bit {bit}");
            }
            Err(error) => panic!("bit {bit}: {error}"),
            Ok(opened) => {
                assert!(bit / 8 >= last, "bit {bit}");
                assert!(opened.torn.is_some(), "bit {bit}");
                assert_eq!(
                    read_records(&f.path),
                    payloads[..payloads.len() - 1],
                    "bit {bit}"
                );
                continue;
            }
        }
        assert_eq!(
            fs::read(&f.path).unwrap(),
            damaged,
            "a refused file is untouched, bit {bit}"
        );
    }
}

#[test]
fn zeros_after_the_last_record_are_a_torn_tail_not_records() {
    let f = fixture();
    let mut bytes = write_records(&f.path, &samples());
    let length = bytes.len() as u64;
    bytes.extend_from_slice(&[0; 4096]);
    fs::write(&f.path, &bytes).unwrap();
    let opened = SegmentWriter::open_append(&f.path).unwrap();
    assert_eq!(
        opened.torn,
        Some(TornTail {
            offset: length,
            bytes: 4096
        })
    );
    assert_eq!(read_records(&f.path), samples());
}

#[test]
fn a_reader_reports_a_tear_once_after_the_records_and_changes_nothing() {
    let f = fixture();
    let mut bytes = write_records(&f.path, &samples());
    bytes.push(0);
    fs::write(&f.path, &bytes).unwrap();
    let items: Vec<_> = SegmentReader::open(&f.path).unwrap().collect();
    assert_eq!(items.len(), samples().len() + 1);
    assert!(matches!(
        items.last(),
        Some(Err(ReadSegmentError::Torn { .. }))
    ));
    assert_eq!(fs::read(&f.path).unwrap(), bytes);
}

#[test]
fn a_tail_made_to_look_like_records_everywhere_is_refused_in_bounded_time() {
    let f = fixture();
    let mut bytes = write_records(&f.path, &samples());
    // Every fourth offset claims a record of about 1 MiB with a checksum that does not match.
    for _ in 0..1_000_000 {
        bytes.extend_from_slice(&[0x00, 0x10, 0x00, 0x00]);
    }
    fs::write(&f.path, &bytes).unwrap();
    let error = SegmentWriter::open_append(&f.path).unwrap_err();
    assert!(
        matches!(error, OpenSegmentError::Undecided { .. }),
        "{error:?}"
    );
    assert_eq!(error.family(), Family::Refused);
}

#[test]
fn creating_never_replaces() {
    let f = fixture();
    write_records(&f.path, &samples());
    let error = SegmentWriter::create(&f.path).unwrap_err();
    assert!(matches!(error, OpenSegmentError::Exists { .. }));
    assert_eq!(read_records(&f.path), samples());
}

#[test]
fn record_sizes_are_held_at_both_ends() {
    let f = fixture();
    let mut writer = SegmentWriter::create(&f.path).unwrap();
    assert!(matches!(writer.append(b""), Err(AppendError::Empty)));
    let most = vec![b'x'; RECORD_BYTES_MAX as usize];
    writer.append(&most).unwrap();
    let mut over = most.clone();
    over.push(b'x');
    assert!(matches!(
        writer.append(&over),
        Err(AppendError::TooLarge { .. })
    ));
    writer.append(b"still works").unwrap();
    writer.sync().unwrap();
    assert_eq!(read_records(&f.path), vec![most, b"still works".to_vec()]);
}

#[test]
fn a_full_segment_refuses_and_stays_readable() {
    let f = fixture();
    let mut writer = SegmentWriter::create(&f.path).unwrap();
    let payload = vec![b'x'; RECORD_BYTES_MAX as usize];
    let mut count = 0;
    let error = loop {
        match writer.append(&payload) {
            Ok(_) => count += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, AppendError::SegmentFull { .. }));
    assert_eq!(
        count, 15,
        "sixteen records of 4 MiB and their frames do not fit in 64 MiB"
    );
    assert_eq!(
        SegmentWriter::open_append(&f.path).unwrap().offsets.len(),
        count
    );
}

#[test]
fn a_file_larger_than_a_segment_is_refused() {
    let f = fixture();
    write_records(&f.path, &samples());
    OpenOptions::new()
        .write(true)
        .open(&f.path)
        .unwrap()
        .set_len(SEGMENT_BYTES_MAX + 1)
        .unwrap();
    let error = SegmentWriter::open_append(&f.path).unwrap_err();
    assert!(
        matches!(error, OpenSegmentError::TooLarge { .. }),
        "{error:?}"
    );
}

#[test]
fn a_failed_write_poisons_the_writer_for_ever() {
    let f = fixture();
    write_records(&f.path, &samples());
    // The kernel refuses to write through a descriptor that was opened for reading.
    let file = fs::File::open(&f.path).unwrap();
    let end = file.metadata().unwrap().len();
    let mut writer = SegmentWriter::over(file, f.path.clone(), end);
    let error = writer.append(b"x").unwrap_err();
    assert!(matches!(
        error,
        AppendError::Io {
            step: Step::Write,
            ..
        }
    ));
    assert_eq!(error.family(), Family::Fatal);
    assert!(matches!(
        writer.append(b"x"),
        Err(AppendError::Poisoned { .. })
    ));
    assert!(matches!(writer.sync(), Err(SyncError::Poisoned { .. })));
    assert_eq!(read_records(&f.path), samples());
}

#[test]
fn a_full_device_that_cannot_be_rolled_back_poisons() {
    // /dev/full takes no byte and cannot be truncated, so "nothing happened" cannot be shown.
    let path = PathBuf::from("/dev/full");
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    let mut writer = SegmentWriter::over(file, path, 8);
    let error = writer.append(b"x").unwrap_err();
    assert!(
        matches!(
            error,
            AppendError::Io {
                step: Step::Truncate,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(writer.is_poisoned());
}

#[test]
fn a_failed_sync_poisons_the_writer_for_ever() {
    // /dev/null takes every byte and cannot be synced.
    let path = PathBuf::from("/dev/null");
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    let mut writer = SegmentWriter::over(file, path, 8);
    writer.append(b"x").unwrap();
    assert!(matches!(writer.sync(), Err(SyncError::Io { .. })));
    assert!(matches!(writer.sync(), Err(SyncError::Poisoned { .. })));
    assert!(matches!(
        writer.append(b"x"),
        Err(AppendError::Poisoned { .. })
    ));
}

/// Bytes that this thread has handed to the kernel for writing so far.
fn written_by_this_thread() -> usize {
    let account = fs::read_to_string("/proc/thread-self/io").unwrap();
    let line = account
        .lines()
        .find_map(|line| line.strip_prefix("wchar: "));
    line.unwrap().parse().unwrap()
}

/// After a sync that failed, Linux calls the pages in its cache clean: a later sync of the same file succeeds
/// and writes none of them. So whatever an opened file keeps has to be handed over again before the sync by
/// which it is called durable.
#[test]
fn what_an_opened_segment_keeps_is_written_again_before_it_is_called_durable() {
    let f = fixture();
    let payloads: Vec<Vec<u8>> = (1..40).map(|number| vec![number; 4_000]).collect();
    let bytes = write_records(&f.path, &payloads);
    let before = written_by_this_thread();
    let opened = SegmentWriter::open_append(&f.path).unwrap();
    let again = written_by_this_thread() - before;
    assert_eq!(opened.offsets.len(), payloads.len());
    assert_eq!(again, bytes.len());
    drop(opened);
    assert_eq!(fs::read(&f.path).unwrap(), bytes);
    // Of a torn tail nothing is written.
    let torn = [bytes.as_slice(), &[0, 0, 0, 9, 1]].concat();
    fs::write(&f.path, torn).unwrap();
    let before = written_by_this_thread();
    let opened = SegmentWriter::open_append(&f.path).unwrap();
    assert_eq!(opened.torn.unwrap().bytes, 5);
    assert_eq!(written_by_this_thread() - before, bytes.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is done to a file, a reader returns only records that were written, in order, from
    /// the first on.
    #[test]
    fn any_damage_yields_a_prefix_of_what_was_written(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..12),
        keep in 0.0..=1.0f64,
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0u8..8), 0..4),
        junk in prop::collection::vec(any::<u8>(), 0..30),
    ) {
        let f = fixture();
        let mut bytes = write_records(&f.path, &payloads);
        bytes.truncate((bytes.len() as f64 * keep) as usize);
        bytes.extend_from_slice(&junk);
        for (at, bit) in flips {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
        }
        fs::write(&f.path, &bytes).unwrap();
        if let Ok(reader) = SegmentReader::open(&f.path) {
            let read: Vec<_> = reader.map_while(Result::ok).map(|record| record.payload).collect();
            prop_assert!(read.len() <= payloads.len());
            prop_assert_eq!(&read[..], &payloads[..read.len()]);
            if let Ok(opened) = SegmentWriter::open_append(&f.path) {
                prop_assert_eq!(opened.offsets.len(), read.len());
                prop_assert_eq!(read_records(&f.path), read);
            }
        }
    }
}
