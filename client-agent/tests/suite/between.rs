//! Somebody between the device and its server, who answers as they like.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

/// Answers every request on a port of the loopback interface by `answer`, which is given method and path;
/// gives the address.
pub fn between(answer: impl Fn(&str, &mut TcpStream) + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let answer = answer.clone();
            std::thread::spawn(move || {
                if let Some(asked) = asked(&stream) {
                    answer(&asked, &mut stream);
                }
            });
        }
    });
    url
}

/// Method and path of the request that comes, once all of it is here.
fn asked(stream: &TcpStream) -> Option<String> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).ok()? > 0 {}
    let length = head.lines().find_map(|line| {
        let line = line.to_ascii_lowercase();
        line.strip_prefix("content-length: ")?.parse().ok()
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let (asked, _version) = head.lines().next()?.rsplit_once(' ')?;
    Some(asked.to_owned())
}

/// Writes an answer of JSON and ends the connection.
pub fn say(stream: &mut TcpStream, status: &str, text: &str) {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        text.len()
    );
    // Whoever asked may be gone already.
    let _gone = stream.write_all(format!("{head}{text}").as_bytes());
}

/// Pours a body without an end until nobody takes it any more; gives how much was taken.
pub fn pour(stream: &mut TcpStream, status: &str) -> usize {
    let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\n\r\n");
    if stream.write_all(head.as_bytes()).is_err() {
        return 0;
    }
    let piece = [b' '; 65_536];
    let mut poured = 0;
    while let Ok(taken) = stream.write(&piece) {
        poured += taken;
    }
    poured
}
