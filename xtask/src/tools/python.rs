//! Python: one environment in the cache, and wheels that carry other tools.
//!
//! It owns the environment's contents. It does not install Python itself; that is a system package.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::context::Context;
use crate::process::{self, Process};

/// The Python packages of the suites, with versions.
const REQUIREMENTS: &str = "tests/requirements.txt";

/// The environment's interpreter with the packages of `tests/requirements.txt`; `None` without Python.
///
/// # Errors
/// The environment cannot be made or a package cannot be installed.
pub fn python(context: &Context) -> Result<Option<PathBuf>> {
    let Some(interpreter) = environment(context)? else {
        return Ok(None);
    };
    let list = context.checkout.join(REQUIREMENTS);
    let stamp = context.cache.venv().join("cairn-requirements.txt");
    if list.is_file() && fs::read(&list).ok() != fs::read(&stamp).ok() {
        Process::new(context, "install Python packages", &interpreter)
            .args(["-m", "pip", "install", "--quiet", "-r"])
            .args([&list])
            .must()?;
        fs::copy(&list, &stamp).context("cannot note which Python packages are installed")?;
    }
    Ok(Some(interpreter))
}

/// The interpreter of the environment in the cache, which is made if it is not there.
fn environment(context: &Context) -> Result<Option<PathBuf>> {
    let interpreter = context.cache.venv().join("bin/python");
    if process::answer(&interpreter, &["-m", "pip", "--version"]).is_some() {
        return Ok(Some(interpreter));
    }
    let Some(system) = process::find("python3") else {
        return Ok(None);
    };
    Process::new(context, "make a Python environment", system)
        .args(["-m", "venv", "--clear"])
        .args([context.cache.venv()])
        .must()?;
    Ok(Some(interpreter))
}

/// Unpacks one wheel into `folder` unless it is there; false means that there is no Python to do it.
///
/// The folder appears complete or not at all, so that an interrupted install is repeated.
///
/// # Errors
/// The wheel cannot be had or the folder cannot be written.
pub fn unpack_wheel(context: &Context, wheel: &str, version: &str, folder: &Path) -> Result<bool> {
    if folder.is_dir() {
        return Ok(true);
    }
    let Some(interpreter) = environment(context)? else {
        return Ok(false);
    };
    let partial = folder.with_file_name(format!("{wheel}-{version}.partial"));
    if partial.exists() {
        fs::remove_dir_all(&partial).context("cannot remove an interrupted install")?;
    }
    Process::new(context, format!("install {wheel} {version}"), interpreter)
        .args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"])
        .args([&partial])
        .args([format!("{wheel}=={version}")])
        .pulse("downloading")
        .must()?;
    fs::rename(&partial, folder).with_context(|| format!("cannot finish installing `{wheel}`"))?;
    Ok(true)
}
