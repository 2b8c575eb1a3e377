//! One log closed and another begun in its place, with the programs that operators and auditors use.

use crate::programs::{Running, errors, program, program_of, report, run, serve_folder};
use crate::world::write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// A log made by its administrators: data folder, their folder, trust policy.
struct Office {
    data: PathBuf,
    admin: PathBuf,
    policy: PathBuf,
    log_key: String,
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Runs `cairn` with a state folder that is nobody's.
fn cairn(arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    Command::new(program_of("cairn-agent", "cairn"))
        .args(arguments)
        .env("CAIRN_HOME", home.path())
        .output()
        .unwrap()
}

impl Office {
    /// Keys of a server; no genesis yet.
    fn new(dir: &TempDir, name: &str) -> Self {
        let data = dir.path().join(name);
        let origin = format!("log.example.com/{name}");
        let made = report(&run(&["init", "--origin", &origin, "--data"], &[&data]));
        let log_key = made["log_key"].as_str().unwrap().to_owned();
        let policy = dir.path().join(format!("{name}.policy"));
        write(&policy, &format!("log {log_key}\nquorum none\n"));
        Self {
            admin: dir.path().join(format!("{name}-admin")),
            data,
            policy,
            log_key,
        }
    }

    /// Makes the genesis; gives what the command printed.
    fn found(&self, more: &[&str]) -> Output {
        let keys = self.data.join("server-keys.json");
        let mut words = vec!["org", "create", "--json", "--name", "Acme", "--out"];
        words.extend([text(&self.admin), "--server-keys", text(&keys)]);
        words.extend(more);
        cairn(&words)
    }

    fn genesis(&self) -> PathBuf {
        self.admin.join("genesis.frame")
    }

    fn serve(&self) -> Command {
        let mut command = serve_folder(&self.data);
        command.arg("--genesis").arg(self.genesis());
        command
    }

