//! Answers that nobody should believe or keep: without an end, with texts for a terminal, with a time that no
//! clock can hold. Source: endpoint findings 6.1.

use super::between::{between, pour, say};
use cairn_agent::access::Access;
use cairn_api::client::{MAX_NEWS_BYTES, MAX_PROBLEM_BYTES};
use cairn_api::{Client, ClientError, paths};
use cairn_event::SoftwareKey;
use std::sync::mpsc;
use std::time::Duration;

/// What a socket and a client's buffers hold of a body besides what is read: far less than anybody pours in
/// the time that a test takes.
const ON_THE_WAY: usize = 32 * 1_048_576;

/// A client of a server that pours, and how much it could.
fn pouring(status: &'static str) -> (Client, mpsc::Receiver<usize>) {
    let (told, poured) = mpsc::channel();
    let url = between(move |_, stream| {
        let _nobody_asks = told.send(pour(stream, status));
    });
    (Client::new(&url).unwrap(), poured)
}

/// The memory that an answer takes must not be for its sender to say.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_without_an_end_is_read_as_far_as_a_problem_may_be_long() {
    let (client, poured) = pouring("500 Internal Server Error");
    let stream = client.stream(paths::POLICY_STREAM).await.err().unwrap();
    let answer = client.roster(0).await.unwrap_err();
    for refused in [stream, answer] {
        let ClientError::Problem(problem) = &refused else {
            panic!("{refused}")
        };
        assert_eq!((problem.status, problem.code()), (500, "http"));
        let poured = poured.recv_timeout(Duration::from_secs(60)).unwrap();
        assert!(
            poured < MAX_PROBLEM_BYTES + ON_THE_WAY,
            "{poured} bytes were taken"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_waited_for_is_short() {
    let (client, poured) = pouring("200 OK");
    let refused = client.news(None, 0).await.unwrap_err();
    let words = format!("longer than {MAX_NEWS_BYTES} bytes");
    assert!(refused.to_string().contains(&words), "{refused}");
    let poured = poured.recv_timeout(Duration::from_secs(60)).unwrap();
    assert!(poured < MAX_NEWS_BYTES + ON_THE_WAY, "{poured}");
}

#[tokio::test]
async fn a_problem_does_not_write_to_the_terminal() {
    let url = between(|_, stream| {
        let text = r#"{"type":"urn:cairn:problem:x\u001b]0;y\u0007","title":"Cleared \u001b[2J",
            "status":403,"family":"refused","detail":"one\ntwo\u009b31m"}"#;
        say(stream, "403 Forbidden", text);
    });
    let refused = Client::new(&url).unwrap().roster(0).await.unwrap_err();
    let text = refused.to_string();
    assert!(text.contains("Cleared \u{fffd}[2J"), "{text:?}");
    let moves = |letter: char| letter.is_control() && letter != '\n';
    assert!(!text.contains(moves), "{text:?}");
}

#[tokio::test]
async fn a_token_for_ever_is_no_reason_to_stop() {
    let url = between(|_, stream| {
        let text = format!(
            r#"{{"access_token":"t","expires_in":{},"person":"p","roles":[]}}"#,
            u64::MAX
        );
        say(stream, "200 OK", &text);
    });
    let mut access = Access::new(Client::new(&url).unwrap(), "log.example/test", None);
    let client = access.client(&SoftwareKey::from_seed(&[1; 32])).await;
    assert_eq!(client.unwrap().bearer(), Some("t"));
}
