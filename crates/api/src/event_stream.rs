//! Reading server-sent events: a small incremental parser.
//!
//! Source: WHATWG HTML, "Server-sent events", the `event` and `data` fields.

/// Longest event accepted: four times what our server puts into one.
pub const MAX_EVENT_BYTES: usize = 65_536;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamEvent {
    /// The `event` field.
    pub event: String,
    /// The `data` fields, joined by line feeds.
    pub data: String,
}

/// What came of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamItem {
    /// A whole event.
    Event(StreamEvent),
    /// Bytes that complete none and begin none, such as a comment: the connection is alive.
    Alive,
    /// Bytes after the last whole event or comment: something began and has not ended.
    Part,
}

/// The stream sent more than [`MAX_EVENT_BYTES`] without finishing an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("server-sent event is longer than {MAX_EVENT_BYTES} bytes")]
pub struct EventTooLong;

/// Takes bytes as they come and gives whole events.
#[derive(Debug, Default)]
pub struct EventReader {
    buffer: Vec<u8>,
    current: StreamEvent,
}

impl EventReader {
    /// Feeds bytes; returns the events they complete. Comments (keep-alives) complete none.
    ///
    /// Errors: [`EventTooLong`]; the caller drops the connection.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Vec<StreamEvent>, EventTooLong> {
        self.buffer.extend_from_slice(bytes);
        let mut events = Vec::new();
        // Taken out at once: a chunk may be nothing but line feeds.
        let whole = self.buffer.iter().rposition(|byte| *byte == b'\n');
        let lines: Vec<u8> = self
            .buffer
            .drain(..whole.map_or(0, |end| end + 1))
            .collect();
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let line = String::from_utf8_lossy(line);
            self.line(line.trim_end_matches(['\n', '\r']), &mut events);
        }
        if self.buffer.len() + self.current.data.len() > MAX_EVENT_BYTES {
            return Err(EventTooLong);
        }
        Ok(events)
    }

    /// Whether something began and has not ended.
    pub fn is_within(&self) -> bool {
        !self.buffer.is_empty() || self.current != StreamEvent::default()
    }

    fn line(&mut self, line: &str, events: &mut Vec<StreamEvent>) {
        if line.is_empty() {
            let event = std::mem::take(&mut self.current);
            if !event.data.is_empty() {
                events.push(event);
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.current.event = value.to_owned(),
            "data" => {
                if !self.current.data.is_empty() {
                    self.current.data.push('\n');
                }
                self.current.data.push_str(value);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_split_anywhere() {
        let text = b": keep-alive\n\nevent: policy\r\ndata: {\"a\":1}\r\n\r\ndata: x\ndata: y\n\n";
        for cut in 0..text.len() {
            let mut reader = EventReader::default();
            let mut events = reader.feed(&text[..cut]).unwrap();
            events.extend(reader.feed(&text[cut..]).unwrap());
            assert_eq!(events.len(), 2, "cut at {cut}");
            assert_eq!(
                (events[0].event.as_str(), events[0].data.as_str()),
                ("policy", "{\"a\":1}")
            );
            assert_eq!(events[1].data, "x\ny");
        }
    }

    #[test]
    fn what_began_is_known_until_it_ends() {
        let mut reader = EventReader::default();
        for (bytes, within) in [
            ("", false),
            (": he", true),
            ("re\n", false),
            ("\n", false),
            ("event: policy\n", true),
            ("data: {}\n", true),
            ("\n", false),
            ("event: empty\n\n", false),
            ("data: a\n\ndata: b", true),
        ] {
            reader.feed(bytes.as_bytes()).unwrap();
            assert_eq!(reader.is_within(), within, "{bytes:?}");
        }
    }

    #[test]
    fn endless_events_are_refused() {
        let mut reader = EventReader::default();
        assert_eq!(
            reader.feed(&vec![b'x'; MAX_EVENT_BYTES + 1]),
            Err(EventTooLong)
        );
    }
}
