//! A witness's key is replaced by that of another one while receipts go on being made.

use crate::programs::{Running, Witness, configure, errors, program, report, run, serve};
use crate::world::{World, write};
use std::path::Path;
use std::process::{Command, Output};

/// A trust policy of this log, these witnesses, and the words after them.
fn policy(world: &World, witnesses: &[(&str, &Witness)], rule: &str) -> String {
    let lines = witnesses
        .iter()
        .map(|(name, witness)| witness.line(name))
        .collect::<String>();
    format!("log {}\n{lines}{rule}", world.public.log_key)
}

fn receipt(entry: &Path, receipt: &Path, policy: &Path) -> Output {
    Command::new(program("cairn-audit"))
        .args(["receipt", "--entry"])
        .arg(entry)
        .arg("--receipt")
        .arg(receipt)
        .arg("--trust-policy")
        .arg(policy)
        .output()
        .unwrap()
}

/// Writes an entry and the receipt that the server gives for it now.
async fn keep(server: &Running, index: u64, at: &Path) {
    for (route, file) in [("entries", "entry"), ("receipts", "receipt")] {
        let answer = server.get(&format!("/v1/{route}/{index}")).await;
        let bytes = answer.bytes().await.unwrap();
        std::fs::write(at.with_extension(file), bytes).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_keys_are_in_the_trust_policy_while_one_follows_the_other() {
    let world = World::new();
    let former = Witness::start(&world.public.log_key);
    let next = Witness::start(&world.public.log_key);
    let (old, new) = ([("w1", &former)], [("w1-2027", &next)]);
    let either = [("w1", &former), ("w1-2027", &next)];
    let folder = world.dir.path();
    let (before, during, after) = (
        folder.join("before.policy"),
        folder.join("during.policy"),
        folder.join("after.policy"),
    );
    write(&before, &policy(&world, &old, "quorum w1\n"));
    let rule = "group w1-keys any w1 w1-2027\nquorum w1-keys\n";
    write(&during, &policy(&world, &either, rule));
    write(&after, &policy(&world, &new, "quorum w1-2027\n"));

    configure(&world.data(), "trust_policy = \"trust.policy\"\n");
    let trust = world.data().join("trust.policy");
    std::fs::copy(&before, &trust).unwrap();
    let server = Running::start(&mut serve(&world));
    let mut chain = server.grow(&world, 3, 5).await;
    let first = folder.join("first");
    keep(&server, 4, &first).await;
    server.end();

    // The new key cosigns beside the old one; either satisfies those who know it.
    std::fs::copy(&during, &trust).unwrap();
    let server = Running::start(&mut serve(&world));
    server.more(&mut chain, 5).await;
    let both = |note: &str| {
        let lines = note.lines().filter(|line| line.starts_with("— witness."));
        lines.count() == 2
    };
    let mut note = String::new();
    while !both(&note) {
        server.more(&mut chain, 1).await;
        note = server.get("/checkpoint").await.text().await.unwrap();
    }
    let second = folder.join("second");
    keep(&server, 9, &second).await;
    let (entry, proof) = (
        second.with_extension("entry"),
        second.with_extension("receipt"),
    );
    for policy in [&before, &during, &after] {
        let shown = receipt(&entry, &proof, policy);
        assert!(
            shown.status.success(),
            "{}: {}",
            policy.display(),
            errors(&shown)
        );
    }
    server.end();

    // The old one is gone for good, and the log goes on.
    std::fs::copy(&after, &trust).unwrap();
    drop(former);
    let server = Running::start(&mut serve(&world));
    server.more(&mut chain, 5).await;
    let third = folder.join("third");
    keep(&server, 12, &third).await;
    let of = |at: &Path, policy: &Path| {
        let (entry, proof) = (at.with_extension("entry"), at.with_extension("receipt"));
        receipt(&entry, &proof, policy).status.success()
    };
    // Each receipt is good under the policies of its time, and during the change under both.
    let good = [
        (&first, &before),
        (&first, &during),
        (&third, &during),
        (&third, &after),
    ];
    for (at, policy) in good {
        assert!(
            of(at, policy),
            "{} under {}",
            at.display(),
            policy.display()
        );
    }
    assert!(!of(&first, &after) && !of(&third, &before));
    server.end();
    report(&run(&["check", "--data"], &[&world.data()]));
}
