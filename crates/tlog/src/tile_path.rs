//! URL paths of tiles and entry bundles, both ways, strictly.
//!
//! Owns the spelling `tile/<L>/<N>[.p/<W>]` and `tile/entries/<N>[.p/<W>]` relative to the log's
//! prefix. It does not own whether such a resource exists. Source: C2SP tlog-tiles.
//!
//! Exactly one spelling names a resource: percent-encoding, `..`, leading zeros and a non-minimal
//! leading group are refused, so a path can serve as a cache key.

use std::fmt;
use std::str::FromStr;

use crate::decimal;
use crate::tile::{BundleId, MAX_TILE_LEVEL, TILE_WIDTH, TileId};

/// Why a tile or bundle path was refused; an HTTP server answers 404.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The path does not begin with `tile/` or `tile/entries/`.
    #[error("path does not begin with the resource kind")]
    Kind,
    /// The level is not a decimal from 0 to 63.
    #[error("tile level is not a decimal from 0 to 63")]
    Level,
    /// The index is not in groups of three digits, all but the last prefixed with `x`.
    #[error("tile index is not in canonical groups of three digits")]
    Index,
    /// The width is not a decimal from 1 to 255.
    #[error("partial width is not a decimal from 1 to 255")]
    Width,
}

impl fmt::Display for TileId {
    /// Writes the path, `tile/15/x455/667` or `tile/15/x455/667.p/41`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/{}/", self.level)?;
        write_index(f, self.index)?;
        write_width(f, self.width)
    }
}

impl fmt::Display for BundleId {
    /// Writes the path, `tile/entries/x455/667` or `tile/entries/x455/667.p/41`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/entries/")?;
        write_index(f, self.index)?;
        write_width(f, self.width)
    }
}

impl FromStr for TileId {
    type Err = PathError;

    fn from_str(path: &str) -> Result<Self, PathError> {
        let rest = path.strip_prefix("tile/").ok_or(PathError::Kind)?;
        let (level, rest) = rest.split_once('/').ok_or(PathError::Level)?;
        let level = decimal::parse(level).and_then(|level| u8::try_from(level).ok());
        let level = level
            .filter(|&level| level <= MAX_TILE_LEVEL)
            .ok_or(PathError::Level)?;
        let (index, width) = parse_index_and_width(rest)?;
        Ok(Self {
            level,
            index,
            width,
        })
    }
}

impl FromStr for BundleId {
    type Err = PathError;

    fn from_str(path: &str) -> Result<Self, PathError> {
        let rest = path.strip_prefix("tile/entries/").ok_or(PathError::Kind)?;
        let (index, width) = parse_index_and_width(rest)?;
        Ok(Self { index, width })
    }
}

fn write_index(f: &mut fmt::Formatter<'_>, index: u64) -> fmt::Result {
    let mut groups = Vec::new();
    let mut rest = index;
    while rest >= 1000 {
        groups.push(rest % 1000);
        rest /= 1000;
    }
    groups.push(rest);
    let last = groups.len() - 1;
    for (position, group) in groups.iter().rev().enumerate() {
        let (prefix, separator) = if position < last {
            ("x", "/")
        } else {
            ("", "")
        };
        write!(f, "{prefix}{group:03}{separator}")?;
    }
    Ok(())
}

fn write_width(f: &mut fmt::Formatter<'_>, width: u16) -> fmt::Result {
    if width == TILE_WIDTH {
        Ok(())
    } else {
        write!(f, ".p/{width}")
    }
}

fn parse_index_and_width(text: &str) -> Result<(u64, u16), PathError> {
    let Some((index, width)) = text.split_once(".p/") else {
        return Ok((parse_index(text)?, TILE_WIDTH));
    };
    let width = decimal::parse(width).and_then(|width| u16::try_from(width).ok());
    let width = width
        .filter(|width| (1..TILE_WIDTH).contains(width))
        .ok_or(PathError::Width)?;
    Ok((parse_index(index)?, width))
}

fn parse_index(text: &str) -> Result<u64, PathError> {
    let (leading, last) = text
        .rsplit_once('/')
        .map_or((None, text), |(l, r)| (Some(l), r));
    let mut index: u64 = 0;
    for (position, group) in leading.into_iter().flat_map(|l| l.split('/')).enumerate() {
        let value = parse_group(group.strip_prefix('x').ok_or(PathError::Index)?)?;
        if position == 0 && value == 0 {
            return Err(PathError::Index);
        }
        index = append_group(index, value)?;
    }
    append_group(index, parse_group(last)?)
}

fn parse_group(digits: &str) -> Result<u64, PathError> {
    if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(PathError::Index);
    }
    digits.parse().map_err(|_| PathError::Index)
}

fn append_group(index: u64, group: u64) -> Result<u64, PathError> {
    let shifted = index
        .checked_mul(1000)
        .and_then(|index| index.checked_add(group));
    shifted.ok_or(PathError::Index)
}
