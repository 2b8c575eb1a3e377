//! A log behind a server: its public tile resources, and disclosures for whoever may read them.
//!
//! Owns requests, retries and size limits. It trusts nothing that it is answered.
//! Source: C2SP tlog-tiles; `docs/formats/http.md`.

use super::reading::{Leave, Part};
use super::{
    CHECKPOINT_PAGE, LogSource, MAX_BLOB_BYTES, MAX_BUNDLE_BYTES, MAX_RETENTION_BYTES, SourceError,
    read_kept, read_retention,
};
use cairn_event::Sha256;
use cairn_identity::retention::Retention;
use cairn_tlog::{BundleId, TileId};
use serde_json::{Value, json};
use std::ops::Range;
use std::sync::OnceLock;
use std::time::Duration;

/// How long one request may take: a full bundle over a slow line.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// How often a request is tried when the server is busy or the line breaks.
const ATTEMPTS: u32 = 5;

/// Largest JSON or text answer: an entry of 64 KiB with every disclosure it may have.
const MAX_ANSWER_BYTES: u64 = 4 * 1024 * 1024;

/// Largest part of a reading: what a server ends a part at, one more bundle, and as much again.
const MAX_PART_BYTES: u64 = 512 * 1024 * 1024;

/// Largest list of checkpoint sizes of a log in plain files: five million of them.
const MAX_SIZES_BYTES: u64 = 64 * 1024 * 1024;

/// A server that publishes a log: `cairn-server`, or any that serves what its `export-static` wrote.
/// Plain files have no lists made to order: there `checkpoints/sizes` lists every checkpoint.
pub struct Http {
    base: String,
    /// The sizes of all checkpoints, once it is known that the server has plain files only.
    plain: OnceLock<Vec<u64>>,
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
        Self::trusting(base, token, None)
    }

    /// As [`Http::new`]. Where `authorities` holds certificates (PEM), they may certify the server and
    /// nobody else may.
    ///
    /// Errors: [`SourceError::Setup`], also when the text holds no certificate.
    pub fn trusting(
        base: &str,
        token: Option<String>,
        authorities: Option<&[u8]>,
    ) -> Result<Self, SourceError> {
        let setup = |error: &dyn std::fmt::Display| SourceError::Setup(error.to_string());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| setup(&error))?;
        let mut client = reqwest::Client::builder().timeout(REQUEST_TIMEOUT);
        if let Some(pem) = authorities {
            let read = reqwest::Certificate::from_pem_bundle(pem).map_err(|error| setup(&error))?;
            if read.is_empty() {
                return Err(setup(&"no certificate is in the file of authorities"));
            }
            client = client.tls_certs_only(read);
        }
        let client = client.build().map_err(|error| setup(&error))?;
        Ok(Self {
            base: base.trim_end_matches('/').to_owned(),
            token,
            plain: OnceLock::new(),
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
        let response = request.send().await.map_err(failed)?;
        body(path, response, limit).await
    }

    /// A page of sizes out of the one file that a server of plain files has.
    fn plain_sizes(&self, after: u64) -> Result<Vec<u64>, SourceError> {
        let path = "checkpoints/sizes";
        let all = match self.plain.get() {
            Some(all) => all,
            None => {
                let bytes = self.get(path, MAX_SIZES_BYTES, false)?;
                let text = String::from_utf8(bytes).map_err(|_| shape(path, "not UTF-8"))?;
                let read: Option<Vec<u64>> = text.lines().map(cairn_tlog::decimal::parse).collect();
                let read = read.ok_or_else(|| shape(path, "a size is not a number"))?;
                self.plain.get_or_init(|| read)
            }
        };
        let from = all.partition_point(|size| *size <= after);
        let page = usize::try_from(CHECKPOINT_PAGE).unwrap_or(usize::MAX);
        Ok(all.iter().skip(from).take(page).copied().collect())
    }

    fn text(&self, path: &str) -> Result<String, SourceError> {
        let bytes = self.get(path, MAX_ANSWER_BYTES, false)?;
        String::from_utf8(bytes).map_err(|_| shape(path, "not UTF-8"))
    }

    fn json(&self, path: &str) -> Result<Value, SourceError> {
        let bytes = self.get(path, MAX_ANSWER_BYTES, false)?;
        serde_json::from_slice(&bytes).map_err(|error| shape(path, &error.to_string()))
    }
}

