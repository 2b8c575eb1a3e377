//! The HTML of the enrolment pages: small template files, every value escaped.
//!
//! A template names values as `{{name}}`. There is no way to put in unescaped text from outside:
//! [`fill`] escapes, and only this file joins pages.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cairn_event::Sha256;
use cairn_identity::enrolment::{Applicant, fingerprint_words};
use std::sync::LazyLock;

const LAYOUT: &str = include_str!("pages/layout.html");
const STYLE: &str = include_str!("pages/style.css");
const FACTS: &str = include_str!("pages/facts.html");
const EMAIL: &str = include_str!("pages/email.html");
const CODE: &str = include_str!("pages/code.html");
const RECORDING: &str = include_str!("pages/recording.html");
const DONE: &str = include_str!("pages/done.html");
const REFUSED: &str = include_str!("pages/refused.html");
const GONE: &str = include_str!("pages/gone.html");
const MESSAGE: &str = "<p class=\"message\" role=\"alert\">{{message}}</p>";

/// Nothing but our own style, named by its digest, and forms that go back to us.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let digest = STANDARD.encode(Sha256::of(STYLE.as_bytes()).0);
    format!(
        "default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    )
});

/// What every page shows of the device, so that people see whose page it is.
pub(super) struct Facts {
    host: String,
    os_user: String,
    words: String,
    organisation: String,
}

impl Facts {
    pub(super) fn of(applicant: &Applicant, organisation: &str) -> Self {
        Self {
            host: applicant.host.clone(),
            os_user: applicant.os_user.clone(),
            words: fingerprint_words(&applicant.key),
            organisation: organisation.to_owned(),
        }
    }

    fn fill(&self, template: &str, more: &[(&str, &str)]) -> String {
        let mut values = vec![
            ("host", self.host.as_str()),
            ("os_user", self.os_user.as_str()),
            ("words", self.words.as_str()),
            ("organisation", self.organisation.as_str()),
        ];
        values.extend_from_slice(more);
        fill(template, &values)
    }
}

/// Asks for the address.
pub(super) fn email(facts: &Facts, message: &str, action: &str) -> String {
    let parts = [
        notice(message),
        facts.fill(FACTS, &[]),
        facts.fill(EMAIL, &[("action", action)]),
    ];
    layout("Enrol this device", &parts.concat(), "")
}

/// Asks for the code.
pub(super) fn code(
    facts: &Facts,
    message: &str,
    address: &str,
    action: &str,
    again: &str,
) -> String {
    let values = [("address", address), ("action", action), ("again", again)];
    let parts = [
        notice(message),
        facts.fill(FACTS, &[]),
        facts.fill(CODE, &values),
    ];
    layout("Enter the code", &parts.concat(), "")
}

/// The code was right, the roster entry is on its way. The page asks again by itself.
pub(super) fn recording(facts: &Facts) -> String {
    let parts = [facts.fill(RECORDING, &[]), facts.fill(FACTS, &[])];
    let refresh = "<meta http-equiv=\"refresh\" content=\"1\">";
    layout("Recording the device", &parts.concat(), refresh)
}

/// The device is in.
pub(super) fn done(facts: &Facts, address: &str) -> String {
    let parts = [
        facts.fill(DONE, &[("address", address)]),
        facts.fill(FACTS, &[]),
    ];
    layout("This device is enrolled", &parts.concat(), "")
}

/// The device will not come in.
pub(super) fn refused(facts: &Facts, reason: &str) -> String {
    let parts = [
        facts.fill(REFUSED, &[("reason", reason)]),
        facts.fill(FACTS, &[]),
    ];
    layout("The device was not enrolled", &parts.concat(), "")
}

/// There is no such enrolment, or its time is over.
pub(super) fn gone(message: &str) -> String {
    layout(
        "This page has expired",
        &[notice(message), GONE.to_owned()].concat(),
        "",
    )
}

fn notice(message: &str) -> String {
    if message.is_empty() {
        String::new()
    } else {
        fill(MESSAGE, &[("message", message)])
    }
}

/// Joins a whole page; `title` and `head` are ours, `body` is filled already.
fn layout(title: &str, body: &str, head: &str) -> String {
    let (before, rest) = split(LAYOUT, "{{head}}");
    let (between, after) = split(rest, "{{body}}");
    let before = fill(before, &[("title", title)]);
    let between = fill(between, &[("title", title)]);
    [
        &before, head, "<style>", STYLE, "</style>", &between, body, after,
    ]
    .concat()
}

fn split<'a>(text: &'a str, mark: &str) -> (&'a str, &'a str) {
    text.split_once(mark).unwrap_or((text, ""))
}

/// Replaces each `{{name}}` by its escaped value, in one pass: values are never read as templates.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len() + 256);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let (name, after) = split(after, "}}");
        if let Some((_, value)) = values.iter().find(|(known, _)| *known == name) {
            escape(value, &mut out);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Escapes text for element content and for quoted attribute values.
fn escape(text: &str, out: &mut String) {
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
}

/// A page with its headers.
pub(super) fn html(status: StatusCode, body: String) -> Response {
    let policy = HeaderValue::from_str(&POLICY);
    let policy = policy.unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"));
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
        (header::CONTENT_SECURITY_POLICY, policy),
    ];
    (status, headers, body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped_and_never_templates() {
        let text = fill(
            "<b title=\"{{a}}\">{{b}}</b>{{c}}",
            &[("a", "\"><x"), ("b", "{{a}}&'")],
        );
        assert_eq!(text, "<b title=\"&quot;&gt;&lt;x\">{{a}}&amp;&#39;</b>");
    }

    #[test]
    fn every_template_is_filled_whole() {
        let facts = Facts {
            host: "h".into(),
            os_user: "u".into(),
            words: "w".into(),
            organisation: "o".into(),
        };
        let pages = [
            email(&facts, "m", "/a"),
            code(&facts, "m", "a@b", "/a", "/b"),
            recording(&facts),
            done(&facts, "a@b"),
            refused(&facts, "r"),
            gone("m"),
        ];
        for page in pages {
            assert!(!page.contains("{{"), "{page}");
            assert!(page.contains("<style>") && !page.contains("<script"));
        }
    }
}
