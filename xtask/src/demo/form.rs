//! What a person does on the enrolment page: fill in a form, with the page's cookie.
//!
//! It owns just enough HTTP/1.1 for forms on loopback. Everything else goes through real clients.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// Longest wait for an answer: the last form waits for the witnesses.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// A browser window on one site.
#[derive(Debug)]
pub struct Window {
    host: String,
    cookies: Vec<String>,
}

/// A page as it came.
#[derive(Debug)]
pub struct Page {
    /// Status code.
    pub status: u16,
    /// The text of the page.
    pub body: String,
}

impl Window {
    /// Opens a window on `http://host:port`.
    ///
    /// # Errors
    /// The address is not plain http: the demo stays on loopback.
    pub fn open(address: &str) -> Result<Self> {
        let host = address
            .strip_prefix("http://")
            .context("not an http address")?;
        let host = host.split('/').next().unwrap_or(host).to_owned();
        Ok(Self {
            host,
            cookies: Vec::new(),
        })
    }

    /// Loads a page.
    ///
    /// # Errors
    /// The site cannot be reached or does not speak HTTP.
    pub fn load(&mut self, path: &str) -> Result<Page> {
        self.exchange("GET", path, None)
    }

    /// Sends a form and follows one redirect.
    ///
    /// # Errors
    /// As [`Window::load`].
    pub fn send(&mut self, path: &str, fields: &[(&str, &str)]) -> Result<Page> {
        let body: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{name}={}", encode(value)))
            .collect();
        self.exchange("POST", path, Some(body.join("&")))
    }

    fn exchange(&mut self, method: &str, path: &str, form: Option<String>) -> Result<Page> {
        let mut stream = TcpStream::connect(&self.host).with_context(|| self.host.clone())?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        let body = form.unwrap_or_default();
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.host);
        request.push_str("Connection: close\r\nAccept: text/html\r\n");
        request.push_str(&format!("Origin: http://{}\r\n", self.host));
        if !self.cookies.is_empty() {
            request.push_str(&format!("Cookie: {}\r\n", self.cookies.join("; ")));
        }
        if method == "POST" {
            request.push_str("Content-Type: application/x-www-form-urlencoded\r\n");
            request.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        stream.write_all(format!("{request}\r\n{body}").as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let Some((head, body)) = answer.split_once("\r\n\r\n") else {
            bail!("the answer of `{path}` has no end of head");
        };
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status: u16 = status.context("the answer has no status")?;
        self.keep_cookies(head);
        if let (303 | 302, Some(location)) = (status, header(head, "location")) {
            let path = location
                .split_once(&self.host)
                .map_or(location, |(_, path)| path);
            let path = path.to_owned();
            return self.exchange("GET", &path, None);
        }
        Ok(Page {
            status,
            body: body.to_owned(),
        })
    }

    fn keep_cookies(&mut self, head: &str) {
        for line in head.lines() {
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            if !name.eq_ignore_ascii_case("set-cookie") {
                continue;
            }
            let pair = value.split(';').next().unwrap_or(value).trim();
            let key = pair.split('=').next().unwrap_or(pair).to_owned();
            self.cookies
                .retain(|kept| kept.split('=').next() != Some(&key));
            self.cookies.push(pair.to_owned());
        }
    }
}

fn header<'a>(head: &'a str, wanted: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case(wanted).then(|| value.trim())
    })
}

fn encode(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    value
        .bytes()
        .map(|byte| {
            if plain(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_percent_encoded() {
        assert_eq!(encode("ann+x@example.com"), "ann%2Bx%40example.com");
    }

    #[test]
    fn the_newest_cookie_of_a_name_is_kept() {
        let mut window = Window::open("http://127.0.0.1:1/enroll/x").unwrap();
        window.keep_cookies("HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Path=/\r\nset-cookie: b=2");
        window.keep_cookies("HTTP/1.1 200 OK\r\nSet-Cookie: a=3");
        assert_eq!(window.cookies, ["b=2", "a=3"]);
    }
}
