//! TLS with curl and with the agents' own client: protocols, client certificates, replacement.

use crate::certificates::Authority;
use crate::programs::{Running, SERVER, audit, configure, errors, program, serve};
use crate::world::{PATIENCE, World, write};
use cairn_api::{Client, TlsTrust};
use std::path::Path;
use std::process::{Command, Output};

fn curl(arguments: &[&str]) -> Output {
    let mut command = Command::new("curl");
    command.args(["-sS", "--max-time", "20"]).args(arguments);
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A world whose server speaks TLS for `localhost`, with its authority.
fn world(sections: &str) -> (World, Authority) {
    let (world, authority) = (World::new(), Authority::new());
    let data = world.data();
    authority.certify("localhost", &data.join("tls.crt"), &data.join("tls.key"));
    write(&data.join("ca.pem"), &authority.pem());
    let tls = format!("[tls]\ncertificate = \"tls.crt\"\nkey = \"tls.key\"\n{sections}");
    configure(&data, &tls);
    (world, authority)
}

/// The server's address by the name that its certificate has.
fn by_name(server: &Running) -> String {
    server.url.replace("127.0.0.1", "localhost")
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_speaks_h1_h2_and_h2c_and_refuses_an_unknown_authority() {
    let (world, _authority) = world("");
    let server = Running::start(&mut serve(&world));
    assert!(server.url.starts_with("https://"), "{}", server.url);
    let url = format!("{}/healthz", by_name(&server));
    let ca = world.data().join("ca.pem");
    let version = ["-o", "/dev/null", "-w", "%{http_version} %{http_code}"];
    for (flag, expected) in [("--http1.1", "1.1 200"), ("--http2", "2 200")] {
        let arguments = [
            &version[..],
            &["--cacert", ca.to_str().unwrap(), flag, &url],
        ]
        .concat();
        let output = curl(&arguments);
        assert_eq!(said(&output), expected, "{}", errors(&output));
    }
    assert!(
        !curl(&[&url]).status.success(),
        "an unknown authority was believed"
    );
    let plain = curl(&[&url.replace("https", "http")]);
    assert!(
        !plain.status.success(),
        "plain HTTP was answered on a TLS port"
    );

    let open = World::new();
    let server = Running::start(&mut serve(&open));
    let url = format!("{}/healthz", server.url);
    for (flag, expected) in [
        ("--http1.1", "1.1 200"),
        ("--http2-prior-knowledge", "2 200"),
    ] {
        let output = curl(&[&version[..], &[flag, &url]].concat());
        assert_eq!(said(&output), expected, "{}", errors(&output));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_certificate_is_used_and_open_connections_go_on() {
    let (world, authority) = world("");
    let server = Running::start(&mut serve(&world));
    let data = world.data();
    let trust = TlsTrust {
        authorities: Some(authority.pem()),
        identity: None,
    };
    let http = trust.http_client().unwrap();
    let tail = format!("{}/v1/tail?from=0", by_name(&server));
    let mut open = http.get(tail).send().await.unwrap();
    let newer = Authority::new();
    newer.certify("localhost", &data.join("tls.crt"), &data.join("tls.key"));
    write(&data.join("newer.pem"), &newer.pem());
    server.signal(rustix::process::Signal::HUP);
    let url = format!("{}/healthz", by_name(&server));
    let ca = data.join("newer.pem");
    let until = std::time::Instant::now() + PATIENCE;
    while !curl(&["--cacert", ca.to_str().unwrap(), &url])
        .status
        .success()
    {
        assert!(
            std::time::Instant::now() < until,
            "the new certificate is not used"
        );
    }
    // The stream was there before; what happens now still comes through it.
    let client = Client::trusting(
        &by_name(&server),
        &TlsTrust {
            authorities: Some(newer.pem()),
            identity: None,
        },
    );
    let client = client.unwrap();
    let submitted = client
        .submit(&[world.roster()], cairn_api::Wait::Published, PATIENCE)
        .await;
    assert_eq!(submitted.unwrap().results.len(), 1);
    let mut seen = String::new();
    while !seen.contains("{\"size\":2}") {
        let chunk = open.chunk().await.unwrap();
        seen.push_str(std::str::from_utf8(&chunk.expect("the stream ended")).unwrap());
    }
    // A broken file is reported and changes nothing.
    write(&data.join("tls.crt"), "no certificate\n");
    server.signal(rustix::process::Signal::HUP);
    for _ in 0..5 {
        assert!(
            curl(&["--cacert", ca.to_str().unwrap(), &url])
                .status
                .success()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn submitters_show_a_certificate_of_the_organisation() {
    let (world, authority) = world("client_ca = \"agents.pem\"\nclient = \"submitters\"\n");
    let (data, agents) = (world.data(), Authority::new());
    write(&data.join("agents.pem"), &agents.pem());
    let server = Running::start(&mut serve(&world));
    let url = by_name(&server);
    let identity = |authority: &Authority, name: &str| {
        let (certificate, key) = (
            data.join(format!("{name}.crt")),
            data.join(format!("{name}.key")),
        );
        authority.certify("device", &certificate, &key);
        std::fs::read_to_string(certificate).unwrap() + &std::fs::read_to_string(key).unwrap()
    };
    let trust = |identity: Option<String>| TlsTrust {
        authorities: Some(authority.pem()),
        identity,
    };
    let without = Client::trusting(&url, &trust(None)).unwrap();
    // Auditors and browsers need none.
    without.genesis().await.unwrap();
    let frames = [world.roster()];
    let refused = without
        .submit(&frames, cairn_api::Wait::Sequenced, PATIENCE)
        .await;
    let text = refused.unwrap_err().to_string();
    assert!(text.contains("client certificate"), "{text}");
    let stranger = trust(Some(identity(&Authority::new(), "stranger")));
    let stranger = Client::trusting(&url, &stranger).unwrap();
    assert!(
        stranger.genesis().await.is_err(),
        "a stranger's certificate was taken"
    );
    let agent = Client::trusting(&url, &trust(Some(identity(&agents, "agent")))).unwrap();
    let done = agent
        .submit(&frames, cairn_api::Wait::Sequenced, PATIENCE)
        .await
        .unwrap();
    assert_eq!(done.results.len(), 1);
}

#[test]
fn tls_files_that_cannot_be_used_are_refused_before_the_start() {
    let check = |data: &Path| {
        let mut command = Command::new(SERVER);
        command
            .args(["serve", "--check-config", "--data"])
            .arg(data);
        command.output().unwrap()
    };
    let (world, _authority) = world("");
    assert!(check(&world.data()).status.success());
    let other = Authority::new();
    let data = world.data();
    other.certify("localhost", &data.join("tls.crt"), &data.join("unused.key"));
    let mixed = check(&data);
    assert!(
        errors(&mixed).contains("certificate and key are refused"),
        "{}",
        errors(&mixed)
    );
    configure(
        &data,
        "[tls]\ncertificate = \"tls.crt\"\nkey = \"tls.key\"\nclient = \"everybody\"\n",
    );
    assert!(errors(&check(&data)).contains("needs `tls.client_ca`"));
}

#[tokio::test(flavor = "multi_thread")]
async fn auditor_and_exporter_believe_a_private_authority_and_no_other() {
    let (world, _authority) = world("");
    let server = Running::start(&mut serve(&world));
    let (folder, url) = (world.dir.path(), by_name(&server));
    let ours = world.data().join("ca.pem");
    let others = folder.join("others.pem");
    write(&others, &Authority::new().pem());
    let empty = folder.join("empty.pem");
    write(&empty, "");
    // The genesis is published a little after the start.
    let checkpoint = format!("{url}/checkpoint");
    let newest = || said(&curl(&["--cacert", ours.to_str().unwrap(), &checkpoint]));
    let until = std::time::Instant::now() + PATIENCE;
    while newest().lines().nth(1) == Some("0") {
        assert!(std::time::Instant::now() < until, "nothing is published");
    }
    for (authority, good) in [(&ours, true), (&others, false), (&empty, false)] {
        let authority = authority.to_str().unwrap();
        let audited = audit(&["--server", &url, "--ca", authority], &world, folder);
        let said = String::from_utf8_lossy(&audited.stdout).into_owned() + &errors(&audited);
        assert_eq!(audited.status.success(), good, "{said}");
        let exported = Command::new(program("cairn-export"))
            .args(["tail", "--once", "--server", &url, "--ca", authority])
            .arg("--trust-policy")
            .arg(folder.join("auditors.policy"))
            .arg("--cursor")
            .arg(folder.join("cursor"))
            .arg("--sink")
            .arg(format!("file:{}", folder.join("records").display()))
            .output()
            .unwrap();
        assert_eq!(exported.status.success(), good, "{}", errors(&exported));
    }
    let without = audit(&["--server", &url], &world, folder);
    assert!(
        !without.status.success(),
        "an unknown authority was believed"
    );
    let records = std::fs::read_to_string(folder.join("records")).unwrap();
    assert!(records.contains("3004"), "{records}");
}
