//! Reading the confidential members of many entries: the leave to do it, and its parts in order.
//!
//! Owns what a part is held to: indices ascend inside what was asked for, nothing is given twice, and
//! the last line is there. Whether a disclosure belongs to its entry is the walk's to check.
//! Source: `docs/formats/http.md`, "Readings".

use super::{Disclosed, LogSource, SourceError};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Most entries asked for in one part; a server gives no more.
pub const MAX_PART_ENTRIES: u64 = 2_048;

/// The leave to read a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leave {
    /// Index of the entry that records it, where the source records readings.
    pub entry: Option<u64>,
    /// The range that was announced.
    pub range: Range<u64>,
}

/// The confidential members of consecutive entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// By index; an entry without any is absent.
    pub disclosed: BTreeMap<u64, Vec<Disclosed>>,
    /// The first index that was not looked at.
    pub next: u64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Entry { disclosures: Vec<Held>, index: u64 },
    End { entries: u64, next: u64 },
}

#[derive(Deserialize)]
struct Held {
    digest: String,
    encoded: Option<String>,
    state: String,
}

impl Part {
    /// Reads the lines of an answer about the entries of `asked`.
    ///
    /// Errors: what is wrong with it, in words; nothing of it is used.
    pub fn parse(text: &str, asked: &Range<u64>) -> Result<Self, String> {
        let body = text.strip_suffix('\n').ok_or("the last line is cut off")?;
        let (lines, last) = body.rsplit_once('\n').unwrap_or(("", body));
        let mut part = Self::default();
        let mut from = asked.start;
        for line in lines.lines() {
            let Line::Entry { disclosures, index } = read(line)? else {
                return Err("the end is not its last line".to_owned());
            };
            if index < from || index >= asked.end {
                return Err(format!("entry {index} is given twice or was not asked for"));
            }
            from = index.saturating_add(1);
            part.disclosed.insert(index, disclosed(index, disclosures)?);
        }
        let Line::End { entries, next } = read(last)? else {
            return Err("it has no last line".to_owned());
        };
        let moved = next > asked.start && next >= from && next <= asked.end;
        if entries != part.disclosed.len() as u64 || !moved {
            return Err("the last line does not fit the others".to_owned());
        }
        part.next = next;
        Ok(part)
    }
}

fn read(line: &str) -> Result<Line, String> {
    serde_json::from_str(line).map_err(|error| error.to_string())
}

fn disclosed(index: u64, held: Vec<Held>) -> Result<Vec<Disclosed>, String> {
    let mut digests = BTreeSet::new();
    let mut disclosed = Vec::with_capacity(held.len());
    for one in held {
        disclosed.push(match (one.state.as_str(), one.encoded) {
            ("present", Some(encoded)) => Disclosed::Present(encoded),
            ("withheld", None) => Disclosed::Withheld,
            ("erased", None) => Disclosed::Erased,
            _ => return Err(format!("a disclosure of entry {index} has no known state")),
        });
        if !digests.insert(one.digest) {
            return Err(format!("a disclosure of entry {index} is given twice"));
        }
    }
    Ok(disclosed)
}

/// Reads a leave in ascending order, one part ahead of what is taken.
pub struct Parts<'a> {
    source: &'a dyn LogSource,
    leave: &'a Leave,
    held: BTreeMap<u64, Vec<Disclosed>>,
    next: u64,
}

impl<'a> Parts<'a> {
    /// Nothing is read yet.
    pub fn new(source: &'a dyn LogSource, leave: &'a Leave) -> Self {
        Self {
            source,
            leave,
            held: BTreeMap::new(),
            next: leave.range.start,
        }
    }

    /// The confidential members of the entries of `range`, which must begin where the last one ended
    /// or later.
    ///
    /// Errors: [`SourceError`].
    pub fn take(
        &mut self,
        range: Range<u64>,
    ) -> Result<BTreeMap<u64, Vec<Disclosed>>, SourceError> {
        self.next = self.next.max(range.start);
        while self.next < range.end {
            let end = self.leave.range.end.max(range.end);
            let to = end.min(self.next.saturating_add(MAX_PART_ENTRIES));
            let part = self.source.disclosures_of(self.leave, self.next..to)?;
            self.held.extend(part.disclosed);
            self.next = part.next;
        }
        let later = self.held.split_off(&range.end);
        let taken = std::mem::replace(&mut self.held, later);
        Ok(taken)
    }
}

/// The confidential members of single entries, `indices` ascending; neighbours are asked for together.
///
/// Errors: [`SourceError`].
pub fn single(
    source: &dyn LogSource,
    leave: &Leave,
    indices: &[u64],
) -> Result<BTreeMap<u64, Vec<Disclosed>>, SourceError> {
    /// Most entries looked at in vain between two: one bundle, which a server reads whole anyway.
    const MAX_GAP: u64 = 256;
    let mut disclosed = BTreeMap::new();
    let neighbours = indices.chunk_by(|left, right| right.saturating_sub(*left) <= MAX_GAP);
    for group in neighbours {
        let (Some(first), Some(last)) = (group.first(), group.last()) else {
            continue;
        };
        let (mut next, end) = (*first, last.saturating_add(1));
        while next < end {
            let to = end.min(next.saturating_add(MAX_PART_ENTRIES));
            let part = source.disclosures_of(leave, next..to)?;
            disclosed.extend(part.disclosed);
            next = part.next;
        }
    }
    disclosed.retain(|index, _| indices.binary_search(index).is_ok());
    Ok(disclosed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: &str = "{\"entries\":1,\"next\":9}\n";

    fn entry(index: u64, states: &str) -> String {
        format!("{{\"disclosures\":[{states}],\"index\":{index}}}\n")
    }

    #[test]
    fn the_three_states_are_read() {
        let states = r#"{"digest":"a","state":"present","encoded":"x"},
            {"digest":"b","state":"withheld"},{"digest":"c","state":"erased"}"#;
        let text = entry(7, &states.replace('\n', "")) + END;
        let part = Part::parse(&text, &(5..9)).unwrap();
        let present = Disclosed::Present("x".to_owned());
        assert_eq!(
            part.disclosed[&7],
            [present, Disclosed::Withheld, Disclosed::Erased]
        );
        assert_eq!(part.next, 9);
    }

    #[test]
    fn what_is_cut_off_doubled_or_not_asked_for_is_refused() {
        let one = r#"{"digest":"a","state":"erased"}"#;
        let whole = entry(7, one) + END;
        assert!(Part::parse(&whole, &(5..9)).is_ok());
        for (text, reason) in [
            (entry(7, one), "no last line"),
            (whole[..whole.len() - 1].to_owned(), "cut off"),
            (String::new(), "cut off"),
            (entry(7, one) + &whole, "given twice"),
            (entry(4, one) + END, "not asked for"),
            (entry(9, one) + END, "not asked for"),
            (entry(7, &format!("{one},{one}")) + END, "given twice"),
            (END.to_owned(), "does not fit"),
            (whole.replace("9}", "10}"), "does not fit"),
            (whole.replace("\"next\":9", "\"next\":7"), "does not fit"),
            (END.to_owned() + &whole, "not its last line"),
            (
                entry(7, r#"{"digest":"a","state":"present"}"#) + END,
                "state",
            ),
            (entry(7, r#"{"digest":"a","state":"new"}"#) + END, "state"),
        ] {
            let refused = Part::parse(&text, &(5..9)).unwrap_err();
            assert!(refused.contains(reason), "{text}: {refused}");
        }
    }
}
