//! The list of MCP servers: what matches, what is in doubt, and whom a managed server is for.

use super::*;

/// The verdict for somebody in no team.
fn server_verdict(policy: &McpPolicy, server: &McpServer) -> McpVerdict {
    super::server_verdict(policy, &Subject::default(), server)
}

fn policy(text: &str) -> McpPolicy {
    serde_json::from_str(text).unwrap()
}

fn local(name: &str, argv: &[&str]) -> McpServer {
    let command = argv.iter().map(|word| (*word).to_owned()).collect();
    McpServer {
        name: name.into(),
        command,
        url: None,
        steered: false,
    }
}

fn remote(name: &str, url: &str) -> McpServer {
    McpServer {
        name: name.into(),
        command: vec![],
        url: Some(url.into()),
        steered: false,
    }
}

#[test]
fn default_block_and_names() {
    let policy = policy(r#"{"default":"block","allow":[{"name":"github"}]}"#);
    assert!(server_verdict(&policy, &local("github", &["gh-mcp"])).allowed);
    assert!(!server_verdict(&policy, &local("other", &["gh-mcp"])).allowed);
}

#[test]
fn a_command_entry_makes_labels_worthless() {
    let policy =
        policy(r#"{"default":"block","allow":[{"name":"github"},{"command":["npx","-y","gh"]}]}"#);
    assert!(server_verdict(&policy, &local("x", &["npx", "-y", "gh"])).allowed);
    assert!(!server_verdict(&policy, &local("github", &["evil"])).allowed);
    assert!(server_verdict(&policy, &remote("github", "https://a.corp/")).allowed);
}

#[test]
fn urls_match_by_host_and_path() {
    let policy = policy(
        r#"{"default":"block","allow":[{"url":"https://*.corp/*"},{"url":"https://B.net"}],
            "deny":[{"url":"https://bad.corp/*"}]}"#,
    );
    let allowed = |url| server_verdict(&policy, &remote("r", url)).allowed;
    assert!(allowed("https://API.corp./mcp"));
    assert!(allowed("https://b.net/any/path"));
    assert!(!allowed("https://bad.corp/mcp"));
    assert!(!allowed("https://evil.com/x.corp/"));
    assert!(!allowed("https://user@evil.corp/x"));
}

#[test]
fn an_address_leads_where_the_agent_goes() {
    let policy = policy(
        r#"{"default":"block","allow":[{"url":"https://*.corp/*"},{"url":"https://B\u00fccher.net:443/mcp"}]}"#,
    );
    let allowed = |url| server_verdict(&policy, &remote("r", url)).allowed;
    for url in [
        r"https://evil.com\x.corp/mcp",
        "https://evil.com\\.corp/mcp",
        "https://evil.com/.corp/mcp",
        "https://evil.com?x.corp/mcp",
        "https://evil.com#x.corp/mcp",
        "https://x.corp@evil.com/mcp",
        "https://evil.com\t.corp/mcp",
        "https://${H:-evil.com/}x.corp/mcp",
        "https://x.corp:443@evil.com/",
        "https:x.corp.evil.com/",
        "http://x.corp/mcp",
        "//x.corp/mcp",
        "https://b\u{fc}cher.net/mcp/../other",
    ] {
        assert!(!allowed(url), "{url:?}");
    }
    for url in [
        "https://API.corp./mcp",
        "https://x.corp:443/mcp",
        "https:\u{2f}/x.corp/mcp",
        "https://b\u{fc}cher.net/mcp",
        "https://xn--bcher-kva.net/a/../mcp",
    ] {
        assert!(allowed(url), "{url:?}");
    }
}

#[test]
fn a_denied_address_is_denied_in_every_spelling() {
    let policy = policy(r#"{"default":"allow","deny":[{"url":"https://bad.corp/*"}]}"#);
    for url in [
        "https://bad.corp/mcp",
        "https://user@bad.corp/mcp",
        "https://BAD.corp.:443/mcp",
        r"https:\\bad.corp\mcp",
        "https://${X}/mcp",
        "https://b\u{430}d.corp@bad.corp/",
        "https://bad\n.corp/mcp",
        "https:bad.corp/mcp",
        "https://%62ad.corp/mcp",
    ] {
        assert!(
            !server_verdict(&policy, &remote("r", url)).allowed,
            "{url:?}"
        );
    }
    assert!(server_verdict(&policy, &remote("r", "https://good.corp/mcp")).allowed);
    // Where no entry names an address it does not matter which one it is.
    assert!(server_verdict(&McpPolicy::default(), &remote("r", "https://${X}/")).allowed);
}

#[test]
fn a_definition_with_a_program_and_an_address_is_refused() {
    let policy = policy(
        r#"{"default":"block","allow":[{"url":"https://*.corp/*"},{"command":["good"]},{"name":"n"}]}"#,
    );
    for definition in [
        r#"{"command":"evil","url":"https://x.corp/mcp"}"#,
        r#"{"type":"http","command":"evil","url":"https://x.corp/mcp"}"#,
        r#"{"type":"stdio","command":"good","url":"https://evil.com/"}"#,
        r#"{"type":"http","url":"https://x.corp/mcp","headersHelper":"evil"}"#,
    ] {
        let definition = serde_json::from_str(definition).unwrap();
        for policy in [&policy, &McpPolicy::default()] {
            let verdict = server_verdict(policy, &McpServer::from_definition("n", &definition));
            assert_eq!(verdict.reason, McpReason::TwoTransports, "{definition}");
            assert!(!verdict.allowed);
        }
    }
}

#[test]
fn a_managed_server_runs_only_as_defined() {
    let policy =
        policy(r#"{"default":"block","servers":{"db":{"command":"db-mcp","args":["--ro"]}}}"#);
    assert!(server_verdict(&policy, &local("db", &["db-mcp", "--ro"])).allowed);
    assert!(!server_verdict(&policy, &local("db", &["db-mcp", "--rw"])).allowed);
}

#[test]
fn a_managed_server_is_for_those_whom_its_scopes_name() {
    let policy = policy(
        r#"{"default":"block","servers":{"db":{"command":"db-mcp"},"wiki":{"command":"wiki-mcp"}},
            "scopes":{"db":[{"team":"data"},{"person":"p_ann"}]}}"#,
    );
    let subject = |person: &str, teams: &[&str]| Subject {
        person: person.into(),
        teams: teams.iter().map(|team| (*team).to_owned()).collect(),
        roles: vec![],
    };
    let given = |subject: &Subject| {
        let names = policy.servers_of(subject).map(|(name, _)| name.clone());
        let names: Vec<String> = names.collect();
        let mine = policy.of(subject);
        assert_eq!(mine.servers.into_keys().collect::<Vec<_>>(), names);
        assert!(mine.scopes.is_empty());
        for (name, command) in [("db", "db-mcp"), ("wiki", "wiki-mcp")] {
            let verdict = super::server_verdict(&policy, subject, &local(name, &[command]));
            assert_eq!(
                verdict.allowed,
                names.iter().any(|one| one == name),
                "{name}"
            );
        }
        names
    };
    assert_eq!(given(&subject("p_bob", &["web", "data"])), ["db", "wiki"]);
    assert_eq!(given(&subject("p_ann", &[])), ["db", "wiki"]);
    assert_eq!(given(&subject("p_bob", &["web"])), ["wiki"]);
    assert_eq!(
        policy.for_everybody().into_keys().collect::<Vec<_>>(),
        ["wiki"]
    );
}
