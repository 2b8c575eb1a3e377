//! The model's place in a canary: a server on loopback that answers Claude Code as the canary says.
//!
//! Owns as much of HTTP and of the Messages API as Claude Code needs. No
//! secrets, no state: what is said next depends only on what is asked.
//!
//! Source: Claude Code findings 3 (driving the program offline).

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Longest request: the agent's first one, with every tool described, has about 200 KiB.
const REQUEST_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Longest header line.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// How long a connection may be silent: it comes from a process on the same machine.
const SILENCE: Duration = Duration::from_secs(10);

/// What the model says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Turn {
    /// Words, which end the turn.
    Words(&'static str),
    /// A call of a tool.
    Call {
        /// Its identifier.
        id: String,
        /// The tool.
        tool: &'static str,
        /// Its input.
        input: Value,
    },
}

/// A listening socket and where it is.
pub(super) fn listen() -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Answers until this process ends.
///
/// Each connection has a thread: the agent opens some that it says nothing on.
pub(super) fn serve(listener: &TcpListener, next: impl FnMut(&Value) -> Turn + Send + 'static) {
    let next = Arc::new(Mutex::new(next));
    for stream in listener.incoming().flatten() {
        let next = Arc::clone(&next);
        // One that breaks off, or gets no thread, is asked again by the agent.
        let _again = std::thread::Builder::new().spawn(move || {
            exchange(stream, &mut |request: &Value| {
                let mut next = next.lock().unwrap_or_else(PoisonError::into_inner);
                (*next)(request)
            })
        });
    }
}

fn exchange(stream: TcpStream, next: &mut impl FnMut(&Value) -> Turn) -> std::io::Result<()> {
    stream.set_read_timeout(Some(SILENCE))?;
    stream.set_write_timeout(Some(SILENCE))?;
    let mut reader = BufReader::new(stream);
    let first = line(&mut reader)?;
    let mut length = 0;
    loop {
        let header = line(&mut reader)?;
        if header.is_empty() {
            break;
        }
        if let Some((name, value)) = header.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = Vec::new();
    reader
        .by_ref()
        .take(REQUEST_BYTES_MAX.min(length))
        .read_to_end(&mut body)?;
    let request: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let mut words = first.split(' ');
    let (method, path) = (words.next(), words.next().unwrap_or_default());
    let path = path.split('?').next().unwrap_or_default();
    let (kind, text) = match (method, path) {
        (Some("POST"), "/v1/messages") => {
            // Requests without tools are titles and the like.
            let turn = if request.get("tools").is_some() {
                next(&request)
            } else {
                Turn::Words("ok")
            };
            let message = message(&request, &turn);
            if request.get("stream") == Some(&Value::Bool(true)) {
                ("text/event-stream", events(&message))
            } else {
                ("application/json", message.to_string())
            }
        }
        (Some("POST"), "/v1/messages/count_tokens") => {
            ("application/json", json!({ "input_tokens": 1 }).to_string())
        }
        _ => ("application/json", json!({ "data": [] }).to_string()),
    };
    let mut stream = reader.into_inner();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        text.len()
    )?;
    if method != Some("HEAD") {
        stream.write_all(text.as_bytes())?;
    }
    stream.flush()
}

fn line(reader: &mut impl BufRead) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    reader.take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
}

fn message(request: &Value, turn: &Turn) -> Value {
    let (content, reason) = match turn {
        Turn::Words(text) => (json!({ "type": "text", "text": text }), "end_turn"),
        Turn::Call { id, tool, input } => (
            json!({ "type": "tool_use", "id": id, "name": tool, "input": input }),
            "tool_use",
        ),
    };
    json!({
        "id": "msg_canary", "type": "message", "role": "assistant",
        "model": request.get("model").cloned().unwrap_or_else(|| json!("canary")),
        "content": [content], "stop_reason": reason, "stop_sequence": null,
        "usage": { "input_tokens": 1, "output_tokens": 1 },
    })
}

/// The same message as a stream of events.
fn events(message: &Value) -> String {
    let mut start = message.clone();
    start["content"] = json!([]);
    let block = &message["content"][0];
    let (empty, delta) = match block["type"].as_str() {
        Some("tool_use") => {
            let mut empty = block.clone();
            empty["input"] = json!({});
            let text = block["input"].to_string();
            (
                empty,
                json!({ "type": "input_json_delta", "partial_json": text }),
            )
        }
        _ => (
            json!({ "type": "text", "text": "" }),
            json!({ "type": "text_delta", "text": block["text"] }),
        ),
    };
    let end = json!({
        "type": "message_delta", "usage": message["usage"],
        "delta": { "stop_reason": message["stop_reason"], "stop_sequence": null },
    });
    [
        json!({ "type": "message_start", "message": start }),
        json!({ "type": "content_block_start", "index": 0, "content_block": empty }),
        json!({ "type": "content_block_delta", "index": 0, "delta": delta }),
        json!({ "type": "content_block_stop", "index": 0 }),
        end,
        json!({ "type": "message_stop" }),
    ]
    .iter()
    .map(|event| {
        let name = event["type"].as_str().unwrap_or_default();
        format!("event: {name}\ndata: {event}\n\n")
    })
    .collect()
}

/// The last result that the request brings: identifier, whether it is an error, and its text.
pub(super) fn last_result(request: &Value) -> Option<(String, bool, String)> {
    let messages = request.get("messages")?.as_array()?;
    // Notes of the agent's own may come after the result, in messages of their own.
    let block = messages
        .iter()
        .rev()
        .filter(|message| message["role"] == "user")
        .filter_map(|message| message["content"].as_array())
        .find_map(|blocks| blocks.iter().rfind(|block| block["type"] == "tool_result"))?;
    let id = block["tool_use_id"].as_str()?.to_owned();
    let failed = block["is_error"] == Value::Bool(true);
    Some((id, failed, block["content"].to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_streamed_and_its_result_is_read() {
        let (listener, address) = listen().unwrap();
        let asked = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let call = |_: &Value| Turn::Call {
                id: "toolu_1".to_owned(),
                tool: "Read",
                input: json!({ "file_path": "/x" }),
            };
            exchange(stream, &mut { call }).unwrap();
        });
        let body = json!({ "stream": true, "tools": [], "messages": [] }).to_string();
        let mut stream = TcpStream::connect(address).unwrap();
        write!(
            stream,
            "POST /v1/messages?beta=true HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        asked.join().unwrap();
        assert!(text.contains(r#""name":"Read""#), "{text}");
        assert!(text.contains(r#"{\"file_path\":\"/x\"}"#), "{text}");
        let request = json!({ "messages": [
            { "role": "user", "content": [
                { "type": "tool_result", "tool_use_id": "toolu_1", "is_error": true, "content": "no" },
            ] },
            { "role": "user", "content": "note" },
            { "role": "user", "content": [{ "type": "text", "text": "note" }] },
        ] });
        let found = last_result(&request).unwrap();
        assert_eq!(found, ("toolu_1".to_owned(), true, "\"no\"".to_owned()));
    }
}
