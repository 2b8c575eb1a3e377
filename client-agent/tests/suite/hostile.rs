//! Inputs nobody should accept: each is denied, and none hurts the daemon.

use super::device::{Device, pre_tool, two_rules, verdict};
use cairn_event::Effect;
use cairn_event::body::Body;
use serde_json::Value;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

#[test]
fn unreadable_input_is_denied_and_recorded() {
    let device = Device::new(&two_rules());
    let _daemon = device.start();
    let good = pre_tool("ls -la", "toolu_1").to_string();
    let twice = good.replacen("\"tool_name\"", "\"tool_name\":\"Read\",\"tool_name\"", 1);
    let corpus: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"{".to_vec(),
        b"[]".to_vec(),
        b"\xff\xfe".to_vec(),
        format!("{good}{good}").into_bytes(),
        twice.into_bytes(),
        good.replacen("PreToolUse", "PostToolUse", 1).into_bytes(),
        good.replacen("\"ls -la\"", &"[".repeat(100_000), 1)
            .into_bytes(),
    ];
    let inputs = corpus.len();
    for input in corpus {
        let output = device.hook("PreToolUse", &input);
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(verdict(&answer), "deny", "{answer}");
    }
    let recorded = device
        .spooled()
        .iter()
        .filter(|frame| match &frame.entry().payload().body {
            Body::ToolDecision(decision) => {
                decision.effect == Effect::Deny && decision.use_id.starts_with("unreadable:")
            }
            _ => false,
        })
        .count();
    assert_eq!(recorded, inputs);
    assert_eq!(verdict(&device.bash("ls -la", "toolu_2")), "allow");
}

#[test]
fn an_input_that_is_too_long_is_denied_by_the_shim() {
    let device = Device::new(&two_rules());
    let _daemon = device.start();
    let output = device.hook("PreToolUse", &vec![b' '; 8 * 1024 * 1024 + 1]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stdout).contains("longer than 8 MiB"));
}

#[test]
fn broken_connections_do_not_hurt_the_daemon() {
    let device = Device::new(&two_rules());
    let _daemon = device.start();
    for bytes in [
        &[][..],
        &[0, 0][..],
        &[0xff; 4][..],
        &[0, 0, 0, 3, b'a', b'b', b'c'][..],
        &[0, 0, 0, 4, b'{', b'}', b'\n', b'x'][..],
        &[0, 0, 0, 200, b'{'][..],
    ] {
        let mut stream = UnixStream::connect(device.state.socket()).unwrap();
        stream.write_all(bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        // The daemon drops the connection without an answer, which the shim takes as a denial.
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty());
    }
    assert_eq!(verdict(&device.bash("ls -la", "toolu_1")), "allow");
}

#[test]
fn without_a_daemon_every_gate_is_closed() {
    let device = Device::new(&two_rules());
    for (event, code, word) in [
        ("PreToolUse", Some(2), "\"deny\""),
        ("UserPromptSubmit", Some(2), "\"block\""),
        ("PermissionRequest", Some(0), "\"deny\""),
    ] {
        let output = device.hook(event, b"{}");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), code, "{event}");
        assert!(
            text.contains(word) && text.contains("fail closed"),
            "{text}"
        );
    }
    let silent = device.hook("PostToolUse", b"{}");
    assert_eq!((silent.status.code(), silent.stdout.len()), (Some(0), 0));
    assert_eq!(
        std::fs::metadata(device.state.unrecorded()).unwrap().len(),
        3
    );
}

#[test]
fn a_second_daemon_does_not_start() {
    let device = Device::new(&two_rules());
    let _daemon = device.start();
    let second = device.cairn(&["daemon", "run"]);
    assert!(!second.status.success());
    assert!(String::from_utf8_lossy(&second.stderr).contains("another daemon is running"));
}
