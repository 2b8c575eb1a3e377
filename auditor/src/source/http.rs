//! A log behind a server: its public tile resources, and disclosures for whoever may read them.
//!
//! Owns requests, retries and size limits. It trusts nothing that it is answered.
//! Source: C2SP tlog-tiles; `docs/formats/http.md`.

use super::{CHECKPOINT_PAGE, Disclosed, LogSource, MAX_BLOB_BYTES, MAX_BUNDLE_BYTES, SourceError};
use cairn_event::Sha256;
use cairn_tlog::{BundleId, TileId};
use serde_json::Value;
use std::time::Duration;

/// How long one request may take: a full bundle over a slow line.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// How often a request is tried when the server is busy or the line breaks.
const ATTEMPTS: u32 = 5;

/// Largest JSON or text answer: an entry of 64 KiB with every disclosure it may have.
const MAX_ANSWER_BYTES: u64 = 4 * 1024 * 1024;

/// A server that publishes a log.
pub struct Http {
    base: String,
    token: Option<String>,
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

impl Http {
    /// Prepares to read from `base` (for example `https://log.example`), with a bearer token where
    /// disclosures are wanted.
    ///
    /// Errors: [`SourceError::Setup`] when the client cannot be built.
    pub fn new(base: &str, token: Option<String>) -> Result<Self, SourceError> {
        let setup = |error: &dyn std::fmt::Display| SourceError::Setup(error.to_string());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| setup(&error))?;
        let client = reqwest::Client::builder()
            .timeout(REQUEST_TIMEOUT)
            .build()
            .map_err(|error| setup(&error))?;
        Ok(Self {
            base: base.trim_end_matches('/').to_owned(),
            token,
            client,
            runtime,
        })
    }

    fn get(&self, path: &str, limit: u64, with_token: bool) -> Result<Vec<u8>, SourceError> {
        self.runtime
            .block_on(self.get_with_retries(path, limit, with_token))
    }

    async fn get_with_retries(
        &self,
        path: &str,
        limit: u64,
        with_token: bool,
    ) -> Result<Vec<u8>, SourceError> {
        let mut attempt = 1;
        loop {
            match self.get_once(path, limit, with_token).await {
                Err(error) if attempt < ATTEMPTS && may_pass(&error) => {
                    tokio::time::sleep(Duration::from_millis(200 << attempt)).await;
                    attempt += 1;
                }
                other => return other,
            }
        }
    }

    async fn get_once(
        &self,
        path: &str,
        limit: u64,
        with_token: bool,
    ) -> Result<Vec<u8>, SourceError> {
        let failed = |cause| SourceError::Network {
            path: path.to_owned(),
            cause,
        };
        let mut request = self.client.get(format!("{}/{path}", self.base));
        if let Some(token) = self.token.as_ref().filter(|_| with_token) {
            request = request.bearer_auth(token);
        }
        let mut response = request.send().await.map_err(failed)?;
        match response.status().as_u16() {
            200 => {}
            404 => return Err(SourceError::Missing(path.to_owned())),
            status => {
                return Err(SourceError::Status {
                    path: path.to_owned(),
                    status,
                });
            }
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() as u64 > limit {
                return Err(SourceError::TooLarge {
                    path: path.to_owned(),
                    limit,
                });
            }
        }
        Ok(bytes)
    }

    fn text(&self, path: &str) -> Result<String, SourceError> {
        let bytes = self.get(path, MAX_ANSWER_BYTES, false)?;
        String::from_utf8(bytes).map_err(|_| shape(path, "not UTF-8"))
    }

    fn json(&self, path: &str, with_token: bool) -> Result<Value, SourceError> {
        let bytes = self.get(path, MAX_ANSWER_BYTES, with_token)?;
        serde_json::from_slice(&bytes).map_err(|error| shape(path, &error.to_string()))
    }
}

fn may_pass(error: &SourceError) -> bool {
    match error {
        SourceError::Network { .. } => true,
        SourceError::Status { status, .. } => matches!(status, 429 | 502..=504),
        _ => false,
    }
}

fn shape(path: &str, detail: &str) -> SourceError {
    SourceError::Shape {
        path: path.to_owned(),
        detail: detail.to_owned(),
    }
}

impl LogSource for Http {
    fn checkpoint(&self) -> Result<String, SourceError> {
        self.text("checkpoint")
    }

    fn checkpoint_sizes(&self, after: u64) -> Result<Vec<u64>, SourceError> {
        let path = format!("v1/checkpoints?after={after}&limit={CHECKPOINT_PAGE}");
        let answer = self.json(&path, false)?;
        let sizes = answer.get("sizes").and_then(Value::as_array);
        let sizes = sizes.ok_or_else(|| shape(&path, "no list `sizes`"))?;
        let read = sizes
            .iter()
            .map(Value::as_u64)
            .collect::<Option<Vec<u64>>>();
        read.ok_or_else(|| shape(&path, "a size is not a number"))
    }

    fn checkpoint_at(&self, size: u64) -> Result<String, SourceError> {
        self.text(&format!("v1/checkpoints/{size}"))
    }

    fn tile(&self, id: TileId) -> Result<Vec<u8>, SourceError> {
        let full = TileId::full(id.level, id.index);
        match self.get(&id.to_string(), full.byte_len() as u64, false) {
            // A log may drop partial tiles once the full one exists; they are its prefixes.
            Err(error) if error.is_missing() && !id.is_full() => {
                let mut bytes = self.get(&full.to_string(), full.byte_len() as u64, false)?;
                bytes.truncate(id.byte_len());
                Ok(bytes)
            }
            other => other,
        }
    }

    fn bundle(&self, id: BundleId) -> Result<Vec<u8>, SourceError> {
        match self.get(&id.to_string(), MAX_BUNDLE_BYTES, false) {
            Err(error) if error.is_missing() && !id.is_full() => {
                let full = BundleId::full(id.index).to_string();
                let bytes = self.get(&full, MAX_BUNDLE_BYTES, false)?;
                let prefix = cairn_tlog::bundle::prefix(&bytes, id.width).map(<[u8]>::to_vec);
                prefix.ok_or_else(|| shape(&full, "the full bundle is too short"))
            }
            other => other,
        }
    }

    fn blob(&self, digest: &Sha256) -> Result<Vec<u8>, SourceError> {
        self.get(&format!("v1/blobs/{digest}"), MAX_BLOB_BYTES, true)
    }

    fn disclosures(&self, index: u64) -> Result<Vec<Disclosed>, SourceError> {
        if self.token.is_none() {
            return Ok(Vec::new());
        }
        let path = format!("v1/events/{index}");
        let detail = self.json(&path, true)?;
        let list = detail.get("disclosures").and_then(Value::as_array);
        let list = list.ok_or_else(|| shape(&path, "no list `disclosures`"))?;
        list.iter()
            .map(|one| {
                let encoded = one.get("encoded").and_then(Value::as_str);
                match (one.get("state").and_then(Value::as_str), encoded) {
                    (Some("present"), Some(encoded)) => Ok(Disclosed::Present(encoded.to_owned())),
                    (Some("present" | "withheld"), None) | (Some("withheld"), Some(_)) => {
                        Ok(Disclosed::Withheld)
                    }
                    (Some("erased"), _) => Ok(Disclosed::Erased),
                    _ => Err(shape(&path, "a disclosure has no known state")),
                }
            })
            .collect()
    }
}
