//! Pruning from the plan to the audit after it, with every program that has a part in it, and a server
//! that lies about what must stay.
//!
//! Owns a log that real witnesses saw 400 days ago, by a clock of the test's, and a way to the server on
//! which answers are changed.

use super::clocks::WallClock;
use super::copied::{WitnessProcess, witness_in};
use super::office::Office;
use super::programs::{Launch, Running, program};
use crate::world::{ADMIN_SEED, ORIGIN, entry_of};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri, header};
use cairn_event::Sha256;
use cairn_event::encoding::to_base64url;
use cairn_tlog::{Receipt, TrustPolicy, leaf_hash};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::{Arc, LazyLock, Mutex};

const DAYS_400: &str = "-34560000";

/// Witnesses; two of them are a quorum.
const WITNESSES: usize = 3;

/// A witnessed organisation, its clock, and the folder of its administrator.
struct Scene {
    office: Office,
    clock: WallClock,
    witnesses: Vec<WitnessProcess>,
    launch: Launch,
}

impl Scene {
    /// A log with some hundred entries of 400 days ago; everything stands still.
    async fn old() -> Option<Self> {
        let office = Office::new();
        let clock = WallClock::build(office.world.dir.path(), "clock")?;
        clock.set(DAYS_400);
        let mut scene = Self {
            launch: Launch {
                env: clock.env(),
                ..Launch::default()
            },
            office,
            clock,
            witnesses: Vec::new(),
        };
        scene.administrator();
        let config = scene.office.world.data().join("config.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        assert!(text.contains("[retention]\n"), "{text}");
        let text = text.replace("[retention]\n", "[retention]\ndays = 365\n");
        std::fs::write(&config, text).unwrap();
        let server = scene.start();
        assert!(scene.office.work(&server, 1).await);
        let gap = scene.office.chain.skipping(3, true);
        assert!(server.submit(&[gap], &mut scene.office.acknowledged).await);
        for _ in 0..3 {
            scene.add(&server, 256).await;
        }
        drop(server);
        scene.witnesses.clear();
        scene.clock.set("+0");
        Some(scene)
    }

    /// Starts the witnesses, and the server under a policy that names them.
    fn start(&mut self) -> Running {
        let (dir, log) = (
            self.office.world.dir.path(),
            &self.office.world.public.log_key,
        );
        let launch = Launch {
            trust: None,
            confirm_clock: true,
            ..self.launch.clone()
        };
        self.witnesses = (0..WITNESSES)
            .map(|number| witness_in(&dir.join(format!("w{number}")), log, &launch))
            .collect();
        let mut text = format!("log {log}\n");
        for (number, one) in self.witnesses.iter().enumerate() {
            text += &format!("witness w{number} {} {}\n", one.key, one.running.url);
        }
        text += "group all 2 w0 w1 w2\nquorum all\n";
        std::fs::write(self.trust(), text).unwrap();
        let seconds = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
        let confirmed = format!("{}\n", seconds.as_secs());
        std::fs::write(self.office.world.data().join("CONFIRMED-TIME"), confirmed).unwrap();
        self.launch.trust = Some(self.trust());
        self.office.start(&self.launch).unwrap()
    }

    fn trust(&self) -> PathBuf {
        self.office.world.dir.path().join("trust.policy")
    }

    /// The folder that `cairn org create` would have made.
    fn administrator(&self) {
        let folder = self.office.world.dir.path().join("admin");
        std::fs::create_dir(&folder).unwrap();
        let genesis = self.office.world.genesis();
        let org = json!({
            "origin": ORIGIN, "organisation": "Example",
            "genesis_leaf": Sha256::of_leaf(entry_of(&genesis).as_bytes()),
            "genesis_entry": entry_of(&genesis),
        });
        std::fs::write(folder.join("org.json"), org.to_string()).unwrap();
        std::fs::write(folder.join("1.key"), to_base64url(&ADMIN_SEED)).unwrap();
    }

    /// Has that many entries witnessed.
    async fn add(&mut self, server: &Running, count: usize) {
        let frames = self.office.chain.many(count);
        let results = server.post(&frames, "witnessed").await.unwrap();
        for (frame, result) in frames.iter().zip(&results) {
            assert_eq!(result["status"], "witnessed", "{result}");
            let index = result["index"].as_u64().unwrap();
            self.office.acknowledged.note(frame, index);
        }
    }

    fn prune(&self, more: &[&str]) -> Output {
        let data = self.office.world.data();
        let mut command = Command::new(program("cairn-server"));
        command.arg("prune").args(more).arg("--data").arg(data);
        command.output().unwrap()
    }

    fn plan(&self, more: &[&str]) -> Value {
        report(&self.prune(&[&["--plan"], more].concat()))
    }

    /// `cairn org prune` with this plan, over this way to the server.
    fn order(&self, url: &str, plan: &Value, trusted: bool) -> Output {
        let dir = self.office.world.dir.path();
        let file = dir.join("plan.json");
        std::fs::write(&file, plan.to_string()).unwrap();
        let mut command = Command::new(program("cairn"));
        command
            .args([
                "org",
                "prune",
                "--json",
                "--reason",
                "as promised",
                "--server",
                url,
            ])
            .arg("--admin")
            .arg(dir.join("admin"))
            .arg("--plan")
            .arg(&file)
            .env("HOME", dir.join("home"));
        if trusted {
            command.arg("--trust-policy").arg(self.trust());
        }
        command.output().unwrap()
    }

    /// `cairn-audit log` over everything.
    fn audit(&self, server: &Running) -> Output {
        let genesis = self.office.world.genesis();
        let genesis = Sha256::of_leaf(entry_of(&genesis).as_bytes()).to_string();
        let mut command = Command::new(program("cairn-audit"));
        command
            .args(["log", "--server", &server.url, "--genesis-hash", &genesis])
            .arg("--trust-policy")
            .arg(self.trust());
        command.output().unwrap()
    }

    /// What was acknowledged has its receipt, also where its bytes are gone, which is below `minimum` only.
    async fn holds(&self, server: &Running, minimum: u64) {
        let policy = std::fs::read_to_string(self.trust()).unwrap();
        let policy = TrustPolicy::parse(&policy).unwrap();
        let (mut there, mut gone) = (0, 0);
        for (frame, index) in self.office.acknowledged.iter() {
            let (_, receipt) = get(server, &format!("/v1/receipts/{index}")).await;
            let leaf = leaf_hash(entry_of(frame).as_bytes());
            let receipt = Receipt::parse(&String::from_utf8(receipt).unwrap()).unwrap();
            assert_eq!(receipt.index, index);
            receipt.verify(&leaf, &policy).unwrap();
            let (status, bytes) = get(server, &format!("/v1/entries/{index}")).await;
            if status == 200 {
                assert_eq!(bytes, entry_of(frame).as_bytes());
                there += 1;
            } else {
                assert!(status == 410 && index < minimum, "{index}: {status}");
                gone += 1;
            }
        }
        assert!(there > 0 && (gone > 0) == (minimum > 0), "{there} {gone}");
        for number in 0..minimum / 256 {
            let (status, _) = get(server, &format!("/tile/entries/{number:03}")).await;
            assert_eq!(status, 410);
        }
    }
}

/// One for all requests: making a client reads the system's authorities.
static CLIENT: LazyLock<reqwest::Client> = LazyLock::new(reqwest::Client::new);

async fn get(server: &Running, path: &str) -> (u16, Vec<u8>) {
    let url = format!("{}{path}", server.url);
    let answer = CLIENT.get(url).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.bytes().await.unwrap().to_vec())
}

