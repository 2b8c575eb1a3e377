//! A person at a device: enrols it with a browser that keeps one cookie, and writes its chain.

use super::world::{ORIGIN, World, digests, expect, random};
use cairn_api::access::enroll_message;
use cairn_event::body::{Body, ChainStart, SessionStart, ToolDecision, ToolOutcome};
use cairn_event::encoding::to_base64url;
use cairn_event::payload::{Agent, possession_message};
use cairn_event::{
    ActionClass, Context, DecisionMode, Disclosure, Effect, EntrySigner, Link, OutcomeState,
    Payload, Posture, Sha256, SoftwareKey, frame, freeze,
};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

/// One enrolment under way.
pub struct Enrolling {
    pub key: SoftwareKey,
    pub id: String,
    pub words: String,
    pub secret: String,
    pub cookie: Option<String>,
}

pub fn request(key: &SoftwareKey) -> Value {
    let public = key.public_key();
    let pop = key.sign(&enroll_message(ORIGIN, &public)).unwrap();
    json!({
        "key": public, "pop": to_base64url(&pop), "host": "ann's <laptop>", "os_user": "ann",
        "isolation": "self-asserted", "protection": "software",
    })
}

impl Enrolling {
    pub async fn start(world: &World) -> Self {
        let key = SoftwareKey::from_seed(&random());
        let answer = world.post_json("/v1/enroll", request(&key)).await;
        let started = expect(answer, StatusCode::OK).await;
        let text = |name: &str| started[name].as_str().unwrap().to_owned();
        assert_eq!(started["expires_in"], 600);
        let id = text("id");
        assert_eq!(text("url"), format!("{}/enroll/{id}", world.base));
        Self {
            key,
            id,
            words: text("words"),
            secret: text("poll_secret"),
            cookie: None,
        }
    }

    pub async fn page(&self, world: &World) -> String {
        let call = world.call("GET", &format!("/enroll/{}", self.id));
        self.browse(call).await.text().await.unwrap()
    }

    pub async fn form(&self, world: &World, step: &str, body: &str) -> Response {
        let call = world.call("POST", &format!("/enroll/{}/{step}", self.id));
        let call = call.header("content-type", "application/x-www-form-urlencoded");
        self.browse(call.body(body.to_owned())).await
    }

    async fn browse(&self, call: reqwest::RequestBuilder) -> Response {
        let call = match &self.cookie {
            Some(cookie) => call.header("cookie", cookie),
            None => call,
        };
        call.send().await.unwrap()
    }

    /// Enters an address and keeps the cookie.
    pub async fn ask_code(&mut self, world: &World, email: &str) {
        let answer = self.form(world, "email", &format!("email={email}")).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
        assert!(
            cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"),
            "{cookie}"
        );
        self.cookie = cookie.split(';').next().map(str::to_owned);
    }

    pub async fn enter(&self, world: &World, code: &str) -> Response {
        self.form(world, "code", &format!("code={code}")).await
    }

    pub async fn status(&self, world: &World) -> Value {
        let path = format!("/v1/enroll/{}", self.id);
        world.json(&path, &self.secret).await
    }

