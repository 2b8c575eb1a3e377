//! A log that was closed while this device was away: what was recorded stays, and the person is told.

use super::device::{Device, last_of, two_rules, verdict};
use cairn_agent::enrolment::Identity;
use cairn_api::submission::{FrameResult, Status, SubmitResponse};
use cairn_api::{Family, Problem};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// Longest wait; reached only when something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that answers submissions as one does whose log was closed, and is busy for everything else.
fn closed_log() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            // Whoever asked may be gone already.
            std::thread::spawn(move || drop(answer(stream)));
        }
    });
    url
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head)? > 0 {}
    let length = head.lines().find_map(|line| {
        let line = line.to_ascii_lowercase();
        line.strip_prefix("content-length: ")?.parse().ok()
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let (status, text) = if head.starts_with("POST /v1/entries") {
        let lines = body.split(|byte| *byte == b'\n');
        let results = lines.filter(|line| !line.is_empty()).map(|_| refusal());
        let answer = SubmitResponse {
            results: results.collect(),
        };
        ("200 OK", serde_json::to_string(&answer)?)
    } else {
        ("503 Service Unavailable", String::new())
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{text}",
        text.len()
    )
}

fn refusal() -> FrameResult {
    let refusal = cairn_identity::Refusal::LogClosed { index: 7 };
    let (code, detail) = (refusal.code(), refusal.to_string());
    let problem = Problem::new(code, "log closed", 410, Family::Fatal, detail);
    FrameResult {
        status: Status::Refused,
        index: None,
        leaf: None,
        duplicate: false,
        receipt: None,
        problem: Some(problem),
    }
}

#[test]
fn a_closed_log_loses_no_record_and_the_person_is_told_what_to_do() {
    let device = Device::new(&two_rules());
    let mut identity = Identity::load(&device.state).unwrap();
    identity.server = closed_log();
    identity.save(&device.state).unwrap();
    let _daemon = device.start();
    assert_eq!(verdict(&device.bash("ls -la", "toolu_1")), "allow");
    let begun = Instant::now();
    let mut shown = String::new();
    while !shown.contains("the log is closed") {
        assert!(begun.elapsed() < PATIENCE, "{shown}");
        shown = String::from_utf8(device.cairn(&["status"]).stdout).unwrap();
    }
    assert!(shown.contains("cairn enroll --again"), "{shown}");
    // The device goes on deciding and recording; nothing was put aside as refused.
    assert_eq!(verdict(&device.bash("rm -rf x", "toolu_2")), "deny");
    let spooled = device.spooled();
    assert!(spooled.len() >= 3, "{}", spooled.len());
    last_of(&spooled, "tool.decision");
    let refused = std::fs::read_dir(device.state.refused());
    assert_eq!(refused.map_or(0, |files| files.count()), 0);
}
