//! A `/proc` of files: which processes are taken for an unmanaged agent.

use super::*;
use std::os::unix::fs::symlink;

struct World {
    dir: tempfile::TempDir,
    lookout: Lookout,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let proc = dir.path().join("proc");
        std::fs::create_dir_all(&proc).unwrap();
        std::fs::create_dir_all(dir.path().join("settings")).unwrap();
        std::fs::write(proc.join("stat"), "cpu 1 2\nbtime 1000\n").unwrap();
        let uid = std::fs::metadata(&proc).unwrap().uid();
        let mut lookout = Lookout::new(dir.path().join("settings"), "/opt/cairn".into(), uid);
        lookout.proc = proc;
        Self { dir, lookout }
    }

    fn process(&self, pid: u32, parent: u32, argv: &[&str], exe: &str) {
        let folder = self.lookout.proc.join(pid.to_string());
        std::fs::create_dir_all(&folder).unwrap();
        let line = format!("{pid} (x) S {parent} 1 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 500 0");
        std::fs::write(folder.join("stat"), line).unwrap();
        std::fs::write(folder.join("cmdline"), argv.join("\0") + "\0").unwrap();
        symlink(exe, folder.join("exe")).unwrap();
    }

    fn found(&mut self) -> Vec<(u32, &'static str)> {
        let change = self.lookout.look();
        change
            .began
            .iter()
            .map(|(run, name)| (run.pid, *name))
            .collect()
    }
}

#[test]
fn agents_are_found_however_they_are_installed() {
    let mut world = World::new();
    world.process(10, 1, &["bash"], "/bin/bash");
    world.process(
        11,
        10,
        &["claude", "-p", "x"],
        "/home/a/.local/share/claude/versions/2.1.330",
    );
    world.process(
        12,
        10,
        &["claude"],
        "/n/@anthropic-ai/claude-code-linux-x64/claude (deleted)",
    );
    world.process(
        13,
        10,
        &["node", "/n/@google/gemini-cli/dist/index.js"],
        "/usr/bin/node",
    );
    world.process(14, 10, &["node", "server.js"], "/usr/bin/node");
    world.process(15, 10, &["codex"], "/usr/local/bin/codex");
    world.process(16, 10, &["claude", "--version"], "/usr/bin/claude");
    world.process(
        17,
        1,
        &["rg", "x"],
        "/home/a/.local/share/claude/versions/2.1.330",
    );
    let expected = [
        (11, "claude-code"),
        (12, "claude-code"),
        (13, "gemini-cli"),
        (15, "codex"),
    ];
    assert_eq!(world.found(), expected);
    assert!(world.found().is_empty(), "each is told once");
    std::fs::remove_dir_all(world.lookout.proc.join("11")).unwrap();
    assert_eq!(
        world.lookout.look().ended,
        [(
            Run {
                pid: 11,
                start: 500
            },
            "claude-code"
        )]
    );
}

#[test]
fn what_the_wrapper_started_is_managed() {
    let mut world = World::new();
    let settings = world.dir.path().join("settings");
    std::fs::write(settings.join("20.settings.json"), "{}").unwrap();
    world.process(20, 1, &["claude"], "/usr/bin/claude");
    world.process(30, 1, &["cairn", "doctor"], "/opt/cairn");
    world.process(31, 30, &["claude", "-p", "x"], "/usr/bin/claude");
    assert!(world.found().is_empty());
}