    /// Waits until the enrolment has ended one way or the other.
    pub async fn outcome(&self, world: &World) -> Value {
        let polling = async {
            loop {
                let status = self.status(world).await;
                if status["state"] != "pending" {
                    return status;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(super::world::PATIENCE, polling)
            .await
            .unwrap()
    }
}

/// An enrolled device and its chain.
pub struct Device {
    pub key: SoftwareKey,
    pub device: String,
    pub person: String,
    pub admitted_at: u64,
    chain: SoftwareKey,
    prev: Option<Sha256>,
    seq: u64,
}

impl Device {
    /// Enrols a device of `email` through the pages, with the code out of the outbox.
    pub async fn enrol(world: &World, email: &str) -> Self {
        let mut enrolling = Enrolling::start(world).await;
        let words = enrolling.words.clone();
        enrolling.ask_code(world, email).await;
        let mail = super::mail_sink::Outbox::default()
            .next(world, &words)
            .await;
        assert_eq!(mail.to, email);
        let answer = enrolling.enter(world, &mail.code()).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        let status = enrolling.outcome(world).await;
        assert_eq!(status["state"], "admitted", "{status}");
        let device = Self::of(enrolling, &status["admitted"]);
        world.follow(device.admitted_at + 1).await;
        device
    }

    pub fn of(enrolling: Enrolling, admitted: &Value) -> Self {
        Self {
            key: enrolling.key,
            device: admitted["device"].as_str().unwrap().to_owned(),
            person: admitted["person"].as_str().unwrap().to_owned(),
            admitted_at: admitted["roster_index"].as_u64().unwrap(),
            chain: SoftwareKey::from_seed(&random()),
            prev: None,
            seq: 0,
        }
    }

    pub async fn token(&self, world: &World) -> String {
        let assertion = world.assertion(&self.key, Some(&self.device));
        let answer = world
            .post_json("/v1/token", json!({ "assertion": assertion }))
            .await;
        let answer = expect(answer, StatusCode::OK).await;
        answer["access_token"].as_str().unwrap().to_owned()
    }

    /// A session: chain start, session start, a denied and an allowed call, the outcome of the
    /// latter. Gives the index of the denied call.
    pub async fn work(&mut self, world: &World, session: &str) -> u64 {
        let lines = vec![
            self.start(),
            self.line(
                session,
                Body::SessionStart(SessionStart {
                    adoption: "wrapper".into(),
                    source: "startup".into(),
                }),
                &[],
            ),
            self.decision(session, Effect::Deny, "use-1", "kubectl delete ns prod"),
            self.decision(session, Effect::Allow, "use-2", "ls"),
            self.line(
                session,
                Body::ToolOutcome(ToolOutcome {
                    duration_ms: Some(3),
                    state: OutcomeState::Ran,
                    tool: "Bash".into(),
                    use_id: "use-2".into(),
                }),
                &[],
            ),
        ];
        let last = world.submit(lines).await;
        world.follow(last + 1).await;
        last - 2
    }

    fn start(&mut self) -> String {
        let chain = self.chain.public_key().kid();
        let message = possession_message(&self.device, &chain, ORIGIN);
        let body = Body::ChainStart(ChainStart {
            daemon_version: "0.1.0".into(),
            daemon_sha256: Sha256::of(b"daemon"),
            key: self.chain.public_key(),
            pop: to_base64url(&self.chain.sign(&message).unwrap()),
            previous: None,
        });
        self.freeze(Context::default(), body, &[], true)
    }

    fn decision(&mut self, session: &str, effect: Effect, use_id: &str, command: &str) -> String {
        let body = Body::ToolDecision(ToolDecision {
            class: ActionClass::Exec,
            effect,
            latency_us: 10,
            lost: Vec::new(),
            mcp: None,
            mode: DecisionMode::Enforce,
            rule: None,
            semantics: cairn_policy::ENGINE_SEMANTICS,
            subagent: None,
            tool: "Bash".into(),
            use_id: use_id.into(),
            why: "default".into(),
        });
        let request = json!({ "tool": "Bash", "input": { "command": command } });
        self.line(session, body, &[("request", request)])
    }

    /// A decision under a policy and a roster entry, with its request; gives its index.
    pub async fn judged(
        &mut self,
        world: &World,
        basis: (u64, u64),
        decision: ToolDecision,
        request: Value,
    ) -> u64 {
        let body = Body::ToolDecision(decision);
        let confidential = [("request", request)];
        self.decided(world, basis, None, body, &confidential).await
    }

    /// What was decided in a posture under a policy and a roster entry; gives its index.
    pub async fn decided(
        &mut self,
        world: &World,
        (policy, roster): (u64, u64),
        posture: Option<Posture>,
        body: Body,
        confidential: &[(&str, Value)],
    ) -> u64 {
        let start = self.start();
        let context = Context {
            person: Some(self.person.clone()),
            policy: Some(policy),
            posture,
            roster: Some(roster),
            session: Some("s-1".to_owned()),
            ..Context::default()
        };
        let line = self.freeze(context, body, confidential, false);
        let index = world.submit(vec![start, line]).await;
        world.follow(index + 1).await;
        index
    }

    fn line(&mut self, session: &str, body: Body, confidential: &[(&str, Value)]) -> String {
        let context = Context {
            agent: Some(Agent {
                name: "claude-code".into(),
                sha256: None,
                version: Some("2.1.330".into()),
            }),
            person: Some(self.person.clone()),
            session: Some(session.to_owned()),
            ..Context::default()
        };
        self.freeze(context, body, confidential, false)
    }

    fn freeze(
        &mut self,
        context: Context,
        body: Body,
        confidential: &[(&str, Value)],
        by_device: bool,
    ) -> String {
        let disclosures: Vec<Disclosure> = confidential
            .iter()
            .map(|(name, value)| Disclosure::new(random(), name, value.clone()).unwrap())
            .collect();
        let payload = Payload {
            log: ORIGIN.into(),
            time_ms: 1_795_000_000_000 + self.seq,
            link: Some(Link {
                device: self.device.clone(),
                chain: self.chain.public_key().kid(),
                seq: self.seq,
                prev: self.prev,
            }),
            context,
            body,
            approvals: Vec::new(),
            sd: digests(&disclosures),
            ext: None,
        };
        let key = if by_device { &self.key } else { &self.chain };
        let frozen = freeze(&payload, key).unwrap();
        self.prev = Some(frozen.leaf);
        self.seq += 1;
        frame::present(&frozen.entry, disclosures.iter().map(Disclosure::encoded))
    }
}