/// The bytes of a good answer.
async fn body(
    path: &str,
    mut response: reqwest::Response,
    limit: u64,
) -> Result<Vec<u8>, SourceError> {
    let failed = |cause| SourceError::Network {
        path: path.to_owned(),
        cause,
    };
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
        if self.plain.get().is_some() {
            return self.plain_sizes(after);
        }
        let answer = match self.json(&path) {
            Err(error) if error.is_missing() => return self.plain_sizes(after),
            other => other?,
        };
        let sizes = answer.get("sizes").and_then(Value::as_array);
        let sizes = sizes.ok_or_else(|| shape(&path, "no list `sizes`"))?;
        let read = sizes
            .iter()
            .map(Value::as_u64)
            .collect::<Option<Vec<u64>>>();
        read.ok_or_else(|| shape(&path, "a size is not a number"))
    }

    fn checkpoint_at(&self, size: u64) -> Result<String, SourceError> {
        match self.plain.get() {
            Some(_) => self.text(&format!("checkpoints/{size}")),
            None => self.text(&format!("v1/checkpoints/{size}")),
        }
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

    fn retention(&self) -> Result<Retention, SourceError> {
        read_retention(self.get("retention", MAX_RETENTION_BYTES, false))
    }

    fn kept(&self, bundle: u64) -> Result<Vec<u8>, SourceError> {
        read_kept(self.get(&format!("kept/{bundle}"), MAX_BUNDLE_BYTES, false))
    }

    fn blob(&self, digest: &Sha256) -> Result<Vec<u8>, SourceError> {
        match self.plain.get() {
            Some(_) => self.get(&format!("blobs/{digest}"), MAX_BLOB_BYTES, false),
            None => self.get(&format!("v1/blobs/{digest}"), MAX_BLOB_BYTES, true),
        }
    }

    /// Asked once: a second entry about the same reading would be another reading.
    fn announce(&self, range: &Range<u64>, purpose: &str) -> Result<Option<Leave>, SourceError> {
        let Some(token) = &self.token else {
            return Ok(None);
        };
        let path = "v1/readings";
        let announcement = json!({ "end": range.end, "purpose": purpose, "start": range.start });
        let request = self.client.post(format!("{}/{path}", self.base));
        let request = request.bearer_auth(token).json(&announcement);
        let answer = self.runtime.block_on(async {
            let response = request.send().await.map_err(|cause| SourceError::Network {
                path: path.to_owned(),
                cause,
            })?;
            body(path, response, MAX_ANSWER_BYTES).await
        })?;
        let answer: Value =
            serde_json::from_slice(&answer).map_err(|error| shape(path, &error.to_string()))?;
        let entry = answer.get("reading").and_then(Value::as_u64);
        let entry = entry.ok_or_else(|| shape(path, "no number `reading`"))?;
        Ok(Some(Leave {
            entry: Some(entry),
            range: range.clone(),
        }))
    }

    fn disclosures_of(&self, leave: &Leave, part: Range<u64>) -> Result<Part, SourceError> {
        let Some(entry) = leave.entry else {
            let path = "the leave of another source".to_owned();
            return Err(SourceError::Missing(path));
        };
        let path = format!(
            "v1/readings/{entry}/disclosures?from={}&to={}",
            part.start, part.end
        );
        let bytes = self.get(&path, MAX_PART_BYTES, true)?;
        let text = String::from_utf8(bytes).map_err(|_| shape(&path, "not UTF-8"))?;
        Part::parse(&text, &part).map_err(|reason| shape(&path, &reason))
    }
}
