//! Following the server: react to a push within a second, poll where the stream does not hold.
//!
//! Owns reconnecting with jitter and the rule that each connection begins with a full check, so a
//! missed push is never missed for good.

use super::sync::{SyncError, Syncer};
use crate::access::Access;
use crate::backoff::Backoff;
use crate::key::DeviceKey;
use crate::recorder::Recorder;
use cairn_api::{Client, ClientError, paths};
use futures_util::StreamExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Longest silence on the stream before it is opened anew: 60 s.
///
/// A middlebox that drops an idle connection tells nobody; each new one begins with a check.
const SILENCE: Duration = Duration::from_secs(60);

/// Problem codes that say this device's key is not good (any more), and not only its token.
const GONE: [&str; 2] = ["device-revoked", "unknown-key"];

/// Follows policy and roster for ever; `problem` shows the last failure.
pub async fn follow(
    mut syncer: Syncer,
    mut access: Access,
    key: Arc<DeviceKey>,
    recorder: Recorder,
    problem: watch::Sender<Option<String>>,
) {
    let mut backoff = Backoff::default();
    loop {
        match round(
            &mut syncer,
            &mut access,
            &key,
            &recorder,
            &problem,
            &mut backoff,
        )
        .await
        {
            // A server that closes every stream at once must not be asked in a tight loop.
            Ok(()) => tokio::time::sleep(backoff.wait()).await,
            Err(error) => {
                tracing::warn!(%error, "policy is not up to date");
                problem.send_replace(Some(error.to_string()));
                if let Some(refused) = error.key_refused() {
                    access.forget();
                    if GONE.contains(&refused.code())
                        && let Err(error) = syncer.refuse(refused)
                    {
                        tracing::error!(%error, "the refusal is not on disk");
                    }
                }
                tokio::time::sleep(backoff.wait()).await;
            }
        }
    }
}

/// One connection: open the stream first and check afterwards, so that nothing falls between.
async fn round(
    syncer: &mut Syncer,
    access: &mut Access,
    key: &DeviceKey,
    recorder: &Recorder,
    problem: &watch::Sender<Option<String>>,
    backoff: &mut Backoff,
) -> Result<(), SyncError> {
    let client = access.client(key.signer()).await?;
    let stream = open(&client).await;
    syncer.sync(access, key, recorder).await?;
    problem.send_replace(None);
    let stream = stream?;
    backoff.reset();
    let mut stream = std::pin::pin!(stream);
    while let Ok(Some(event)) = tokio::time::timeout(SILENCE, stream.next()).await {
        event?;
        syncer.sync(access, key, recorder).await?;
        problem.send_replace(None);
    }
    Ok(())
}

async fn open(
    client: &Client,
) -> Result<
    impl futures_util::Stream<Item = Result<cairn_api::event_stream::StreamEvent, ClientError>> + use<>,
    ClientError,
> {
    client.stream(paths::POLICY_STREAM).await
}
