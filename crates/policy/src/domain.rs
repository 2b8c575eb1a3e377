//! Host patterns of `WebFetch(domain:…)` rules.
//!
//! Owns the pattern and how a host is read from an address; says nothing about other programs that
//! reach the network.
//! Source: Claude Code findings 2.6.

use url::Url;

/// A compiled host pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DomainPattern {
    labels: Vec<String>,
}

impl DomainPattern {
    /// Compiles what follows `domain:`; `None` where nothing is left of it.
    pub(crate) fn compile(text: &str) -> Option<Self> {
        let host = text.trim().to_lowercase();
        let host = host.trim_end_matches('.');
        if host.is_empty() || host.contains(['/', ':', '@', ' ']) {
            return None;
        }
        Some(Self {
            labels: host.split('.').map(str::to_owned).collect(),
        })
    }

    /// The last labels, up to a wildcard, that every covered host ends with.
    pub(crate) fn last_labels(&self) -> impl DoubleEndedIterator<Item = &str> {
        let wild = self.labels.iter().rposition(|label| label == "*");
        let first = wild.map_or(0, |at| at + 1);
        self.labels.iter().skip(first).map(String::as_str)
    }

    /// Whether it stands for every host.
    pub(crate) fn is_everything(&self) -> bool {
        self.labels.len() == 1 && self.labels.first().is_some_and(|label| label == "*")
    }

    /// A leading `*` stands for one or more labels, any other `*` for exactly one.
    pub(crate) fn covers(&self, host: &Host) -> bool {
        if self.is_everything() {
            return true;
        }
        let host = host.labels.as_slice();
        let (pattern, host) = match self.labels.split_first() {
            Some((first, rest)) if first == "*" => {
                let Some(skip) = host.len().checked_sub(rest.len()).filter(|skip| *skip > 0) else {
                    return false;
                };
                (rest, host.get(skip..).unwrap_or_default())
            }
            _ => (self.labels.as_slice(), host),
        };
        pattern.len() == host.len()
            && pattern
                .iter()
                .zip(host)
                .all(|(label, name)| label == "*" || label == name)
    }
}

/// A host by its labels: patterns are compared with it one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    labels: Vec<String>,
}

impl Host {
    /// The host of an address as a browser would read it; `None` where there is none.
    pub(crate) fn of(address: &str) -> Option<Self> {
        let url = Url::parse(address).ok()?;
        let host = url.host_str()?.trim_end_matches('.').to_lowercase();
        let labels = host.split('.').map(str::to_owned);
        (!host.is_empty()).then(|| Self {
            labels: labels.collect(),
        })
    }

    /// Its labels, the last one is the widest domain.
    pub(crate) fn labels(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.labels.iter().map(String::as_str)
    }
}
