//! An enrolled device in a temporary folder: identity, roster and policy with true receipts.
//!
//! The log is a tree of three entries signed with a test key under a trust policy without
//! witnesses, so that what the daemon verifies is verified for real.

use cairn_agent::enrolment::Identity;
use cairn_agent::key::DeviceKey;
use cairn_agent::policy::Stored;
use cairn_agent::state::StateDir;
use cairn_api::distribution::{PolicyAnswer, ReceiptedFrame};
use cairn_api::newest::Newest;
use cairn_event::administrative::{
    Administrators, Genesis, PolicyStatement, RosterChange, RosterStatement,
};
use cairn_event::body::Body;
use cairn_event::encoding::to_base64url;
use cairn_event::{
    Context, Entry, EntrySigner, Frame, Isolation, KeyProtection, Payload, PersonRole, Sha256,
    SoftwareKey, freeze,
};
use cairn_tlog::{
    Checkpoint, Hash, KeyAlgorithm, MemoryNodes, Receipt, SignerKey, inclusion_proof,
};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

pub const ORIGIN: &str = "log.example/test";
pub const PERSON: &str = "p_00000000000000000000000000000001";
const DEVICE: &str = "d_00000000000000000000000000000001";

/// A device that is enrolled and has a verified policy.
pub struct Device {
    pub dir: PathBuf,
    pub state: StateDir,
    _guard: Option<tempfile::TempDir>,
}

/// A running daemon; killed when dropped.
pub struct Daemon(pub Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A bundle with these members over the empty one.
pub fn bundle(members: Value) -> Value {
    let empty = cairn_policy::Bundle::empty(ORIGIN, "security@example.com");
    let mut bundle = serde_json::to_value(empty).unwrap();
    bundle["version"] = json!(1);
    for (name, value) in members.as_object().unwrap() {
        bundle[name] = value.clone();
    }
    bundle
}

/// Two rules: `rm` is denied for everybody, `ls` is allowed.
pub fn two_rules() -> Value {
    bundle(json!({ "rules": [
        {"id":"no-rm","effect":"deny","pattern":"Bash(rm *)","scope":{"global":true},
         "dialect":"cairn"},
        {"id":"ls","effect":"allow","pattern":"Bash(ls *)","scope":{"global":true},
         "dialect":"cairn"},
    ] }))
}

impl Device {
    pub fn new(bundle: &Value) -> Self {
        let guard = tempfile::tempdir().unwrap();
        let dir = guard.path().to_owned();
        let mut device = Self::at(&dir, Some(bundle));
        device._guard = Some(guard);
        device
    }

    /// A device whose folder the caller made; without a bundle it has no policy.
    pub fn at(dir: &Path, bundle: Option<&Value>) -> Self {
        let state = StateDir::at(dir.join("state")).unwrap();
        cairn_durable::create_dir_durable(state.path(), 0o700).unwrap();
        std::fs::create_dir_all(dir.join("home")).unwrap();
        let key = DeviceKey::open_or_create(&state).unwrap();
        let log = log_key();
        let entries = entries(&key, &log, bundle);
        let genesis = entries[0].clone();
        let identity = Identity {
            // Nobody listens on the discard port: the device is offline.
            server: "http://127.0.0.1:9".into(),
            origin: ORIGIN.into(),
            device: DEVICE.into(),
            person: PERSON.into(),
            email: "ann@example.com".into(),
            roster_index: 1,
            genesis_leaf: Sha256::of_leaf(genesis.as_bytes()),
            genesis_entry: genesis,
            trust_policy: format!("log {}\nquorum none\n", log.verifier()),
            pinned_from_outside: true,
            isolation: Isolation::SelfAsserted,
            protection: KeyProtection::Software,
        };
        identity.save(&state).unwrap();
        store(&state, &log, &entries, bundle);
        Self {
            dir: dir.to_owned(),
            state,
            _guard: None,
        }
    }

    pub fn start(&self) -> Daemon {
        let mut child = self
            .command(Path::new(env!("CARGO_BIN_EXE_cairn")))
            .args(["daemon", "run"])
            // Offline it warns all the time that nobody answers.
            .env("CAIRN_LOG", "error")
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(line, "ready\n");
        Daemon(child)
    }

    /// A command with this device's environment and nothing else of ours.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.dir.join("home"))
            .env("CAIRN_HOME", self.state.path());
        command
    }

    pub fn cairn(&self, words: &[&str]) -> Output {
        self.command(Path::new(env!("CARGO_BIN_EXE_cairn")))
            .args(words)
            .output()
            .unwrap()
    }

    /// Runs the real hook program on an input.
    pub fn hook(&self, event: &str, input: &[u8]) -> Output {
        let mut child = self.spawn_hook(event);
        // A shim that refused without reading its input is an answer too.
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap()
    }

    pub fn spawn_hook(&self, event: &str) -> Child {
        self.spawn_hook_with(event, &[])
    }

    /// The hook with more words behind its own.
    pub fn spawn_hook_with(&self, event: &str, words: &[&str]) -> Child {
        self.command(hook_program())
            .args([event, "--socket", self.state.socket().to_str().unwrap()])
            .args(words)
            .env("CLAUDE_CODE_SESSION_ID", "session-1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    pub fn bash(&self, command: &str, use_id: &str) -> Value {
        let output = self.hook(
            "PreToolUse",
            pre_tool(command, use_id).to_string().as_bytes(),
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Every entry in the spool, read without its lock.
    pub fn spooled(&self) -> Vec<Frame> {
        let mut files: Vec<_> = std::fs::read_dir(self.state.spool())
            .unwrap()
            .map(|file| file.unwrap().path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "seg"))
            .collect();
        files.sort();
        let records = files.iter().flat_map(|file| {
            cairn_durable::SegmentReader::open(file)
                .unwrap()
                .map_while(Result::ok)
        });
        records
            .map(|record| Frame::parse(std::str::from_utf8(&record.payload).unwrap()).unwrap())
            .collect()
    }
}

/// The newest entry of a type: an agent that somebody runs on this machine, or a change of posture, may
/// be recorded after it.
pub fn last_of<'a>(frames: &'a [Frame], kind: &str) -> &'a Frame {
    frames
        .iter()
        .rev()
        .find(|frame| frame.entry().payload().body.kind() == kind)
        .unwrap()
}

