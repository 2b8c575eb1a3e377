//! What a recorded decision was made of: its request, the bundle and the membership that it names.
//!
//! Owns where each comes from, and that nothing is believed unproven. The device keeps no confidential
//! members once the log has them, so the request comes from the spool until then and from the server
//! afterwards; the signed entry says whether it is the right one. A policy needs its authority and its
//! receipt under the pinned trust policy, wherever it comes from.

use super::Found;
use crate::access::Access;
use crate::enrolment::Identity;
use crate::key::DeviceKey;
use crate::policy::{Basis, Stored, activate};
use crate::state::StateDir;
use cairn_api::browse::EventDetail;
use cairn_api::distribution::PolicyAnswer;
use cairn_api::explanation::recorded_subject;
use cairn_api::{Client, paths};
use cairn_event::body::Body;
use cairn_event::encoding::to_base64url;
use cairn_event::{Disclosure, Entry};
use cairn_policy::{CompiledBundle, Obstacle, Subject};

/// A decision and everything it can be judged by again.
pub(super) struct Inputs {
    pub found: Found,
    /// Where the request came from.
    pub input_from: Option<&'static str>,
    pub bundle: Result<CompiledBundle, Obstacle>,
    pub subject: Result<Subject, Obstacle>,
    /// What kept the server from being asked.
    pub problem: Option<String>,
}

impl Inputs {
    pub(super) async fn gather(
        state: &StateDir,
        identity: &Identity,
        found: Found,
    ) -> anyhow::Result<Self> {
        let stored = Stored::open(state)?;
        let mut basis = Basis::new(identity)?;
        for entry in stored.roster()? {
            basis.apply_roster(&entry)?;
        }
        let subject = recorded_subject(&found.entry, basis.roster());
        let named = found.entry.payload().context.policy;
        let bundle = match stored.policy()?.policy {
            Some(answer) if Some(answer.index) == named => activate(&mut basis, &answer)
                .map(|(active, _)| active.compiled)
                .map_err(|_| Obstacle::BadPolicy),
            _ => Err(Obstacle::NoPolicy),
        };
        let mut inputs = Self {
            input_from: found.disclosures.is_some().then_some("spool"),
            found,
            bundle,
            subject,
            problem: None,
        };
        if inputs.found.disclosures.is_none() || inputs.bundle.is_err() {
            let asked = inputs.ask(state, identity, &mut basis).await;
            inputs.problem = asked.err().map(|error| format!("{error:#}"));
        }
        Ok(inputs)
    }

    /// Asks the server for what is not here.
    async fn ask(
        &mut self,
        state: &StateDir,
        identity: &Identity,
        basis: &mut Basis,
    ) -> anyhow::Result<()> {
        let client = Client::trusting(&identity.server, &state.config()?.trust()?)?;
        let key = DeviceKey::open(state)?;
        let mut access = Access::new(client, &identity.origin, Some(&identity.device));
        let client = access.client(key.signer()).await?;
        if let (None, Some(index)) = (&self.found.disclosures, self.found.index) {
            let path = paths::fill(paths::EVENT, "index", index);
            let event: EventDetail = client.get(&path).await?;
            let shown = event.disclosures.iter();
            let encoded = shown.filter_map(|one| one.encoded.as_deref());
            let parsed = encoded.filter_map(|one| Disclosure::parse(one).ok());
            self.found.disclosures = Some(parsed.collect());
            self.input_from = Some("server");
        }
        if let (Err(Obstacle::NoPolicy), Some(index)) =
            (&self.bundle, self.found.entry.payload().context.policy)
        {
            let answer = policy(&client, index).await?;
            self.bundle = Ok(activate(basis, &answer)?.0.compiled);
        }
        Ok(())
    }
}

/// The policy entry at an index with its receipt and its bundle, all still to be verified.
async fn policy(client: &Client, index: u64) -> anyhow::Result<PolicyAnswer> {
    let entry = paths::fill(paths::ENTRY, "index", index);
    let entry = client.text(&entry).await?;
    let receipt = paths::fill(paths::RECEIPT, "index", index);
    let receipt = client.text(&receipt).await?;
    let parsed = Entry::parse(entry.as_bytes())?;
    let Body::Policy(statement) = &parsed.payload().body else {
        anyhow::bail!("entry {index} is no policy");
    };
    let bundle = client.blob(&statement.bundle).await?;
    Ok(PolicyAnswer {
        index,
        entry,
        receipt,
        bundle: to_base64url(&bundle),
        newest: String::new(),
    })
}