    /// An administrators' command about the log at `url`.
    fn org(&self, command: &str, url: &str, more: &[&str]) -> Output {
        let mut words = vec!["org", command, "--json", "--server", url, "--admin"];
        words.extend([text(&self.admin), "--trust-policy", text(&self.policy)]);
        words.extend(more);
        cairn(&words)
    }
}

/// `cairn-audit log` of a successor; what it said and whether it verified.
fn audit(genesis: &str, policy: &Path, places: &[&str]) -> (String, bool) {
    let done = Command::new(program("cairn-audit"))
        .args([
            "log",
            "--max-age",
            "none",
            "--genesis-hash",
            genesis,
            "--trust-policy",
        ])
        .arg(policy)
        .args(places)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &errors(&done);
    (said, done.status.success())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_closed_and_its_successor_is_verified_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (Office::new(&dir, "one"), Office::new(&dir, "two"));
    report(&old.found(&["--admins", "3", "--threshold", "2"]));
    let server = Running::start(&mut old.serve());
    let added = old.org("team-add", &server.url, &["--team", "a", "--name", "A"]);
    report(&added);
    let early = dir.path().join("early");
    report(&run(&["export-static", "--data"], &[&old.data, &early]));

    let evidence = dir.path().join("closing.json");
    let keys = new.data.join("server-keys.json");
    let words = [
        "--reason",
        "new key",
        "--successor-keys",
        text(&keys),
        "--out",
    ];
    // Nobody can be asked here, and what cannot be undone is not done by default.
    let unasked = old.org(
        "close-log",
        &server.url,
        &[&words[..], &[text(&evidence)]].concat(),
    );
    assert!(!unasked.status.success() && errors(&unasked).contains("`--yes`"));
    assert!(!evidence.exists());
    let closed = old.org(
        "close-log",
        &server.url,
        &[&words[..], &[text(&evidence), "--yes"]].concat(),
    );
    let closed = report(&closed);
    assert_eq!(
        (&closed["size"], &closed["successor"]),
        (&3.into(), &new.log_key.clone().into())
    );
    // Repeated, it gives the evidence of the one close there is.
    let again = dir.path().join("again.json");
    let repeated = old.org(
        "close-log",
        &server.url,
        &[&words[..], &[text(&again)]].concat(),
    );
    assert_eq!(report(&repeated)["root"], closed["root"]);
    let late = old.org("team-add", &server.url, &["--team", "b", "--name", "B"]);
    assert!(!late.status.success());
    assert!(
        errors(&late).contains("was closed by the entry at index 2"),
        "{}",
        errors(&late)
    );
    let health = server.json("/healthz").await;
    assert_eq!(
        (&health["status"], &health["closed_at"]),
        (&"closed".into(), &2.into())
    );
    assert_eq!(server.get("/readyz").await.status(), 503);
    server.end();
    let server = Running::start(&mut serve_folder(&old.data));
    assert_eq!(server.json("/healthz").await["status"], "closed");

    let succession = [
        "--succeeds",
        text(&evidence),
        "--administrators",
        text(&old.admin),
    ];
    let succession = [&succession[..], &["--trust-policy", text(&old.policy)]].concat();
    let stranger = Office::new(&dir, "three").found(&succession);
    assert!(
        errors(&stranger).contains("names log key"),
        "{}",
        errors(&stranger)
    );
    // One key is lost: two of the three are enough, and the successor has three again.
    std::fs::remove_file(old.admin.join("admin-02.key")).unwrap();
    let founded = report(&new.found(&[&succession[..], &["--admins", "3"]].concat()));
    assert_eq!(
        (&founded["threshold"], &founded["succeeds"]["size"]),
        (&2.into(), &3.into())
    );
    let both = std::fs::read_to_string(new.genesis()).unwrap();
    write(&new.genesis(), both.lines().next().unwrap());
    let unproven = Running::try_start(&mut new.serve()).err().unwrap();
    assert!(
        unproven.contains("does not hold the evidence"),
        "{unproven}"
    );
    write(&new.genesis(), &both);
    let next = Running::start(&mut new.serve());
    report(&new.org("team-add", &next.url, &["--team", "a", "--name", "A"]));

    let genesis = founded["genesis_hash"].as_str().unwrap();
    let policy = dir.path().join("auditors.policy");
    write(
        &policy,
        &format!("log {}\nlog {}\nquorum none\n", old.log_key, new.log_key),
    );
    let (said, good) = audit(genesis, &policy, &["--server", &next.url]);
    assert!(
        good && said.contains("succeeds: log.example.com/one size 3 root"),
        "{said}"
    );
    let places = ["--server", &next.url, "--predecessor-server", &server.url];
    let (said, good) = audit(genesis, &policy, &places);
    assert!(good && said.contains("ok   predecessor-log"), "{said}");
    // By the name that the option had before.
    let (said, good) = audit(genesis, &new.policy, &["--url", &next.url]);
    assert!(!good && said.contains("does not list log key"), "{said}");

    report(&run(&["check", "--live", "--data"], &[&new.data]));
    in_plain_files(&dir, &old, &new, genesis, &policy);
}

/// The same from two mirrors, and what is said when one of them is not the right one.
fn in_plain_files(dir: &TempDir, old: &Office, new: &Office, genesis: &str, policy: &Path) {
    let (first, second) = (dir.path().join("mirror-one"), dir.path().join("mirror-two"));
    report(&run(&["export-static", "--data"], &[&old.data, &first]));
    report(&run(&["export-static", "--data"], &[&new.data, &second]));
    let of = |before: &Path| {
        let places = ["--dir", text(&second), "--predecessor-dir", text(before)];
        audit(genesis, policy, &places)
    };
    let (said, good) = of(&first);
    assert!(good, "{said}");
    let (said, good) = of(&dir.path().join("early"));
    assert!(
        !good && said.contains("tree size is 2, the successor names 3"),
        "{said}"
    );
    let (said, good) = audit(
        &old_genesis(old),
        policy,
        &["--dir", text(&first), "--predecessor-dir", text(&second)],
    );
    assert!(
        !good && said.contains("names no log that this one succeeds"),
        "{said}"
    );
    for blob in std::fs::read_dir(second.join("blobs")).unwrap() {
        std::fs::write(blob.unwrap().path(), "{}").unwrap();
    }
    let (said, good) = of(&first);
    assert!(!good && said.contains("has not its form"), "{said}");
}

fn old_genesis(office: &Office) -> String {
    let org = std::fs::read(office.admin.join("org.json")).unwrap();
    let org: serde_json::Value = serde_json::from_slice(&org).unwrap();
    org["genesis_leaf"].as_str().unwrap().to_owned()
}