/// The input of a `PreToolUse` hook for a shell command.
pub fn pre_tool(command: &str, use_id: &str) -> Value {
    json!({
        "session_id": "session-1", "cwd": "/tmp", "hook_event_name": "PreToolUse",
        "permission_mode": "default", "tool_name": "Bash", "tool_use_id": use_id,
        "tool_input": { "command": command, "description": "test" },
    })
}

/// The verdict in the answer to a `PreToolUse` hook.
pub fn verdict(answer: &Value) -> &str {
    answer["hookSpecificOutput"]["permissionDecision"]
        .as_str()
        .unwrap_or("none")
}

/// The chain of the spooled frames: contiguous, linked and correctly signed.
pub fn assert_chains(frames: &[Frame]) {
    let mut last: Option<(String, u64, Sha256)> = None;
    let mut chain_key = None;
    for frame in frames {
        let entry: &Entry = frame.entry();
        let link = entry.payload().link.as_ref().unwrap();
        match (&entry.payload().body, &last) {
            (Body::ChainStart(start), _) => {
                assert_eq!((link.seq, link.prev), (0, None));
                chain_key = Some(start.key.clone());
            }
            (body, Some((chain, seq, leaf))) => {
                assert_eq!(
                    (&link.chain.0, link.seq, link.prev),
                    (chain, seq + 1, Some(*leaf))
                );
                if !matches!(body, Body::ChainHead(_) | Body::ChainEnd(_)) {
                    entry.verify(chain_key.as_ref().unwrap()).unwrap();
                }
            }
            (body, None) => panic!("the first entry is `{}`", body.kind()),
        }
        last = Some((link.chain.0.clone(), link.seq, entry.leaf()));
    }
}

/// The hook program, built once; it is another package of the workspace.
pub fn hook_program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "-p", "cairn-hook"])
            .status()
            .unwrap();
        assert!(built.success());
        Path::new(env!("CARGO_BIN_EXE_cairn")).with_file_name("cairn-hook")
    })
}

fn administrative(body: Body, key: &SoftwareKey) -> String {
    administrative_of(ORIGIN, body, key)
}

/// An administrative entry of the log `origin`.
pub fn administrative_of(origin: &str, body: Body, key: &SoftwareKey) -> String {
    let payload = Payload {
        log: origin.into(),
        time_ms: 1,
        link: None,
        context: Context::default(),
        body,
        approvals: vec![],
        sd: vec![],
        ext: None,
    };
    freeze(&payload, key).unwrap().entry
}

