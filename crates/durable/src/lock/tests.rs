//! Tests of the folder lock with real locks.

use super::*;

#[test]
fn a_second_acquire_names_the_holder() {
    let dir = tempfile::tempdir().unwrap();
    let first = FolderLock::acquire(dir.path()).unwrap();
    let error = FolderLock::acquire(dir.path()).unwrap_err();
    assert_eq!(error.family(), Family::Refused);
    let text = error.to_string();
    assert!(
        text.contains(&format!("process {}", std::process::id())),
        "{text}"
    );
    drop(first);
    FolderLock::acquire(dir.path()).unwrap();
}

#[test]
fn a_shorter_process_id_leaves_nothing_of_a_longer_one() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(LOCK_FILE_NAME), "4294967295\n").unwrap();
    let lock = FolderLock::acquire(dir.path()).unwrap();
    let text = std::fs::read_to_string(lock.path()).unwrap();
    assert_eq!(text, format!("{}\n", std::process::id()));
}

#[test]
fn a_missing_folder_is_an_error_of_opening() {
    let dir = tempfile::tempdir().unwrap();
    let error = FolderLock::acquire(&dir.path().join("none")).unwrap_err();
    assert!(matches!(
        error,
        LockError::Io {
            step: Step::Open,
            ..
        }
    ));
}

#[test]
fn an_unreadable_holder_is_still_a_refusal() {
    let dir = tempfile::tempdir().unwrap();
    let lock = FolderLock::acquire(dir.path()).unwrap();
    std::fs::write(lock.path(), "nonsense").unwrap();
    let error = FolderLock::acquire(dir.path()).unwrap_err();
    assert!(matches!(error, LockError::Held { pid: None, .. }));
    assert!(error.to_string().ends_with("another process"));
}