fn said(output: &Output) -> String {
    let both = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8(both).unwrap()
}

fn report(output: &Output) -> Value {
    assert!(output.status.success(), "{}", said(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[track_caller]
fn refused(output: &Output, because: &str) {
    assert!(!output.status.success());
    assert!(said(output).contains(because), "{}", said(output));
}

#[track_caller]
fn audited(output: &Output, words: &str) {
    assert!(output.status.success(), "{}", said(output));
    assert!(said(output).contains(words), "{}", said(output));
}

/// Answers that a server on the way gives instead of the real one's, by path.
type Lies = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// A server that gives what another one does, but for some lies.
async fn liar(server: &Running) -> (String, Lies) {
    let lies = Lies::default();
    let app = Router::new()
        .fallback(answer)
        .with_state((server.url.clone(), lies.clone()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, lies)
}

async fn answer(
    State((url, lies)): State<(String, Lies)>,
    method: Method,
    uri: Uri,
    headers: axum::http::HeaderMap,
    body: Bytes,
) -> (StatusCode, Vec<u8>) {
    if let Some(lie) = lies.lock().unwrap().get(uri.path()) {
        return (StatusCode::OK, lie.clone());
    }
    let mut request = CLIENT.request(method, format!("{url}{uri}"));
    for name in [header::CONTENT_TYPE, header::AUTHORIZATION] {
        if let Some(value) = headers.get(&name) {
            request = request.header(name, value);
        }
    }
    let answer = request.body(body).send().await.unwrap();
    (answer.status(), answer.bytes().await.unwrap().to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_signs_only_what_the_witnessed_log_says_must_stay() {
    let Some(mut scene) = Scene::old().await else {
        return;
    };
    let server = scene.start();
    scene.add(&server, 20).await;
    let plan = scene.plan(&["--to", "256"]);
    assert_eq!((&plan["from"], &plan["to"]), (&json!(0), &json!(256)));

    // What must stay is not the server's to say, nor who the witnesses are, nor how old entries are.
    let with = |name: &str, value: Value| {
        let mut other = plan.clone();
        other[name] = value;
        other
    };
    let fewer = plan["kept_entries"].as_u64().unwrap() - 1;
    let mut fewer = with("kept_entries", fewer.into());
    fewer["pruned_entries"] = json!(256 - fewer["kept_entries"].as_u64().unwrap());
    let mut digest = with("kept", json!(Sha256::of(b"without the fork").to_string()));
    for plan in [&fewer, &digest] {
        refused(
            &scene.order(&server.url, plan, true),
            "not signed: the server would keep",
        );
    }
    digest["pruned_entries"] = json!(256);
    refused(
        &scene.order(&server.url, &digest, true),
        "do not make up the range",
    );
    let longer = with("days", json!(401));
    refused(
        &scene.order(&server.url, &longer, true),
        "witnesses saw them 400 days ago",
    );
    refused(
        &scene.order(&server.url, &plan, false),
        "give `--trust-policy`",
    );
    let (_, checkpoint) = get(&server, "/checkpoint").await;

    // A server that shows other entries than those that were witnessed.
    let (url, lies) = liar(&server).await;
    let lie = |path: &str, bytes: Vec<u8>| {
        let mut lies = lies.lock().unwrap();
        lies.clear();
        lies.insert(path.to_owned(), bytes);
    };
    let (_, mut bundle) = get(&server, "/tile/entries/000").await;
    // A digit in the signature of its last entry.
    let at = bundle.len() - 20;
    bundle[at] = if bundle[at] == b'A' { b'B' } else { b'A' };
    lie("/tile/entries/000", bundle);
    refused(
        &scene.order(&url, &plan, true),
        "not those that were witnessed",
    );
    // Nothing was signed by any of them.
    let (_, unchanged) = get(&server, "/checkpoint").await;
    let size = |note: &[u8]| {
        String::from_utf8_lossy(note)
            .lines()
            .nth(1)
            .map(str::to_owned)
    };
    assert_eq!(size(&checkpoint), size(&unchanged));

    let done = report(&scene.order(&server.url, &plan, true));
    assert_eq!(done["compared"], true, "{done}");
    assert_eq!(done["kept"], plan["kept"]);
    audited(
        &scene.audit(&server),
        "prunings ordered and not carried out: 1",
    );
    let pruned = report(&scene.prune(&[]));
    assert_eq!(pruned["minimum_index"], 256);
    scene.holds(&server, 256).await;
    audited(&scene.audit(&server), "audited from minimum index: 256");

    // Again, over a log that was pruned before: what was left of it is held to its order.
    let plan = scene.plan(&[]);
    assert_eq!((&plan["from"], &plan["to"]), (&json!(256), &json!(768)));
    lie("/kept/0", Vec::new());
    refused(
        &scene.order(&url, &plan, true),
        "the log has no genesis entry",
    );
    let (_, kept) = get(&server, "/kept/0").await;
    let kept = cairn_identity::retention::read_thinned(&kept).unwrap();
    // Genesis, roster, the chain's start, its gap, its last entry: without the gap all else is judged alike.
    let positions: Vec<u8> = kept.keys().copied().collect();
    let &[0, 1, 2, gap, 255] = positions.as_slice() else {
        panic!("{positions:?}");
    };
    let without = kept.into_iter().filter(|(position, _)| *position != gap);
    let without = cairn_identity::retention::thinned(without).unwrap();
    lie("/kept/0", without);
    refused(&scene.order(&url, &plan, true), "is not what entry");
    lie("/retention", br#"{"minimum_index":0,"pruned":[]}"#.to_vec());
    refused(
        &scene.order(&url, &plan, true),
        "the log's minimum index is 0",
    );
    report(&scene.order(&server.url, &plan, true));
    report(&scene.prune(&[]));
    scene.add(&server, 5).await;
    scene.holds(&server, 768).await;
    audited(&scene.audit(&server), "audited from minimum index: 768");
}