fn entries(device: &DeviceKey, log: &SignerKey, bundle: Option<&Value>) -> Vec<String> {
    let admin = SoftwareKey::from_seed(&[1; 32]);
    let genesis = Body::Genesis(Genesis {
        administrators: Administrators {
            keys: vec![admin.public_key()],
            threshold: 1,
        },
        delegations: vec![],
        log_key: log.verifier().to_string(),
        observer: SoftwareKey::from_seed(&[2; 32]).public_key(),
        organisation: "Example".into(),
    });
    let roster = Body::Roster(RosterStatement {
        changes: vec![
            RosterChange::AddTeam {
                name: "Infra".into(),
                team: "infra".into(),
            },
            RosterChange::AddPerson {
                person: PERSON.into(),
                roles: vec![PersonRole::Developer],
                teams: vec!["infra".into()],
            },
            RosterChange::AdmitDevice {
                device: DEVICE.into(),
                isolation: Isolation::SelfAsserted,
                key: device.signer().public_key(),
                methods: vec!["test".into()],
                person: PERSON.into(),
                protection: KeyProtection::Software,
            },
        ],
        revision: 1,
    });
    let mut entries = vec![
        administrative(genesis, &admin),
        administrative(roster, &admin),
    ];
    if let Some(bundle) = bundle {
        let bytes = cairn_event::json::to_canonical(bundle);
        let policy = Body::Policy(PolicyStatement {
            bundle: Sha256::of(&bytes),
            bytes: bytes.len() as u64,
            revision: 1,
            version: bundle["version"].as_u64().unwrap(),
        });
        entries.push(administrative(policy, &admin));
    }
    entries
}

/// Roster entries after those of the device's `bundle`, with their receipts, as the server sends them.
pub fn roster_entries(
    device: &Device,
    bundle: &Value,
    statements: Vec<RosterStatement>,
) -> Vec<ReceiptedFrame> {
    let admin = SoftwareKey::from_seed(&[1; 32]);
    let key = DeviceKey::open(&device.state).unwrap();
    let mut all = entries(&key, &log_key(), Some(bundle));
    let first = all.len();
    all.extend(
        statements
            .into_iter()
            .map(|one| administrative(Body::Roster(one), &admin)),
    );
    let receipts = receipts(&log_key(), &all);
    let offered = all.iter().zip(receipts).enumerate().skip(first);
    offered
        .map(|(index, (entry, receipt))| ReceiptedFrame {
            index: index as u64,
            frame: format!("{entry}~"),
            receipt,
        })
        .collect()
}

fn log_key() -> SignerKey {
    SignerKey::from_seed(ORIGIN, KeyAlgorithm::Ed25519, &[3; 32]).unwrap()
}

fn receipts(log: &SignerKey, entries: &[String]) -> Vec<String> {
    let mut nodes = MemoryNodes::new();
    for entry in entries {
        nodes.push(Hash(Sha256::of_leaf(entry.as_bytes()).0));
    }
    let size = entries.len() as u64;
    let root = nodes.root(size).unwrap();
    let head = Checkpoint {
        origin: ORIGIN.into(),
        size,
        root,
    };
    let checkpoint = head.sign(log).unwrap().to_string();
    let receipt = |index| {
        let proof = inclusion_proof(&nodes, index, size).unwrap();
        Receipt {
            extra: None,
            index,
            proof,
            checkpoint: checkpoint.clone(),
        }
        .to_string()
    };
    (0..size).map(receipt).collect()
}

fn store(state: &StateDir, log: &SignerKey, entries: &[String], bundle: Option<&Value>) {
    let receipts = receipts(log, entries);
    let stored = Stored::open(state).unwrap();
    let frame = format!("{}~", entries[1]);
    stored
        .save_roster(&[ReceiptedFrame {
            index: 1,
            frame,
            receipt: receipts[1].clone(),
        }])
        .unwrap();
    let Some(bundle) = bundle else { return };
    let newest = Newest {
        origin: ORIGIN.to_owned(),
        size: entries.len() as u64,
        policy: Some(2),
        roster: 1,
    };
    let policy = PolicyAnswer {
        index: 2,
        entry: entries[2].clone(),
        receipt: receipts[2].clone(),
        bundle: to_base64url(&cairn_event::json::to_canonical(bundle)),
        newest: newest.sign(log).unwrap(),
    };
    let answer = json!({ "policy": policy, "checked_ms": cairn_agent::clock::now_ms() });
    let path = state.policy().join("policy.json");
    std::fs::write(path, answer.to_string()).unwrap();
}
