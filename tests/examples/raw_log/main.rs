//! A log of bytes that nobody signed, for other people's load generators.
//!
//! Owns the endpoint `POST /add` of Tessera's hammer over the parts of `cairn-server` that know no
//! events: staging, the store, the check before signing, tiles. It is no way into a real log: it takes
//! a new folder and a new key only, and no origin but one under `example.test/`.
//!
//! Usage: `raw_log ORIGIN FOLDER`. The first line is `listening URL`; the key is in `FOLDER/log.vkey`.
//! Source: Tessera's `internal/hammer`, C2SP tlog-tiles.

mod http;
mod log;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use cairn_server::store::{KeyedStore, LogStore, Rocks};
use cairn_tlog::{KeyAlgorithm, SignerKey};
use tokio::net::TcpListener;

/// The only names that are taken: `.test` is reserved for tests (RFC 2606).
const TEST_ORIGIN: &str = "example.test/";

#[tokio::main]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [origin, folder] = words.as_slice() else {
        anyhow::bail!("expected ORIGIN FOLDER");
    };
    ensure!(
        origin.starts_with(TEST_ORIGIN),
        "`{origin}` does not begin with `{TEST_ORIGIN}`: a log of unsigned bytes has no other name"
    );
    let folder = Path::new(folder);
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    let key = SignerKey::from_seed(origin, KeyAlgorithm::Ed25519, &seed)?;
    let store = folder.join("store");
    std::fs::create_dir_all(folder)?;
    std::fs::create_dir(&store).context("the store must be a new folder")?;
    std::fs::write(folder.join("log.vkey"), format!("{}\n", key.verifier()))?;
    let store: Arc<dyn LogStore> = Arc::new(KeyedStore::new(Rocks::open(&store)?));

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let log = log::start(Arc::clone(&store), key)?;
    println!("listening http://{}", listener.local_addr()?);
    Ok(http::serve(listener, store, log).await?)
}
