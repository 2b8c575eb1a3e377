//! One HTTP/1.1 connection that carries requests made beforehand.
//!
//! Owns the few lines of HTTP that a load needs, so that the generator takes as little of the machine
//! as it can: a request is written in one piece, and an answer is read by its `content-length`.

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Room for an answer at the start; it grows to the largest answer.
const ANSWER_BYTES: usize = 16_384;

/// The address of a server: what a connection goes to, and the `host` of its requests.
#[derive(Clone, Debug)]
pub struct Address(String);

impl Address {
    /// Takes the address out of a URL.
    pub fn of(url: &str) -> Result<Self> {
        let host = url.strip_prefix("http://").context("expected http://…")?;
        Ok(Self(host.trim_end_matches('/').to_owned()))
    }

    /// A whole `POST` request.
    pub fn post(&self, path: &str, media_type: &str, body: &str) -> Vec<u8> {
        let (host, length) = (&self.0, body.len());
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: {media_type}\r\n\
             content-length: {length}\r\n\r\n"
        );
        request.push_str(body);
        request.into_bytes()
    }

    /// A whole `GET` request.
    pub fn get(&self, path: &str) -> Vec<u8> {
        format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.0).into_bytes()
    }
}

/// A connection that is used for one request after the other.
pub struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub async fn open(address: &Address) -> Result<Self> {
        let stream = TcpStream::connect(&address.0).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            read: Vec::with_capacity(ANSWER_BYTES),
        })
    }

    /// Sends a request and gives the body of its answer, which must be a success.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<&[u8]> {
        self.stream.write_all(request).await?;
        self.read.clear();
        let (head, length) = loop {
            self.read_more().await?;
            if let Some(end) = find(&self.read, b"\r\n\r\n") {
                let head = std::str::from_utf8(self.read.get(..end).unwrap_or_default())?;
                break (end + 4, content_length(head)?);
            }
        };
        while self.read.len() < head + length {
            self.read_more().await?;
        }
        let body = self.read.get(head..head + length);
        body.context("the answer is longer than it says")
    }

    async fn read_more(&mut self) -> Result<()> {
        if self.stream.read_buf(&mut self.read).await? == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }
}

fn content_length(head: &str) -> Result<usize> {
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then_some(value)
    });
    if !status.starts_with("HTTP/1.1 2") {
        bail!("the server answered `{status}`");
    }
    Ok(length.context("an answer without a length")?.parse()?)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
