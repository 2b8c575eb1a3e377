//! One organisation with a running server: its keys, its administrators, calls against it.

use cairn_event::administrative::RosterChange;
use cairn_event::administrative::{Administrators, Delegation, Genesis, Right, RosterStatement};
use cairn_event::body::Body;
use cairn_event::{
    Context, Disclosure, EntrySigner, Payload, PersonRole, SoftwareKey, frame, freeze,
};
use cairn_identity::assertion::assert_key;
use cairn_identity::token::{Subject, TokenIssuer};
use cairn_server::config::{Config, MailConfig};
use cairn_server::keys::{Keys, ServerKeys};
use cairn_server::{Log, SubmitResult, Wait, app, services};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub const ORIGIN: &str = "log.example.com/services";

/// Longest wait of any test; reached only when something is wrong.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running server and the keys of its organisation.
pub struct World {
    pub dir: TempDir,
    pub public: ServerKeys,
    pub admin: SoftwareKey,
    pub base: String,
    pub log: Log,
    pub http: Client,
    config: Config,
    end: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl World {
    pub async fn new() -> Self {
        Self::with(|_| ()).await
    }

    pub async fn with(adjust: impl FnOnce(&mut Config)) -> Self {
        Self::granting(
            &[
                Right::AdmitDevice,
                Right::EnrolDeveloper,
                Right::RevokeDevice,
                Right::RecordActions,
            ],
            adjust,
        )
        .await
    }

    /// A server whose authority key may do only `rights`.
    pub async fn granting(rights: &[Right], adjust: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let listen = "127.0.0.1:0".parse().unwrap();
        let public = cairn_server::init::init(&data, ORIGIN, listen, "").unwrap();
        let admin = SoftwareKey::from_seed(&[1; 32]);
        let genesis = dir.path().join("genesis");
        std::fs::write(
            &genesis,
            format!("{}\n", genesis_frame(&public, &admin, rights)),
        )
        .unwrap();
        let mut config = Config::load(&data).unwrap();
        config.checkpoint.interval_ms = 5;
        config.allowed_domains = vec!["example.com".into()];
        adjust(&mut config);
        let world = Self::serve(dir, public, admin, config, Some(genesis), || ()).await;
        world.follow(1).await;
        world
    }

    async fn serve(
        dir: TempDir,
        public: ServerKeys,
        admin: SoftwareKey,
        mut config: Config,
        genesis: Option<PathBuf>,
        before_services: impl FnOnce(),
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        config.public_url = base.clone();
        let data = dir.path().join("data");
        // After a restart the last request of the old server may still hold the folder.
        let held = std::sync::Mutex::new(String::new());
        let opening = async {
            loop {
                match app::open(&data, config.clone(), genesis.as_deref()).await {
                    Ok(opened) => return opened,
                    Err(error) if genesis.is_some() => panic!("{error}"),
                    Err(error) => {
                        *held.lock().unwrap() = format!("{error:?}");
                        tokio::task::yield_now().await;
                    }
                }
            }
        };
        let opened = tokio::time::timeout(PATIENCE, opening).await;
        let opened = opened.unwrap_or_else(|_| panic!("{}", held.lock().unwrap()));
        let log = opened.log.clone();
        before_services();
        let router = app::router(log.clone(), services::start(&log).unwrap());
        let (end, ended) = oneshot::channel::<()>();
        let serving = tokio::spawn(async move {
            let asked = async {
                let _ = ended.await;
            };
            app::serve(listener, None, router, &opened.log, asked)
                .await
                .unwrap();
        });
        let http = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        Self {
            dir,
            public,
            admin,
            base,
            log,
            http,
            config,
            end,
            serving,
        }
    }

    /// The same data folder under a new server.
    pub async fn restarted(self) -> Self {
        let world = self.restarted_after(|| ()).await;
        world.follow(1).await;
        world
    }

    /// The same data folder under a new server, whose services start after `before_services` and are
    /// not waited for.
    pub async fn restarted_after(self, before_services: impl FnOnce()) -> Self {
        let Self {
            dir,
            public,
            admin,
            log,
            http,
            config,
            end,
            serving,
            ..
        } = self;
        drop(http);
        end.send(()).unwrap();
        serving.await.unwrap();
        drop(log);
        Self::serve(dir, public, admin, config, None, before_services).await
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub fn outbox(&self) -> PathBuf {
        self.data().join("outbox")
    }

    pub fn call(&self, method: &str, path: &str) -> RequestBuilder {
        self.http.request(
            method.parse::<Method>().unwrap(),
            format!("{}{path}", self.base),
        )
    }

    pub fn get(&self, path: &str, token: &str) -> RequestBuilder {
        self.call("GET", path).bearer_auth(token)
    }

    pub async fn json(&self, path: &str, token: &str) -> Value {
        let answer = self.get(path, token).send().await.unwrap();
        expect(answer, StatusCode::OK).await
    }

    /// Waits until the console's index holds `size` entries.
    pub async fn follow(&self, size: u64) {
        let token = self.forge("administrator", &[PersonRole::Admin], None);
        tokio::time::timeout(PATIENCE, async {
            let mut published = self.log.published();
            published.wait_for(|one| one.size >= size).await.unwrap();
            // The newest event listed is the newest one projected.
            loop {
                let answer = self.get("/v1/events?limit=1", &token).send().await.unwrap();
                // After a start the index is not asked before it has come so far.
                if answer.status() != StatusCode::SERVICE_UNAVAILABLE {
                    let events = expect(answer, StatusCode::OK).await;
                    if events["events"][0]["index"].as_u64() >= Some(size - 1) {
                        return;
                    }
                }
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
    }

    /// A token of this server's own key for anybody, without asking.
    pub fn forge(&self, person: &str, roles: &[PersonRole], device: Option<&str>) -> String {
        self.forge_at(person, roles, device, self.log.now_ms() / 1_000)
    }

    pub fn forge_at(
        &self,
        person: &str,
        roles: &[PersonRole],
        device: Option<&str>,
        now_s: u64,
    ) -> String {
        let keys = Keys::load(&self.data()).unwrap();
        let subject = Subject {
            person: person.to_owned(),
            roles: roles.to_vec(),
            device: device.map(str::to_owned),
        };
        TokenIssuer::new(ORIGIN, &keys.token)
            .issue(&subject, now_s, random())
            .unwrap()
            .0
    }

    /// A token by the administrator's assertion, as the command line asks for it.
    pub async fn admin_token(&self) -> String {
        let assertion = self.assertion(&self.admin, None);
        let answer = self.post_json("/v1/token", serde_json::json!({ "assertion": assertion }));
        let answer = expect(answer.await, StatusCode::OK).await;
        assert_eq!(answer["person"], "administrator");
        answer["access_token"].as_str().unwrap().to_owned()
    }

    pub fn assertion(&self, key: &SoftwareKey, device: Option<&str>) -> String {
        assert_key(ORIGIN, device, self.log.now_ms(), random(), key).unwrap()
    }

    pub async fn post_json(&self, path: &str, body: Value) -> Response {
        self.call("POST", path).json(&body).send().await.unwrap()
    }

    /// Writes a roster entry as the administrator, with confidential members; gives its index.
    pub async fn roster(&self, changes: Vec<RosterChange>, confidential: &[(&str, &str)]) -> u64 {
        let revision = self.log.ledger().roster().revision + 1;
        let body = Body::Roster(RosterStatement { changes, revision });
        self.administer(body, confidential).await
    }

    /// Writes an administrative entry as the administrator; gives its index once followed.
    pub async fn administer(&self, body: Body, confidential: &[(&str, &str)]) -> u64 {
        let line = self.sealed(body, confidential);
        let index = self.submit(vec![line]).await;
        self.follow(index + 1).await;
        index
    }

    /// An administrative entry as the administrator would write it.
    pub fn sealed(&self, body: Body, confidential: &[(&str, &str)]) -> String {
        sealed(body, confidential, &self.admin)
    }

    /// Submits frames that must all be taken; gives the last index.
    pub async fn submit(&self, lines: Vec<String>) -> u64 {
        let results = self
            .log
            .submit(lines, Wait::Published, PATIENCE)
            .await
            .unwrap();
        let mut last = 0;
        for result in results {
            match result {
                SubmitResult::Accepted { index, .. } => last = index,
                SubmitResult::Refused(problem) => panic!("refused: {:?}", problem.body),
            }
        }
        last
    }

    /// Adds a person with roles and an address.
    pub async fn person(&self, number: u8, roles: &[PersonRole], email: &str) -> String {
        let person = format!("p_{number:032x}");
        let mut roles = roles.to_vec();
        roles.sort_unstable();
        let change = RosterChange::AddPerson {
            person: person.clone(),
            roles,
            teams: Vec::new(),
        };
        self.roster(vec![change], &[(&format!("email:{person}"), email)])
            .await;
        person
    }
}

fn genesis_frame(public: &ServerKeys, admin: &SoftwareKey, rights: &[Right]) -> String {
    let mut may = rights.to_vec();
    may.sort_unstable();
    let body = Body::Genesis(Genesis {
        administrators: Administrators {
            keys: vec![admin.public_key()],
            threshold: 1,
        },
        delegations: vec![Delegation {
            key: public.authority.clone(),
            label: "authority".into(),
            may,
        }],
        log_key: public.log_key.clone(),
        observer: public.observer.clone(),
        organisation: "Example & Sons".into(),
    });
    sealed(body, &[], admin)
}

fn sealed(body: Body, confidential: &[(&str, &str)], key: &SoftwareKey) -> String {
    let disclosures: Vec<Disclosure> = confidential
        .iter()
        .map(|(name, value)| Disclosure::new(random(), name, Value::from(*value)).unwrap())
        .collect();
    let payload = Payload {
        log: ORIGIN.into(),
        time_ms: 1_795_000_000_000,
        link: None,
        context: Context::default(),
        body,
        approvals: Vec::new(),
        sd: digests(&disclosures),
        ext: None,
    };
    let frozen = freeze(&payload, key).unwrap();
    frame::present(&frozen.entry, disclosures.iter().map(Disclosure::encoded))
}

pub fn digests(disclosures: &[Disclosure]) -> Vec<String> {
    let mut sd: Vec<String> = disclosures.iter().map(Disclosure::digest).collect();
    sd.sort_unstable();
    sd
}

pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

/// The JSON of an answer that must have this status.
pub async fn expect(answer: Response, status: StatusCode) -> Value {
    let got = answer.status();
    let text = answer.text().await.unwrap();
    assert_eq!(got, status, "{text}");
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// The code at the end of a problem's type, after checking its form.
pub async fn problem(answer: Response, status: StatusCode) -> String {
    let media = answer.headers().get("content-type").cloned();
    assert_eq!(media.unwrap(), "application/problem+json");
    let body = expect(answer, status).await;
    assert_eq!(body["status"], status.as_u16());
    let kind = body["type"].as_str().unwrap();
    kind.strip_prefix("urn:cairn:problem:").unwrap().to_owned()
}

/// Mail settings for a relay on loopback.
pub fn smtp(port: u16) -> MailConfig {
    MailConfig {
        smtp: Some(format!("smtp://127.0.0.1:{port}")),
        outbox: None,
        from: Some("Cairn <cairn@example.com>".into()),
    }
}
