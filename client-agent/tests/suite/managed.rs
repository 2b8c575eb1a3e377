//! A managed installation in a folder that plays the machine: what is written, checked, renewed and taken
//! away. That Claude Code obeys it is shown with the real program by `tests/claude/managed.py`.

use super::device::{Device, bundle, two_rules};
use cairn_agent::managed::{Manifest, Place, drifts};
use serde_json::{Value, json};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const SETTINGS: &str = "etc/claude-code/managed-settings.d/50-cairn.json";
const SERVERS: &str = "etc/claude-code/managed-mcp.json";

struct Machine {
    root: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn cairn(&self, words: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_cairn"))
            .args(words)
            .arg("--root")
            .arg(self.root.path())
            .env("CAIRN_HOME", self.path("nobody"))
            .output()
            .unwrap()
    }

    fn install(&self, words: &[&str]) -> String {
        let done = self.cairn(&[&["install", "--managed"], words].concat());
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).unwrap()
    }

    fn settings(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.path(SETTINGS)).unwrap()).unwrap()
    }

    fn drifts(&self) -> Vec<(String, String)> {
        let place = Place::at(self.root.path());
        drifts(&place, &Manifest::load(&place).unwrap())
            .into_iter()
            .map(|drift| (drift.path, drift.problem))
            .collect()
    }

    /// Every path below the root, folders too.
    fn everything(&self) -> Vec<String> {
        let mut found = Vec::new();
        collect(self.root.path(), self.root.path(), &mut found);
        found.sort();
        found
    }
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().to_str().unwrap();
        found.push(name.to_owned());
        if path.symlink_metadata().unwrap().is_dir() {
            collect(root, &path, found);
        }
    }
}

#[test]
fn it_is_written_once_and_taken_away_without_a_trace() {
    let machine = Machine::new();
    let others = "etc/claude-code/managed-settings.json";
    machine.write(others, "{\"model\":\"x\"}");
    machine.write("usr/local/bin/other", "x");
    let before = machine.everything();
    let said = machine.install(&["--dry-run"]);
    assert!(
        said.contains("onFailure") && said.contains("Nothing was changed."),
        "{said}"
    );
    assert_eq!(machine.everything(), before);

    machine.install(&[]);
    let settings = machine.settings();
    assert_eq!(
        settings["policyHelper"]["path"],
        "/usr/local/lib/cairn/cairn-policy-helper"
    );
    let owner = std::fs::metadata(machine.root.path()).unwrap().uid();
    for entry in &Manifest::load(&Place::at(machine.root.path()))
        .unwrap()
        .entries
    {
        let path = machine.path(entry.path.trim_start_matches('/'));
        let meta = path.symlink_metadata().unwrap();
        assert_eq!(meta.uid(), owner, "{}", entry.path);
        assert!(
            meta.is_symlink() || meta.mode() & 0o022 == 0,
            "{}",
            entry.path
        );
    }
    assert!(machine.drifts().is_empty());
    let inode = std::fs::metadata(machine.path(SETTINGS)).unwrap().ino();
    let again = machine.install(&[]);
    assert!(
        again.lines().all(|line| line.starts_with("unchanged")),
        "{again}"
    );
    assert_eq!(
        std::fs::metadata(machine.path(SETTINGS)).unwrap().ino(),
        inode,
        "an unchanged file was written again"
    );

    let done = machine.cairn(&["uninstall", "--managed"]);
    assert!(done.status.success(), "{done:?}");
    assert_eq!(machine.everything(), before);
    assert!(!machine.cairn(&["uninstall", "--managed"]).status.success());
}

#[test]
fn every_change_is_found() {
    let machine = Machine::new();
    machine.install(&[]);
    let found = |what: &str| {
        let drifts = machine.drifts();
        assert!(
            drifts.iter().any(|(_, problem)| problem.contains(what)),
            "{what}: {drifts:?}"
        );
    };
    let text = std::fs::read_to_string(machine.path(SETTINGS)).unwrap();
    machine.write(SETTINGS, &text.replace("\"block\"", "\"allow\""));
    found("its content was changed");
    machine.write(SETTINGS, &text);
    assert!(machine.drifts().is_empty());
    let mode = |bits| std::fs::Permissions::from_mode(bits);
    std::fs::set_permissions(machine.path(SETTINGS), mode(0o666)).unwrap();
    found("it has mode 666");
    std::fs::set_permissions(machine.path(SETTINGS), mode(0o644)).unwrap();
    let hook = machine.path("usr/local/lib/cairn/cairn-hook");
    std::fs::remove_file(&hook).unwrap();
    found("it is missing");
    let helper = machine.path("usr/local/lib/cairn/cairn-policy-helper");
    std::fs::remove_file(&helper).unwrap();
    std::os::unix::fs::symlink("/bin/true", &helper).unwrap();
    found("it is no link to");
    machine.write(
        "etc/claude-code/managed-settings.d/90-others.json",
        r#"{"policyHelper":{"path":"/bin/true"}}"#,
    );
    found("overrides `/policyHelper/path`");
    std::fs::set_permissions(machine.path("usr/local/lib/cairn"), mode(0o777)).unwrap();
    found("others than root may write in it");
    std::fs::set_permissions(machine.path("usr/local/lib/cairn"), mode(0o755)).unwrap();
    std::fs::remove_file(machine.path("etc/claude-code/managed-settings.d/90-others.json"))
        .unwrap();
    machine.install(&[]);
    assert!(machine.drifts().is_empty());
}

