//! Makes the folder of the console's files exist, so that the server builds without Node.
//!
//! The console is built apart; until then its place is taken by a page that says how.

use std::path::Path;
use std::{fs, io};

const PAGE: &str = "<!doctype html>\n<meta charset=\"utf-8\">\n<title>Cairn</title>\n\
    <h1>The console is not built</h1>\n\
    <p>Run <code>cargo xtask console</code> and build <code>cairn-server</code> again.</p>\n";

fn main() -> io::Result<()> {
    let folder = Path::new("../console/dist");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={}", folder.display());
    let page = folder.join("index.html");
    if !page.exists() {
        fs::create_dir_all(folder)?;
        fs::write(page, PAGE)?;
    }
    Ok(())
}
