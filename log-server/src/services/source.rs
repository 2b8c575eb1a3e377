//! Where a request came from, as the limits on codes and enrolments count it.
//!
//! Owns reading the peer, and behind a proxy that the configuration names, the address that this proxy
//! says it served. Does not own the limits (`cairn-identity`).
//! Sources: RFC 7239 section 4 (`Forwarded`); `X-Forwarded-For` by custom.

use crate::config::{ForwardHeader, ProxiesConfig};
use axum::http::HeaderMap;
use cairn_identity::enrolment::source_of;
use std::net::{IpAddr, SocketAddr};

/// Where a request came from; absent where the listener does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source(pub Option<String>);

impl Source {
    /// The source of a request from `peer`.
    ///
    /// A header is believed only from a proxy that the configuration names, and of its list only the hops
    /// that such proxies added: everything to the left is the client's own word. A proxy that says nothing
    /// that can be read is itself the source.
    #[must_use]
    pub fn of(peer: Option<SocketAddr>, headers: &HeaderMap, proxies: &ProxiesConfig) -> Self {
        let Some(peer) = peer else {
            return Self(None);
        };
        let mut address = peer.ip().to_canonical();
        let mut hops = hops(headers, proxies.header).into_iter().rev();
        while proxies.addresses.contains(&address) {
            match hops.next().flatten() {
                Some(hop) => address = hop,
                None => break,
            }
        }
        Self(Some(source_of(address)))
    }
}

/// The addresses of the header's list from left to right; `None` for one that is none.
///
/// Lists are cut at every comma, quoted or not: what the nearest proxy added has none within, and what it
/// added is all that is read.
fn hops(headers: &HeaderMap, header: ForwardHeader) -> Vec<Option<IpAddr>> {
    let lines = headers.get_all(header.name()).iter();
    lines
        // A line that is no text ends the walk where it stands.
        .flat_map(|line| line.to_str().unwrap_or("?").split(','))
        .map(|element| match header {
            ForwardHeader::XForwardedFor => address(element),
            ForwardHeader::Forwarded => element
                .split(';')
                .find_map(|pair| {
                    let (name, value) = pair.split_once('=')?;
                    name.trim().eq_ignore_ascii_case("for").then_some(value)
                })
                .and_then(address),
        })
        .collect()
}

/// `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:4711`, each perhaps quoted.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let quoted = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    let text = quoted.unwrap_or(text);
    let bracketed = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let bare = bracketed.unwrap_or(text).parse::<IpAddr>().ok();
    let found = bare.or_else(|| {
        text.parse::<SocketAddr>()
            .ok()
            .map(|with_port| with_port.ip())
    });
    found.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn proxies(header: ForwardHeader) -> ProxiesConfig {
        ProxiesConfig {
            addresses: vec!["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()],
            header,
        }
    }

    fn source(peer: &str, header: ForwardHeader, lines: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header.name(), HeaderValue::from_str(line).unwrap());
        }
        let peer = Some(peer.parse().unwrap());
        Source::of(peer, &headers, &proxies(header)).0.unwrap()
    }

    #[test]
    fn only_a_named_proxy_is_believed_and_only_about_its_own_hop() {
        let header = ForwardHeader::XForwardedFor;
        let of = |peer: &str, lines: &[&str]| source(peer, header, lines);
        assert_eq!(of("192.0.2.9:1", &["203.0.113.1"]), "192.0.2.9");
        assert_eq!(of("10.0.0.1:1", &["203.0.113.1"]), "203.0.113.1");
        assert_eq!(of("10.0.0.1:1", &["6.6.6.6, 203.0.113.1"]), "203.0.113.1");
        assert_eq!(of("10.0.0.1:1", &["6.6.6.6", "203.0.113.1"]), "203.0.113.1");
        let through_both = "6.6.6.6, 203.0.113.1, 10.0.0.2";
        assert_eq!(of("10.0.0.1:1", &[through_both]), "203.0.113.1");
        assert_eq!(
            of("[::ffff:10.0.0.1]:1", &["203.0.113.1:99"]),
            "203.0.113.1"
        );
        assert_eq!(of("10.0.0.1:1", &["[2001:db8::1]:99"]), "2001:db8::/64");
    }

    #[test]
    fn a_proxy_that_says_nothing_readable_is_the_source_itself() {
        let of = |lines: &[&str]| source("10.0.0.1:1", ForwardHeader::XForwardedFor, lines);
        for lines in [&[][..], &["unknown"], &["6.6.6.6, "], &["6.6.6.6, x"]] {
            assert_eq!(of(lines), "10.0.0.1", "{lines:?}");
        }
        assert_eq!(of(&["x, 10.0.0.2"]), "10.0.0.2");
    }

    #[test]
    fn the_standard_header_is_read_the_same_way() {
        let of = |lines: &[&str]| source("10.0.0.1:1", ForwardHeader::Forwarded, lines);
        assert_eq!(of(&["for=203.0.113.1;proto=https"]), "203.0.113.1");
        assert_eq!(
            of(&["proto=https; For=\"[2001:db8:1:2::3]:47\""]),
            "2001:db8:1:2::/64"
        );
        assert_eq!(of(&["for=6.6.6.6, for=203.0.113.1"]), "203.0.113.1");
        assert_eq!(of(&["for=\"6.6.6.6, for=203.0.113.1"]), "203.0.113.1");
        assert_eq!(of(&["for=_hidden"]), "10.0.0.1");
        assert_eq!(of(&["by=203.0.113.1"]), "10.0.0.1");
    }
}