/// An agent that a wrapped one starts has no hooks, unless it is given the same settings.
#[test]
fn an_agent_inside_a_wrapped_one_is_managed_only_with_its_settings() {
    let mut world = World::new();
    let settings = world.dir.path().join("settings");
    std::fs::write(world.dir.path().join("identity.json"), "{}").unwrap();
    let mine = settings.join("20.settings.json");
    std::fs::write(&mine, "{}").unwrap();
    let mine = mine.to_str().unwrap();
    let joined = format!("--settings={mine}");
    world.process(20, 1, &["claude", "--settings", mine], "/usr/bin/claude");
    world.process(21, 20, &["bash"], "/bin/bash");
    world.process(22, 21, &["claude", "-p", "x"], "/usr/bin/claude");
    world.process(23, 20, &["claude", "--settings", mine], "/usr/bin/claude");
    world.process(24, 20, &["claude", &joined], "/usr/bin/claude");
    let other = settings.join("19.settings.json");
    let other = ["claude", "--settings", other.to_str().unwrap()];
    world.process(25, 21, &other, "/usr/bin/claude");
    world.process(26, 23, &["claude", "-p", "x"], "/usr/bin/claude");
    world.process(27, 22, &["codex"], "/usr/bin/codex");
    // The package of Codex: a script that starts the program, which plays its own sandbox.
    std::fs::write(settings.join("40.settings.json"), "{}").unwrap();
    let hooks = "hooks.PreToolUse=[{hooks=[{command=\"cairn-hook PreToolUse --agent codex\"}]}]";
    let (script, program) = ("/n/@openai/codex/bin/codex.js", "/n/@openai/x/bin/codex");
    world.process(40, 1, &["node", script, "-c", hooks], "/usr/bin/node");
    world.process(41, 40, &["codex", "-c", hooks, "exec"], program);
    world.process(42, 41, &["codex-linux-sandbox", "--", "ls"], program);
    world.process(43, 42, &["codex", "exec", "x"], program);
    let found: Vec<u32> = world.found().iter().map(|(pid, _)| *pid).collect();
    assert_eq!(found, [22, 25, 26, 43], "27 is a part of what 22 tells");
}

#[test]
fn what_another_device_of_the_same_user_started_is_managed() {
    let mut world = World::new();
    let state = world.dir.path().join("other");
    std::fs::create_dir_all(state.join("claude")).unwrap();
    let file = state.join("claude/20.settings.json");
    std::fs::write(&file, "{}").unwrap();
    let argv = ["claude", "--settings", file.to_str().unwrap()];
    world.process(20, 1, &argv, "/usr/bin/claude");
    assert_eq!(
        world.found(),
        [(20, "claude-code")],
        "not the folder of a device"
    );
    std::fs::write(state.join("identity.json"), "{}").unwrap();
    assert_eq!(world.lookout.look().ended.len(), 1);
    let argv = ["claude", "--settings", "/elsewhere/21.settings.json"];
    world.process(21, 1, &argv, "/usr/bin/claude");
    assert_eq!(world.found(), [(21, "claude-code")]);
    // Codex has no settings file; its hook's socket tells where it was noted.
    let socket = state.join("daemon.sock").display().to_string();
    let hooks = format!("hooks.PreToolUse=[{{command=\"x --socket '{socket}' --agent codex\"}}]");
    std::fs::write(state.join("claude/22.settings.json"), "{}").unwrap();
    world.process(22, 1, &["codex", "-c", &hooks], "/usr/bin/codex");
    world.process(23, 1, &["codex", "-c", &hooks], "/usr/bin/codex");
    assert_eq!(world.found(), [(23, "codex")]);
}

#[test]
fn settings_left_by_an_older_process_of_that_number_prove_nothing() {
    let mut world = World::new();
    let file = world.dir.path().join("settings/20.settings.json");
    std::fs::write(&file, "{}").unwrap();
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(900);
    let file = std::fs::File::options().write(true).open(file).unwrap();
    file.set_modified(old).unwrap();
    world.process(20, 1, &["claude"], "/usr/bin/claude");
    assert_eq!(world.found(), [(20, "claude-code")]);
}

#[test]
fn another_users_agent_is_not_ours_to_report() {
    let mut world = World::new();
    world.lookout.uid = world.lookout.uid.wrapping_add(1);
    world.process(20, 1, &["claude"], "/usr/bin/claude");
    assert!(world.found().is_empty());
}
