//! `cairn enroll`: page, words, waiting, and what is pinned at the end.

use super::{EnrollArguments, print_json, succession};
use crate::device::Facts;
use crate::enrolment::{Identity, check_log_key, genesis_authority};
use crate::key::DeviceKey;
use crate::state::{FOLDER_MODE, StateDir};
use anyhow::{Context as _, bail};
use cairn_api::access::{
    Admitted, EnrollRequest, EnrollStarted, EnrollState, EnrollStatus, enroll_message,
};
use cairn_api::{Client, ClientError, Family, paths};
use cairn_event::encoding::to_base64url;
use cairn_event::{Entry, Isolation, Sha256};
use cairn_tlog::TrustPolicy;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

/// Time between two questions whether the page is finished: 1 s.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// What is known of the log before the person proves who they are.
struct Log {
    origin: String,
    genesis_leaf: Sha256,
    genesis_entry: String,
    trust_policy: String,
    pinned_from_outside: bool,
}

pub(super) async fn run(
    state: &StateDir,
    arguments: &EnrollArguments,
    json: bool,
) -> anyhow::Result<ExitCode> {
    if !arguments.again
        && let Ok(known) = Identity::load(state)
    {
        bail!(
            "this device is enrolled already as `{}` at {}; use --again to enrol anew",
            known.device,
            known.server
        );
    }
    cairn_durable::create_dir_durable(state.path(), FOLDER_MODE)?;
    let client = Client::trusting(&arguments.server, &state.config()?.trust()?)?;
    let log = learn(&client, arguments).await?;
    // A fresh key for each enrolment: an old one may be enrolled already, or revoked.
    let next = succession::next(state)?;
    let key = DeviceKey::open_or_create(&next)?;
    let facts = Facts::read();
    let message = enroll_message(&log.origin, &key.signer().public_key());
    let request = EnrollRequest {
        key: key.signer().public_key(),
        pop: to_base64url(&key.signer().sign(&message)?),
        host: facts.host,
        os_user: facts.user,
        isolation: Isolation::SelfAsserted,
        protection: key.protection(),
    };
    let started = client
        .enroll(&request)
        .await
        .context("enrolment was not started")?;
    announce(&started, arguments.no_browser, json)?;
    let admitted = wait(&client, &started).await?;
    let identity = identity(&client, log, admitted, &key)?;
    identity.pinned()?;
    crate::daemon::stop(state)?;
    succession::succeed(state, &next, &identity.device)?;
    identity.save(state)?;
    crate::daemon::ensure(state)?;
    if json {
        print_json(&identity)?;
    } else {
        say!(
            "Enrolled as {} (device {}).",
            identity.email,
            identity.device
        );
        say!("Start your agent with `cairn claude`.");
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads genesis and trust policy and compares them with what the person was given.
async fn learn(client: &Client, arguments: &EnrollArguments) -> anyhow::Result<Log> {
    let genesis = client
        .genesis()
        .await
        .context("the server's genesis entry was not read")?;
    let entry = Entry::parse(genesis.entry.as_bytes())?;
    let given = match &arguments.genesis_hash {
        Some(text) => Some(
            Sha256::from_hex(text)
                .with_context(|| format!("`{text}` is not 64 lower-case hex digits"))?,
        ),
        None => None,
    };
    let genesis_leaf = given.unwrap_or_else(|| entry.leaf());
    let authority = genesis_authority(&genesis.entry, &genesis_leaf)?;
    let trust_policy = match &arguments.trust_policy {
        Some(path) => std::fs::read_to_string(path)
            .with_context(|| format!("`{}` was not read", path.display()))?,
        None => client
            .text(paths::TRUST_POLICY)
            .await
            .context("the trust policy was not read")?,
    };
    check_log_key(&TrustPolicy::parse(&trust_policy)?, &authority)?;
    let pinned_from_outside = given.is_some() && arguments.trust_policy.is_some();
    if !pinned_from_outside {
        tell!(
            "cairn: warning: trusting this server on first use. Compare the genesis hash with the \
             one your security team publishes:\n  {genesis_leaf}"
        );
    }
    Ok(Log {
        origin: entry.payload().log.clone(),
        genesis_leaf,
        genesis_entry: genesis.entry,
        trust_policy,
        pinned_from_outside,
    })
}

fn announce(started: &EnrollStarted, no_browser: bool, json: bool) -> anyhow::Result<()> {
    if json {
        // One line, so that a program can read it while this command waits.
        let line = serde_json::json!({
            "id": started.id, "url": started.url, "words": started.words,
            "expires_in": started.expires_in,
        });
        println!("{line}");
    } else {
        say!("Open this page and confirm your address:");
        say!("");
        say!("  {}", started.url);
        say!("");
        say!("The page must show these words: {}", started.words);
        say!("");
        say!(
            "Waiting, for up to {} minutes …",
            started.expires_in.div_ceil(60)
        );
    }
    if !no_browser {
        let opened = Command::new("xdg-open")
            .arg(&started.url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        // Without a browser the printed address is enough.
        drop(opened);
    }
    Ok(())
}

async fn wait(client: &Client, started: &EnrollStarted) -> anyhow::Result<Admitted> {
    let client = client.with_token(&started.poll_secret);
    loop {
        match client.enrollment(&started.id).await {
            Ok(EnrollStatus {
                state: EnrollState::Admitted,
                admitted: Some(admitted),
                ..
            }) => {
                return Ok(admitted);
            }
            Ok(EnrollStatus {
                state: EnrollState::Refused,
                reason,
                ..
            }) => {
                bail!("enrolment was refused: {}", reason.unwrap_or_default());
            }
            Ok(EnrollStatus {
                state: EnrollState::Expired,
                ..
            }) => {
                bail!("nobody finished the page in time; run the command again");
            }
            Ok(_) => {}
            Err(error) if retry(&error) => {}
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

fn retry(error: &ClientError) -> bool {
    error.family() == Family::Retry
}

fn identity(
    client: &Client,
    log: Log,
    admitted: Admitted,
    key: &DeviceKey,
) -> anyhow::Result<Identity> {
    if admitted.origin != log.origin || admitted.genesis_entry != log.genesis_entry {
        bail!("the server admitted this device to another log than the one it showed first");
    }
    Ok(Identity {
        server: client.base().to_owned(),
        origin: log.origin,
        device: admitted.device,
        person: admitted.person,
        email: admitted.email,
        roster_index: admitted.roster_index,
        genesis_entry: log.genesis_entry,
        genesis_leaf: log.genesis_leaf,
        trust_policy: log.trust_policy,
        pinned_from_outside: log.pinned_from_outside,
        isolation: Isolation::SelfAsserted,
        protection: key.protection(),
    })
}