#[test]
fn the_policy_gives_a_second_line_and_servers_without_secrets() {
    let machine = Machine::new();
    let mut rules = two_rules();
    rules["mcp"] = json!({ "default": "block", "allow": [], "servers": {
        "tool": { "command": "tool", "args": ["--ro"] },
        "corp": { "type": "http", "url": "https://mcp.example.com/",
                  "headers": { "authorization": "value-of-a-token" } },
    } });
    let policy = machine.path("policy.json");
    std::fs::write(&policy, bundle(rules).to_string()).unwrap();
    let words = ["--managed-mcp", "--policy", policy.to_str().unwrap()];
    machine.install(&words);
    let deny = &machine.settings()["permissions"]["deny"];
    assert_eq!(deny, &json!(["Bash(rm *)"]));
    let servers = std::fs::read_to_string(machine.path(SERVERS)).unwrap();
    assert!(
        servers.contains("--ro") && !servers.contains("corp"),
        "{servers}"
    );
    for path in machine.everything() {
        let path = machine.path(&path);
        if path.is_file() && path != policy {
            let bytes = std::fs::read(&path).unwrap();
            let holds = bytes.windows(16).any(|some| some == b"value-of-a-token");
            assert!(!holds, "{}", path.display());
        }
    }
    // Without the flag the file of servers goes away again, and the second line stays current.
    machine.install(&["--policy", policy.to_str().unwrap()]);
    assert!(!machine.path(SERVERS).exists());
    assert!(machine.drifts().is_empty());
}

#[test]
fn without_a_file_the_policy_in_force_is_compiled() {
    let device = Device::new(&bundle(two_rules()));
    let root = tempfile::tempdir().unwrap();
    let done = device
        .command(Path::new(env!("CARGO_BIN_EXE_cairn")))
        .args(["install", "--managed", "--root"])
        .arg(root.path())
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
    let bytes = std::fs::read(root.path().join(SETTINGS)).unwrap();
    let settings: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(settings["permissions"]["deny"], json!(["Bash(rm *)"]));
}

#[test]
fn what_others_have_is_never_replaced() {
    let machine = Machine::new();
    machine.write(SERVERS, "{\"mcpServers\":{}}");
    machine.write("usr/local/bin/cairn", "another package's");
    let policy = machine.path("policy.json");
    std::fs::write(&policy, bundle(two_rules()).to_string()).unwrap();
    let before = machine.everything();
    let words = ["--managed-mcp", "--policy", policy.to_str().unwrap()];
    let done = machine.cairn(&[&["install", "--managed"][..], &words[..]].concat());
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(
        !done.status.success() && said.contains("is somebody else's"),
        "{said}"
    );
    assert_eq!(machine.everything(), before);
    let said = machine.install(&[]);
    assert!(said.contains("left       /usr/local/bin/cairn"), "{said}");
    assert!(machine.cairn(&["uninstall", "--managed"]).status.success());
    assert_eq!(machine.everything(), before);
    let command = std::fs::read_to_string(machine.path("usr/local/bin/cairn")).unwrap();
    assert_eq!(command, "another package's");
}

#[test]
fn a_manifest_that_others_may_write_is_not_believed() {
    let machine = Machine::new();
    machine.install(&[]);
    let manifest = machine.path("etc/cairn/managed.json");
    let mode = std::fs::Permissions::from_mode(0o666);
    std::fs::set_permissions(&manifest, mode).unwrap();
    let done = machine.cairn(&["uninstall", "--managed"]);
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(
        !done.status.success() && said.contains("not believed"),
        "{said}"
    );
    assert!(machine.path(SETTINGS).exists());
}

#[test]
fn a_folder_open_to_others_is_no_place_for_it() {
    let machine = Machine::new();
    let open = machine.path("usr/local/lib");
    std::fs::create_dir_all(&open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
    let done = machine.cairn(&["install", "--managed"]);
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(
        !done.status.success() && said.contains("can be written by others"),
        "{said}"
    );
    assert!(!machine.path(SETTINGS).exists());
}

#[test]
fn the_unit_starts_the_daemon_of_each_user() {
    let machine = Machine::new();
    machine.install(&["--state", "{home}/.local/state/cairn"]);
    let unit = std::fs::read_to_string(machine.path("etc/systemd/user/cairn.service")).unwrap();
    assert!(
        unit.contains("Environment=CAIRN_HOME=%h/.local/state/cairn\n"),
        "{unit}"
    );
    let link = machine.path("etc/systemd/user/default.target.wants/cairn.service");
    let to = std::fs::read_link(link).unwrap();
    assert_eq!(to, Path::new("/etc/systemd/user/cairn.service"));
    let wrong = machine.cairn(&["install", "--managed", "--state", "{host}/x"]);
    assert!(!wrong.status.success());
}
