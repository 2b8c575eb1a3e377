//! What others named and wrote is shown to people, and obeyed by no terminal.

use super::device::{Device, bundle};
use serde_json::{Value, json};
use std::path::Path;

/// Clears the screen, begins a line of its own, and turns the order of reading around.
const ATTACK: &str = "good\u{1b}[2J\rallowed\nallowed  forged \u{202e}gnp\u{9b}31m";
const SEEN: &str = "good\\u{1b}[2J\\rallowed\\nallowed  forged \\u{202e}gnp\\u{9b}31m";

fn shown(device: &Device, words: &[&str]) -> (String, Value) {
    let run = |json: &[&str]| {
        let mut command = device.command(Path::new(env!("CARGO_BIN_EXE_cairn")));
        command.args(words).args(json).current_dir(&device.dir);
        let output = command.output().unwrap();
        let text = [output.stdout.as_slice(), &output.stderr].concat();
        String::from_utf8(text).unwrap()
    };
    (run(&[]), serde_json::from_str(&run(&["--json"])).unwrap())
}

#[test]
fn names_and_messages_of_others_are_shown_and_not_obeyed() {
    let gate = json!({
        "id": "disk", "message": ATTACK, "when": { "posture": "disk_encryption", "is": "bad" },
    });
    let device = Device::new(&bundle(json!({ "gates": [gate] })));
    let servers = json!({ "mcpServers": { ATTACK: { "command": "x" } } });
    std::fs::write(device.dir.join(".mcp.json"), servers.to_string()).unwrap();
    for (words, name) in [
        (&["mcp", "list"][..], "/0/name"),
        (&["policy", "show"], "/gates/0/message"),
    ] {
        let (text, machine) = shown(&device, words);
        assert!(text.contains(SEEN), "{words:?}: {text:?}");
        let bare = |letter: char| letter.is_control() && letter != '\n' || letter == '\u{202e}';
        assert!(!text.contains(bare), "{words:?}: {text:?}");
        assert!(!text.contains("\nallowed  forged"), "{words:?}: {text:?}");
        let found = machine.pointer(name).and_then(Value::as_str);
        assert_eq!(
            found,
            Some(ATTACK),
            "{words:?}: the machine form stays: {machine}"
        );
    }
}
