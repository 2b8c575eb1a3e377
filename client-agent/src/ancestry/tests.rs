//! Tests of the walk with real child processes.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use cairn_event::Sha256;

use super::*;

/// A script that says when it is up and then waits.
const SCRIPT: &[u8] = b"echo ready\nread line\n";

/// A child that has started, waits for its input, and is reaped when dropped.
///
/// A process is visible before its command line is; so each child says that it is up before the
/// test looks at it.
struct Waiting(Child);

impl Waiting {
    /// Starts `cat`, under whatever name, and has it repeat a line.
    fn cat(command: &mut Command) -> Self {
        let mut waiting = Self::spawn(command);
        waiting
            .0
            .stdin
            .as_mut()
            .unwrap()
            .write_all(b"ready\n")
            .unwrap();
        waiting.await_line();
        waiting
    }

    /// Starts a shell whose program begins with `echo ready`.
    fn shell(command: &mut Command) -> Self {
        let mut waiting = Self::spawn(command);
        waiting.await_line();
        waiting
    }

    fn spawn(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        loop {
            match command.spawn() {
                Ok(child) => return Self(child),
                // Another test's child may for a moment hold a descriptor that writes to the file.
                Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                    std::thread::yield_now();
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn await_line(&mut self) {
        let mut line = String::new();
        BufReader::new(self.0.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(line, "ready\n");
    }

    fn record(&self) -> ProcessRecord {
        let chain = walk(self.0.id(), &DigestCache::new(), SystemTime::now(), None).unwrap();
        chain.processes[0].clone()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Copies `cat`, which waits on its input, through another process: this one must not hold a
/// writing descriptor when it starts the copy.
fn copy_of_cat(to: &Path) {
    assert!(
        Command::new("cp")
            .arg("/bin/cat")
            .arg(to)
            .status()
            .unwrap()
            .success()
    );
}

fn cat_digest() -> Sha256 {
    Sha256::of(&fs::read("/bin/cat").unwrap())
}

#[test]
fn the_chain_goes_from_the_child_over_this_process_to_the_first() {
    let child = Waiting::cat(Command::new("cat").arg("-").arg("--"));
    let chain = walk(child.0.id(), &DigestCache::new(), SystemTime::now(), None).unwrap();
    let first = &chain.processes[0];
    assert_eq!(first.argv, ["cat", "-", "--"]);
    assert_eq!(first.exe_state, ExeState::Ok);
    assert_eq!(first.exe_digest, Digest::Sha256(cat_digest()));
    assert_eq!(first.euid, Some(rustix::process::geteuid().as_raw()));
    assert!(!first.race);
    assert_eq!(chain.processes[1].pid, std::process::id());
    assert!(
        chain
            .processes
            .windows(2)
            .all(|pair| pair[1].start_time <= pair[0].start_time)
    );
    assert_eq!(chain.processes.last().unwrap().pid, 1);
    assert!(!chain.truncated);
    assert_eq!(chain.boot_id.len(), 36);
    assert!(!chain.is_pending());
}

#[test]
fn a_replaced_executable_keeps_the_digest_of_what_runs() {
    let dir = tempfile::tempdir().unwrap();
    let (exe, other) = (dir.path().join("tool"), dir.path().join("other"));
    copy_of_cat(&exe);
    let child = Waiting::cat(&mut Command::new(&exe));
    fs::write(&other, b"something else").unwrap();
    fs::rename(&other, &exe).unwrap();
    let record = child.record();
    assert_eq!(record.exe_state, ExeState::Replaced);
    assert_eq!(record.exe_digest, Digest::Sha256(cat_digest()));
    assert!(record.exe.unwrap().ends_with("/tool (deleted)"));
}

#[test]
fn a_deleted_executable_is_still_hashed() {
    let dir = tempfile::tempdir().unwrap();
    let exe = dir.path().join("tool");
    copy_of_cat(&exe);
    let child = Waiting::cat(&mut Command::new(&exe));
    fs::remove_file(&exe).unwrap();
    let record = child.record();
    assert_eq!(record.exe_state, ExeState::Deleted);
    assert_eq!(record.exe_digest, Digest::Sha256(cat_digest()));
}

#[test]
fn a_file_that_calls_itself_deleted_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let exe = dir.path().join("tool (deleted)");
    copy_of_cat(&exe);
    let child = Waiting::cat(&mut Command::new(&exe));
    assert_eq!(child.record().exe_state, ExeState::Ok);
}

#[test]
fn an_executable_made_in_memory_is_named_and_hashed() {
    let flags = rustix::fs::MemfdFlags::CLOEXEC;
    let writing = fs::File::from(rustix::fs::memfd_create("hidden", flags).unwrap());
    io::copy(&mut fs::File::open("/bin/cat").unwrap(), &mut &writing).unwrap();
    let path = format!("/proc/{}/fd/{}", std::process::id(), writing.as_raw_fd());
    // An image that somebody can still write to cannot be started.
    let reading = fs::File::open(&path).unwrap();
    drop(writing);
    let path = format!("/proc/{}/fd/{}", std::process::id(), reading.as_raw_fd());
    let child = Waiting::cat(&mut Command::new(path));
    let record = child.record();
    assert_eq!(record.exe_state, ExeState::Memfd);
    assert_eq!(record.exe_digest, Digest::Sha256(cat_digest()));
    assert!(record.exe.unwrap().starts_with("/memfd:hidden"));
}

#[test]
fn a_script_is_hashed_by_relative_and_absolute_path() {
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("wait.sh");
    fs::write(&script, SCRIPT).unwrap();
    let absolute = script.to_str().unwrap();
    for argument in ["wait.sh", "./wait.sh", absolute] {
        let mut command = Command::new("sh");
        let child = Waiting::shell(command.arg("-e").arg(argument).current_dir(dir.path()));
        let found = child.record().script.unwrap();
        assert_eq!(found.path, argument);
        assert_eq!(found.digest, Digest::Sha256(Sha256::of(SCRIPT)));
    }
}

#[test]
fn a_script_that_is_gone_is_reported_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("wait.sh");
    fs::write(&script, SCRIPT).unwrap();
    let child = Waiting::shell(Command::new("sh").arg(&script));
    fs::remove_file(&script).unwrap();
    assert_eq!(
        child.record().script.unwrap().digest,
        Digest::Missing("not-found")
    );
}

#[test]
fn what_a_deadline_cuts_off_is_pending_and_completed_by_another_walk() {
    let child = Waiting::cat(&mut Command::new("cat"));
    let cache = DigestCache::new();
    let (pid, now) = (child.0.id(), SystemTime::now());
    let hurried = walk(pid, &cache, now, Some(Instant::now())).unwrap();
    assert!(hurried.is_pending());
    assert_eq!(hurried.processes[0].exe_digest, Digest::pending());
    let whole = walk(pid, &cache, now, None).unwrap();
    assert!(!whole.is_pending());
    let (a, b) = (&hurried.processes[0], &whole.processes[0]);
    assert_eq!((a.pid, a.start_time), (b.pid, b.start_time));
    // System executables have long settled, so the next hurried walk owes nothing.
    let warm = walk(
        pid,
        &cache,
        now + Duration::from_secs(10),
        Some(Instant::now()),
    )
    .unwrap();
    assert_eq!(warm.processes[0].exe_digest, Digest::Sha256(cat_digest()));
}

#[test]
fn a_process_that_has_ended_or_is_not_visible_has_no_chain() {
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    let cache = DigestCache::new();
    let gone = walk(child.id(), &cache, SystemTime::now(), None);
    assert!(matches!(gone, Err(WalkError::Gone { .. })), "{gone:?}");
    let hidden = walk(0, &cache, SystemTime::now(), None);
    assert!(matches!(hidden, Err(WalkError::NotVisible)));
}

#[test]
fn a_long_command_line_is_cut_and_says_so() {
    let long = "x".repeat(5000);
    let child = Waiting::shell(Command::new("sh").args(["-c", "echo ready; read line", &long]));
    let record = child.record();
    assert!(record.argv_truncated);
    let bytes: usize = record.argv.iter().map(|argument| argument.len() + 1).sum();
    assert!(bytes <= 2049, "{bytes}");
    assert_eq!(record.script, None);
}

#[test]
fn the_record_is_plain_json() {
    let child = Waiting::cat(&mut Command::new("cat"));
    let chain = walk(child.0.id(), &DigestCache::new(), SystemTime::now(), None).unwrap();
    let json = serde_json::to_value(&chain).unwrap();
    let first = &json["processes"][0];
    assert_eq!(first["exe_state"], "ok");
    assert_eq!(
        first["exe_digest"]["sha256"],
        serde_json::to_value(cat_digest()).unwrap()
    );
}
