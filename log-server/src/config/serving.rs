//! How the server faces the network: TLS, connections, proxies, quotas, readiness, traces.
//!
//! Owns these sections of `config.toml`, their defaults and reasons.

use super::ConfigProblem;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::path::PathBuf;

/// TLS of the listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// PEM file with the certificate and its chain, relative to the data folder.
    pub certificate: PathBuf,
    /// PEM file with the private key, relative to the data folder.
    pub key: PathBuf,
    /// PEM file with the authorities whose client certificates are good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_ca: Option<PathBuf>,
    /// Who must show a client certificate; needs `client_ca`.
    #[serde(default)]
    pub client: ClientCertificates,
}

/// Who must show a client certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificates {
    /// Nobody.
    #[default]
    None,
    /// Whoever submits entries; browsers, auditors and witnesses need none.
    Submitters,
    /// Everybody: a connection without one ends in the handshake.
    Everybody,
}

/// Bounds of connections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConnectionsConfig {
    /// Connections open at once; one more is closed as it comes.
    pub at_once: u64,
    /// Seconds in which a request's head must have come, and a TLS handshake be over.
    pub head_s: u64,
    /// Seconds after which a connection on which nothing moves is closed.
    pub idle_s: u64,
}

/// Reverse proxies that are believed about the address they serve. The limits on codes and enrolments count
/// by it; without the list everybody behind a proxy is one source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProxiesConfig {
    /// Addresses of the proxies as this server sees them. Empty by default: anybody can send the header.
    pub addresses: Vec<IpAddr>,
    /// The one header that they write. Only one is read: a proxy passes on what a client put into the other.
    pub header: ForwardHeader,
}

/// The header in which a proxy names whom it serves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardHeader {
    /// `X-Forwarded-For`, which most proxies write.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

impl ForwardHeader {
    /// Its name in a request, lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
        }
    }
}

/// What one device may submit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QuotaConfig {
    /// Entries a second, sustained; 0 switches quotas off.
    pub entries_per_s: u64,
    /// Entries at once after a quiet time.
    pub burst: u64,
}

/// When the server calls itself ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HealthConfig {
    /// Seconds after which the newest published checkpoint is too old.
    pub stale_s: u64,
    /// Seconds that sequenced entries may wait for publication.
    pub lag_s: u64,
}

/// Where traces go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceConfig {
    /// OTLP/HTTP endpoint, for example `http://127.0.0.1:4318`; `/v1/traces` is added.
    pub otlp: String,
    /// One trace in this many is kept; a caller's sampled trace always is.
    #[serde(default = "every_trace")]
    pub one_in: u64,
}

fn every_trace() -> u64 {
    1
}

impl Default for ConnectionsConfig {
    fn default() -> Self {
        // 10,000 idle agents (one stream each) and half as many again in requests is more than one
        // organisation has on one server, and fits a usual limit of 20,000 open files; an idle connection costs about 10 KiB, with TLS 40 KiB.
        // 20 s lets a head come over a bad line. A stream says something every 15 s, so that 75 s
        // of silence is no stream.
        Self {
            at_once: 16_384,
            head_s: 20,
            idle_s: 75,
        }
    }
}

impl Default for QuotaConfig {
    fn default() -> Self {
        // An agent session makes a few entries a second at its busiest; 2,000 is a fifth of what a
        // small machine sequences, so five runaway devices are needed to fill it. The burst is what
        // a week offline leaves in a spool of a busy device.
        Self {
            entries_per_s: 2_000,
            burst: 50_000,
        }
    }
}

impl Default for HealthConfig {
    fn default() -> Self {
        // An unchanged head is published again every 10 minutes: two of these may fail. A witness
        // that restarts is back within half a minute.
        Self {
            stale_s: 1_800,
            lag_s: 30,
        }
    }
}

/// Members with their values and limits.
pub(super) fn ranges(
    connections: &ConnectionsConfig,
    quota: &QuotaConfig,
    health: &HealthConfig,
) -> [(&'static str, u64, u64, u64); 7] {
    [
        ("connections.at_once", connections.at_once, 16, 1_000_000),
        ("connections.head_s", connections.head_s, 1, 300),
        ("connections.idle_s", connections.idle_s, 1, 3_600),
        ("quota.entries_per_s", quota.entries_per_s, 0, 1_000_000),
        // A submission has up to 256 entries: below that a full one would never pass.
        ("quota.burst", quota.burst, 256, 10_000_000),
        ("health.stale_s", health.stale_s, 1, 604_800),
        ("health.lag_s", health.lag_s, 1, 86_400),
    ]
}

/// What is wrong with the sections that are there only when wanted.
pub(super) fn problems(tls: Option<&TlsConfig>, trace: Option<&TraceConfig>) -> Vec<ConfigProblem> {
    let mut problems = Vec::new();
    if tls.is_some_and(|tls| tls.client != ClientCertificates::None && tls.client_ca.is_none()) {
        problems.push(ConfigProblem::NoClientCa);
    }
    if let Some(trace) = trace {
        let is_http = url::Url::parse(&trace.otlp)
            .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if !is_http {
            problems.push(ConfigProblem::TraceUrl);
        }
        if trace.one_in == 0 {
            problems.push(ConfigProblem::Range {
                member: "trace.one_in",
                got: 0,
                least: 1,
                most: u64::MAX,
            });
        }
    }
    problems
}
