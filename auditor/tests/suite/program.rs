//! The program `cairn-audit log`: ended by a signal and gone on with, and what it shows on a terminal.

use super::world::{self, World};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A mirror, its trust policy, and room for a state.
struct Place {
    folder: tempfile::TempDir,
    world: World,
}

impl Place {
    fn of(world: World) -> Self {
        let folder = tempfile::tempdir().unwrap();
        world.write(&folder.path().join("mirror"));
        std::fs::write(folder.path().join("trust.policy"), world.trust_policy()).unwrap();
        Self { folder, world }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn arguments(&self, more: &[&str]) -> Vec<String> {
        let path = |name: &str| self.path(name).to_str().unwrap().to_owned();
        let mut arguments = vec![
            "log".to_owned(),
            "--max-age=none".to_owned(),
            format!("--genesis-hash={}", self.world.genesis_hash().to_hex()),
            format!("--trust-policy={}", path("trust.policy")),
            format!("--dir={}", path("mirror")),
        ];
        arguments.extend(more.iter().map(|one| (*one).to_owned()));
        arguments
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cairn-audit"));
        command.args(self.arguments(more));
        command
    }

    fn run(&self, more: &[&str]) -> Output {
        self.command(more).output().unwrap()
    }

    /// Puts a pipe in the place of a bundle: the audit waits there until somebody writes.
    fn hold(&self, bundle: &str) -> Held {
        let path = self.path("mirror/tile/entries").join(bundle);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        Held { path, bytes }
    }
}

struct Held {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Held {
    /// Waits until the audit reads the bundle, and gives it.
    fn give(&self) {
        let mut pipe = std::fs::OpenOptions::new().write(true).open(&self.path);
        pipe.as_mut().unwrap().write_all(&self.bytes).unwrap();
    }

    /// Puts the bundle back for audits to come.
    fn let_go(&self) {
        std::fs::remove_file(&self.path).unwrap();
        std::fs::write(&self.path, &self.bytes).unwrap();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Ends an audit that waits for its first bundle of two; gives what it said.
fn end_in_the_middle(place: &Place, state: &Path, signal: Signal) -> String {
    let held = place.hold("000");
    let resume = format!("--resume={}", state.display());
    let mut command = place.command(&[&resume]);
    let mut audit = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(audit.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert!(line.contains("begins at entry 0"), "{line}");
    kill_process(Pid::from_child(&audit), signal).unwrap();
    line.clear();
    said.read_line(&mut line).unwrap();
    assert!(line.contains("ends after the entries at hand"), "{line}");
    held.give();
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    let output = audit.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{rest}");
    assert_eq!(
        text(&output.stdout),
        "",
        "an audit without a verdict has no report"
    );
    held.let_go();
    rest
}

#[test]
fn a_signal_ends_the_audit_and_it_is_gone_on_with() {
    let place = Place::of(world::busy(170));
    assert!(place.world.size() > 256, "two bundles");
    let whole = place.run(&[]);
    assert!(whole.status.success(), "{}", text(&whole.stdout));
    for signal in [Signal::INT, Signal::TERM] {
        let state = place.path("state");
        let told = end_in_the_middle(&place, &state, signal);
        let place_of_end =
            told.contains("ended after 256 of") || told.contains("ended after 512 of");
        assert!(place_of_end && told.contains("it can go on"), "{told}");
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &std::fs::metadata(&state).unwrap().permissions(),
        );
        assert_eq!(mode & 0o777, 0o600);
        let resume = format!("--resume={}", state.display());
        let resumed = place.run(&[&resume]);
        assert_eq!(text(&resumed.stdout), text(&whole.stdout));
        assert_eq!(resumed.status, whole.status);
        assert!(text(&resumed.stderr).contains("goes on at entry 256"));
        std::fs::remove_file(&state).unwrap();
    }
}

#[test]
fn a_finished_audit_leaves_its_state_and_another_question_is_refused() {
    let place = Place::of(world::busy(20));
    let state = place.path("state");
    let resume = format!("--resume={}", state.display());
    let whole = place.run(&[&resume]);
    assert!(whole.status.success(), "{}", text(&whole.stderr));
    let again = place.run(&[&resume]);
    assert_eq!(text(&again.stdout), text(&whole.stdout));
    let size = place.world.size();
    assert!(text(&again.stderr).contains(&format!("goes on at entry {size}")));
    let names = std::fs::read_dir(place.folder.path()).unwrap().count();
    assert_eq!(names, 3, "mirror, trust policy, state and no leftovers");

    let policy = place.path("trust.policy");
    let weaker = place
        .world
        .trust_policy()
        .replace("witnesses 2 ", "witnesses 1 ");
    std::fs::write(&policy, weaker).unwrap();
    let refused = place.run(&[&resume]);
    assert_eq!(refused.status.code(), Some(2));
    let told = text(&refused.stderr);
    assert!(
        told.contains("another trust policy") && told.contains("remove it or name another file"),
        "{told}"
    );
    std::fs::write(&policy, place.world.trust_policy()).unwrap();
    let kept = std::fs::read(&state).unwrap();
    std::fs::write(&state, &kept[..kept.len() / 2]).unwrap();
    let refused = place.run(&[&resume]);
    assert_eq!(refused.status.code(), Some(2));
    let told = text(&refused.stderr);
    assert!(told.contains("damaged or cut off"), "{told}");
    assert_eq!(
        std::fs::read(&state).unwrap().len(),
        kept.len() / 2,
        "a damaged state stays for somebody to look at"
    );
}

#[test]
fn a_state_that_others_can_write_is_not_gone_on_with() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::of(world::busy(5));
    let state = place.path("state");
    let resume = format!("--resume={}", state.display());
    assert!(place.run(&[&resume]).status.success());
    let kept = std::fs::read(&state).unwrap();
    for (mode, taken) in [(0o620, false), (0o602, false), (0o644, true)] {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&state, permissions).unwrap();
        let run = place.run(&[&resume]);
        assert_eq!(run.status.success(), taken, "{mode:o}");
        if !taken {
            assert_eq!(run.status.code(), Some(2));
            let told = text(&run.stderr);
            assert!(told.contains(&format!("(mode {mode:o})")), "{told}");
            assert_eq!(std::fs::read(&state).unwrap(), kept);
        }
    }
}

#[test]
fn progress_is_shown_on_a_terminal_and_nowhere_else() {
    let place = Place::of(world::busy(5));
    let bar = format!("/{} entries", place.world.size());
    let piped = place.run(&[]);
    assert!(piped.status.success());
    assert_eq!(text(&piped.stderr), "", "nothing to show in a pipe");
    assert!(!text(&piped.stdout).contains(&bar));
    // `script` runs a command on a terminal of its own and gives what was shown on it.
    let program = env!("CARGO_BIN_EXE_cairn-audit");
    let words: Vec<String> = std::iter::once(program.to_owned())
        .chain(place.arguments(&[]))
        .map(|word| format!("'{word}'"))
        .collect();
    let shown = Command::new("script")
        .args([
            "--quiet",
            "--return",
            "--command",
            &words.join(" "),
            "/dev/null",
        ])
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = text(&shown.stdout);
    assert!(shown.status.success(), "{told}");
    assert!(told.contains(&bar), "{told}");
    assert!(told.contains("verified"), "{told}");
}
