//! Tests of whole-file replacement against a real file system.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

#[test]
fn write_atomic_creates_then_replaces_and_leaves_no_temporary() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    write_atomic(&path, b"one", 0o600).unwrap();
    write_atomic(&path, b"two, longer", 0o640).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"two, longer");
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o640
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn write_atomic_replaces_a_symbolic_link_and_spares_its_target() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("target");
    let link = dir.path().join("link");
    fs::write(&target, b"theirs").unwrap();
    symlink(&target, &link).unwrap();
    write_atomic(&link, b"ours", 0o600).unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"theirs");
    assert_eq!(fs::read(&link).unwrap(), b"ours");
}

#[test]
fn write_atomic_failing_at_the_rename_leaves_the_old_state() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("is-a-directory");
    fs::create_dir(&path).unwrap();
    let error = write_atomic(&path, b"x", 0o600).unwrap_err();
    assert!(matches!(
        error,
        WriteFileError::Unchanged {
            step: Step::Rename,
            ..
        }
    ));
    assert_eq!(error.family(), Family::Retry);
    assert!(path.is_dir());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn write_atomic_with_takes_parts_and_an_error_among_them_leaves_the_old_state() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    let parts = [b'x'; 10_000];
    write_atomic_with(&path, 0o600, |file| {
        parts.chunks(3).try_for_each(|part| file.write_all(part))
    })
    .unwrap();
    assert_eq!(fs::read(&path).unwrap(), parts);
    let error = write_atomic_with(&path, 0o600, |file| {
        file.write_all(&[b'y'; 100_000])?;
        Err(io::Error::other("no more"))
    });
    let error = error.unwrap_err();
    assert!(matches!(
        error,
        WriteFileError::Unchanged {
            step: Step::Write,
            ..
        }
    ));
    assert_eq!(fs::read(&path).unwrap(), parts);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn open_limited_refuses_what_is_too_large_or_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    fs::write(&path, b"12345").unwrap();
    assert_eq!(open_limited(&path, 5).unwrap().metadata().unwrap().len(), 5);
    let too_large = open_limited(&path, 4);
    assert!(matches!(
        too_large,
        Err(ReadFileError::TooLarge { bytes_max: 4, .. })
    ));
    let folder = open_limited(dir.path(), 4);
    assert!(matches!(folder, Err(ReadFileError::NotAFile { .. })));
}

#[test]
fn write_atomic_refuses_a_path_without_a_name() {
    let error = write_atomic(Path::new("/"), b"x", 0o600).unwrap_err();
    assert!(matches!(error, WriteFileError::NoFileName { .. }));
}

#[test]
fn sweep_removes_leftovers_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(".state.1.0.tmp"), b"half").unwrap();
    fs::write(dir.path().join("state"), b"whole").unwrap();
    assert_eq!(sweep_temporaries(dir.path()).unwrap(), 1);
    assert_eq!(fs::read(dir.path().join("state")).unwrap(), b"whole");
}

#[test]
fn remove_durable_is_idempotent() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gone");
    fs::write(&path, b"x").unwrap();
    remove_durable(&path).unwrap();
    remove_durable(&path).unwrap();
    assert!(!path.exists());
}

#[test]
fn create_dir_durable_creates_parents_with_the_mode_and_repeats() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("a/b/c");
    create_dir_durable(&deep, 0o700).unwrap();
    create_dir_durable(&deep, 0o755).unwrap();
    for path in ["a", "a/b", "a/b/c"] {
        let mode = fs::metadata(dir.path().join(path))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700, "{path}");
    }
}

#[test]
fn create_dir_durable_refuses_a_file_in_the_way() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, b"").unwrap();
    for path in [file.clone(), file.join("below")] {
        let error = create_dir_durable(&path, 0o700).unwrap_err();
        assert!(
            matches!(error, CreateDirError::NotADirectory { .. }),
            "{error:?}"
        );
    }
}

#[test]
fn read_limited_holds_the_limit_exactly() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    fs::write(&path, b"12345").unwrap();
    assert_eq!(read_limited(&path, 5).unwrap(), b"12345");
    assert!(matches!(
        read_limited(&path, 4),
        Err(ReadFileError::TooLarge { bytes_max: 4, .. })
    ));
}

#[test]
fn read_limited_judges_size_while_reading_not_by_the_attributes() {
    // Files under /proc say that they hold no bytes and then deliver some.
    let error = read_limited(Path::new("/proc/self/status"), 10).unwrap_err();
    assert!(matches!(error, ReadFileError::TooLarge { .. }));
}

#[test]
fn read_limited_refuses_what_is_not_a_file_without_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, Mode::from_raw_mode(0o600)).unwrap();
    assert!(matches!(
        read_limited(&pipe, 5),
        Err(ReadFileError::NotAFile { .. })
    ));
    assert!(matches!(
        read_limited(dir.path(), 5),
        Err(ReadFileError::NotAFile { .. })
    ));
    assert!(matches!(
        read_limited(&dir.path().join("none"), 5),
        Err(ReadFileError::NotFound { .. })
    ));
}
