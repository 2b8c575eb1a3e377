//! A receiver of mail: SMTP enough for a real client (RFC 5321), and the files of an outbox.

use super::world::{PATIENCE, World};
use std::collections::HashSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// One mail: the envelope's recipient and the whole text.
#[derive(Debug, Clone)]
pub struct Received {
    pub to: String,
    pub text: String,
}

impl Received {
    /// The six digits in its subject.
    pub fn code(&self) -> String {
        let subject = self
            .text
            .lines()
            .find(|line| line.starts_with("Subject: "))
            .unwrap();
        let code: String = subject.chars().filter(char::is_ascii_digit).collect();
        assert_eq!(code.len(), 6, "{subject}");
        code
    }
}

/// A listening receiver.
pub struct Sink {
    pub port: u16,
    mails: mpsc::UnboundedReceiver<Received>,
}

impl Sink {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, mails) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(receive(stream, sender.clone()));
            }
        });
        Self { port, mails }
    }

    pub async fn next(&mut self) -> Received {
        tokio::time::timeout(PATIENCE, self.mails.recv())
            .await
            .unwrap()
            .unwrap()
    }

    /// Whether no mail is waiting.
    pub fn is_empty(&mut self) -> bool {
        self.mails.try_recv().is_err()
    }
}

async fn receive(stream: TcpStream, sender: mpsc::UnboundedSender<Received>) {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 sink\r\n").await.unwrap();
    let mut to = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        let verb = line.trim().to_ascii_uppercase();
        let answer: &[u8] = if verb.starts_with("RCPT TO:") {
            to = line.trim()["RCPT TO:".len()..]
                .trim_matches(['<', '>'])
                .to_owned();
            b"250 ok\r\n"
        } else if verb == "DATA" {
            stream.write_all(b"354 go on\r\n").await.unwrap();
            let text = data(&mut stream).await;
            sender
                .send(Received {
                    to: to.clone(),
                    text,
                })
                .unwrap();
            b"250 taken\r\n"
        } else if verb == "QUIT" {
            b"221 bye\r\n"
        } else {
            b"250 ok\r\n"
        };
        stream.write_all(answer).await.unwrap();
    }
}

async fn data(stream: &mut BufReader<TcpStream>) -> String {
    let mut text = String::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        if line == ".\r\n" {
            return text;
        }
        text.push_str(&line);
    }
}

/// The outbox of a world, read file by file.
#[derive(Default)]
pub struct Outbox {
    seen: HashSet<PathBuf>,
}

impl Outbox {
    /// The next mail whose text holds `part`; waits for it.
    pub async fn next(&mut self, world: &World, part: &str) -> Received {
        let searching = async {
            loop {
                if let Some(found) = self.look(world, part) {
                    return found;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, searching).await.unwrap()
    }

    /// An unseen mail whose text holds `part`, if there is one.
    pub fn look(&mut self, world: &World, part: &str) -> Option<Received> {
        let files = std::fs::read_dir(world.outbox()).unwrap();
        let paths = files.map(|file| file.unwrap().path());
        for path in paths.filter(|path| path.extension().is_some_and(|one| one == "eml")) {
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.ends_with("\r\n"), "a mail is there in part: {text}");
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "a mail holds a code");
            if text.contains(part) && self.seen.insert(path) {
                let to = text
                    .lines()
                    .find_map(|line| line.strip_prefix("To: "))
                    .unwrap();
                return Some(Received {
                    to: to.to_owned(),
                    text,
                });
            }
        }
        None
    }
}
