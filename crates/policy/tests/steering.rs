//! What a variable on a shell line makes of the command after it.
//!
//! Source: `cairn_policy::steering`; Claude Code findings 2.4.

mod fixtures;

use cairn_event::Effect;
use fixtures::{alice, bundle, rule, verdict};

fn beside_a_denial(line: &str) -> Effect {
    let both = bundle(vec![
        rule("everything", Effect::Allow, "Bash"),
        rule("denied", Effect::Deny, "Bash(rm *)"),
    ]);
    verdict(&both, &alice(&[]), line)
}

#[test]
fn a_command_in_a_variable_is_a_command_of_the_line() {
    for line in [
        "GIT_SSH_COMMAND='rm -rf x' git fetch",
        "GIT_EXTERNAL_DIFF='rm -rf x' git diff",
        "PAGER='rm -rf x' git log",
        "KUBE_EDITOR='rm -rf x' kubectl edit pod",
        "RUSTC_WRAPPER='rm -rf x' cargo build",
        "AR='rm -rf x' make",
        "npm_config_script_shell='rm -rf x' npm test",
        "GOCACHEPROG='rm -rf x' go build",
        "GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=core.pager GIT_CONFIG_VALUE_0='rm x' git log",
        "GOFLAGS=-toolexec=./x go build",
        "RUSTFLAGS='-C linker=./x' cargo build",
        "TAR_OPTIONS=--to-command=./x tar xf a.tar",
        "MAVEN_OPTS=-javaagent:x.jar mvn test",
        "LUA_INIT='os.execute(1)' lua x.lua",
        "PS4='$(rm x)' bash -x script.sh",
        "CC_x86_64_unknown_linux_gnu='rm -rf x' cargo build",
        "CFLAGS_x86_64=-fplugin=x.so cargo build",
        "export GIT_SSH_COMMAND='rm -rf x'; git fetch",
    ] {
        assert_ne!(beside_a_denial(line), Effect::Allow, "{line}");
    }
}

#[test]
fn places_and_plain_options_hide_no_command() {
    for line in [
        "PYTHONPATH=. pytest -q",
        "GOFLAGS=-mod=mod go test ./...",
        "RUSTFLAGS='-D warnings' cargo test",
        "CFLAGS='-O2 -g' make",
        "MAVEN_OPTS=-Xmx2g mvn -q test",
        "JAVA_HOME=/usr/lib/jvm/17 mvn test",
        "CARGO_TARGET_DIR=t cargo build",
        "KUBECONFIG=k.yaml kubectl get pods",
        "DOCKER_HOST=tcp://h:1 docker ps",
        "GIT_AUTHOR_NAME=x git commit -m y",
        "pip_index=x PIP_NO_INPUT=1 pip install y",
        "NODE_ENV=test npm test",
    ] {
        assert_eq!(beside_a_denial(line), Effect::Allow, "{line}");
    }
}
