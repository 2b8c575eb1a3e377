//! RFC 5424 syslog over TCP with octet counting (RFC 6587 section 3.4.1).
//!
//! Owns the framing. Trap: syslog has no acknowledgement. What was in a socket buffer when a receiver
//! died is lost and nobody says so; the checkpoint records let the receiver's side notice.

use super::{Delivery, Sink, SinkError};
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

/// Facility 13, log audit (RFC 5424 section 6.2.1).
const FACILITY: u32 = 13;

/// Syslog severity of an alert: warning.
const WARNING: u32 = 4;

/// Syslog severity of everything else: informational.
const INFORMATIONAL: u32 = 6;

/// The enterprise number that RFC 5612 reserves for documentation; Cairn has none of its own.
const ENTERPRISE: &str = "cairn@32473";

/// Longest wait for a receiver that reads nothing.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection to a receiver.
pub struct Syslog {
    stream: TcpStream,
}

impl Syslog {
    /// Connects to `host:port`.
    ///
    /// Errors: [`SinkError::Open`].
    pub fn connect(place: &str) -> Result<Self, SinkError> {
        let failed = |cause| SinkError::Open(format!("syslog:{place}"), cause);
        let stream = TcpStream::connect(place).map_err(failed)?;
        stream
            .set_write_timeout(Some(WRITE_TIMEOUT))
            .map_err(failed)?;
        Ok(Self { stream })
    }
}

impl Sink for Syslog {
    fn send(&mut self, delivery: &Delivery) -> Result<(), SinkError> {
        Ok(self.stream.write_all(frame(delivery).as_bytes())?)
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        Ok(self.stream.flush()?)
    }
}

/// One framed message: its length in octets, a space, the message.
pub fn frame(delivery: &Delivery) -> String {
    let priority = FACILITY * 8
        + if delivery.alert {
            WARNING
        } else {
            INFORMATIONAL
        };
    let milliseconds = i64::try_from(delivery.time_ms).unwrap_or_default();
    let time = jiff::Timestamp::from_millisecond(milliseconds)
        .map_or_else(|_| "-".to_owned(), |time| time.to_string());
    let kind = if delivery.index.is_some() {
        "record"
    } else {
        "checkpoint"
    };
    let index = delivery
        .index
        .map_or_else(|| "-".to_owned(), |index| index.to_string());
    // The message is UTF-8, which RFC 5424 section 6.4 announces with a byte-order mark.
    let message = format!(
        "<{priority}>1 {time} - cairn - {kind} [{ENTERPRISE} index=\"{index}\"] \u{feff}{}",
        delivery.json
    );
    format!("{} {message}", message.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_in_octets() {
        let delivery = Delivery {
            index: Some(7),
            time_ms: 0,
            alert: true,
            json: "{\"a\":\"é\"}".into(),
        };
        let framed = frame(&delivery);
        let (count, message) = framed.split_once(' ').unwrap();
        assert_eq!(count.parse::<usize>().unwrap(), message.len());
        assert!(
            message.starts_with("<108>1 1970-01-01T00:00:00Z - cairn - record "),
            "{message}"
        );
        assert!(message.contains("[cairn@32473 index=\"7\"] \u{feff}{"));
    }
}
