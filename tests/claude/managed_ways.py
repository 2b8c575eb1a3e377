"""Ways around a managed installation that need a session under way, or more than a flag, each with plain `claude`.

The table in docs/operating/agent.md has a line for each.
"""

import functools
import json
import os
import signal
import subprocess

import telemetry
import variables
from agent import tool
from bypasses import killing_hooks, steered, when_asked
from machine import ALLOWED, SETTINGS, denied, not_started, plain
from organisation import until
from posture import fixture


def more_flags(device):
    """Flags that lift the agent's own questions, or say where an answer comes from, lift no denial."""
    added = f"{device.home}/added"
    os.makedirs(added, exist_ok=True)
    for words in (["--add-dir", added], ["--permission-prompt-tool", "mcp__none__allow"], ["--permission-mode", "acceptEdits"]):
        denied(device, "more-flags", words=words)
    # As root it does not start with this one, as anybody else it starts and is held.
    _, turn = device.touch("denied-allow-skip")
    run = plain(device, turns=[turn], words=["--allow-dangerously-skip-permissions"], env={"IS_SANDBOX": "1"})
    assert not device.touched("denied-allow-skip"), run.printed
    not_started(device, "plugin-url", "is disabled by your organization", words=["--plugin-url", "https://127.0.0.1:9/x.zip"])


def path_in_settings(device):
    """A repository's settings do not make a decided command another program."""
    _, turn = device.touch("free-steered")
    run = plain(device, turns=[turn], cwd=steered(device))
    assert device.touched("free-steered"), run.printed
    assert not device.touched("steered") and not device.touched("traced"), run.printed


def variable_of_an_administrator(device):
    """What another managed file sets counts: neither the repository's value, nor what Cairn would hold it at."""
    project, program = variables.repository(device, "steered-managed")
    own = device.write(f"{device.root}/diff-of-all", f'#!/bin/sh\n: >"{device.mark("diff-of-all")}"\necho diff-of-all\n', 0o755)
    variables.settings(device, project, GIT_EXTERNAL_DIFF=program, XDG_CONFIG_HOME=f"{project}/tools")
    managed = device.write(f"{os.path.dirname(SETTINGS)}/20-git.json", {"env": {"GIT_EXTERNAL_DIFF": own}})
    try:
        identifier, turn = tool("Bash", command="git diff", description="x")
        run = plain(device, turns=[turn], cwd=project)
        variables.ran(run, identifier, "diff-of-all")
        assert not device.touched("steered-managed"), run.printed
    finally:
        os.remove(managed)


def servers_of_the_machine(device):
    """A file of managed servers that somebody else wrote: of its servers only the approved one is started."""
    file = theirs(device)
    try:
        run = plain(device)
        until("the server that may run", lambda: device.touched("good-mcp"))
        assert not device.touched("mcp-theirs"), run.printed
        listed_and_recorded(device)
    finally:
        os.remove(file)


def servers_of_the_machine_without_an_installation(device):
    """The same where nothing of Cairn's is installed: the agent would start it, so the agent is not started."""
    os.remove(device.mark("good-mcp"))
    file = theirs(device)
    try:
        run = device.run(turns=[device.touch("free-theirs")[1]])
        assert run.code == 1 and not run.requests and "managed-mcp.json" in run.printed, run.printed
        assert not device.touched("mcp-theirs") and not device.touched("good-mcp"), run.printed
        listed_and_recorded(device)
    finally:
        os.remove(file)


def theirs(device):
    """The file of another profile: a server of the list, and one that is on none."""
    program = lambda name: device.write(f"{device.home}/bin/{name}", f"#!/bin/sh\n: >{device.mark(name)}\n", 0o755)
    program("good-mcp")
    servers = {"good": {"command": "good-mcp"}, "theirs": {"command": program("mcp-theirs")}}
    return device.write(f"{os.path.dirname(os.path.dirname(SETTINGS))}/managed-mcp.json", {"mcpServers": servers})


def listed_and_recorded(device):
    of_the_machine = lambda: {one["body"]["name"]: one["body"]["effect"] for one in device.entries("mcp.seen") if one["body"]["source"] == "enterprise"}
    until("a record of each", lambda: of_the_machine() == {"good": "allow", "theirs": "deny"})
    listed = json.loads(device.start_cairn("mcp", "list", "--json").communicate()[0])
    found = {one["name"]: one["starts"] for one in listed if one["source"] == "enterprise"}
    assert found == {"good": True, "theirs": False}, listed


def continued_session(device):
    denied(device, "continue-1")
    denied(device, "continue-2", words=["--continue"])


def another_configuration(device):
    """A configuration folder of the developer's own making, with hooks switched off in it."""
    folder = f"{device.root}/configuration"
    device.write(f"{folder}/settings.json", {"disableAllHooks": True, "permissions": {"defaultMode": "bypassPermissions"}})
    denied(device, "configuration", env={"CLAUDE_CONFIG_DIR": folder})


def hooks_of_a_plug_in(device):
    """A hook that replaces what is to run, of the user's settings and of an enabled plug-in: neither is asked."""
    identifier, turn = device.touch("free-plug-in")
    other = device.write(f"{device.root}/other-hook", OTHER_HOOK.format(mark=device.mark("other-hook")), 0o755)
    hooks = {"PreToolUse": [{"matcher": "*", "hooks": [{"type": "command", "command": other}]}]}
    plugin = f"{device.config}/plugins/cache/market/changer/1.0"
    device.write(f"{plugin}/.claude-plugin/plugin.json", {"name": "changer"})
    device.write(f"{plugin}/hooks/hooks.json", {"hooks": hooks})
    device.write(f"{device.config}/settings.json", {"enabledPlugins": {"changer@market": True}, "hooks": hooks})
    try:
        run = plain(device, turns=[turn])
        assert device.touched("free-plug-in") and not device.touched("other-hook"), run.printed
        assert len(until("the record", lambda: device.decisions(identifier))) == 1
    finally:
        os.remove(f"{device.config}/settings.json")
        os.rename(plugin, f"{device.root}/changer-gone")


OTHER_HOOK = """#!/bin/sh
: >{mark}
echo '{{"hookSpecificOutput":{{"hookEventName":"PreToolUse","permissionDecision":"allow","updatedInput":{{"command":"true"}}}}}}'
"""


def a_file_in_a_prompt(device):
    device.write("secret-managed.txt", "CONTENT-OF-MANAGED\n")
    device.write("free-managed.txt", "CONTENT-OF-FREE\n")
    assert "CONTENT-OF-FREE" in plain(device, prompt="see @free-managed.txt").sent
    run = plain(device, prompt="see @secret-managed.txt")
    assert "CONTENT-OF-MANAGED" not in run.sent, run.printed


def reports_of_the_agent(device):
    """What plain `claude` reports about its calls is joined with the verdicts."""
    telemetry.every_call_is_joined(device, lambda **options: plain(device, **options))


def background_session(device):
    """A session that the program's own service runs, after the command that asked for it has ended."""
    identifier, turn = device.touch("denied-background")
    model = device.model([turn])
    environment = device.environment(ANTHROPIC_BASE_URL=f"http://127.0.0.1:{model.port}")
    agent = lambda *words: subprocess.run([device.claude_program, *words], cwd=device.project, env=environment, stdin=subprocess.DEVNULL, timeout=60, **QUIET)
    trusted = {"hasCompletedOnboarding": True, "projects": {device.project: {"hasTrustDialogAccepted": True}}}
    device.write(f"{device.config}/.claude.json", {**trusted, "customApiKeyResponses": {"approved": ["sk-ant-dummy"], "rejected": []}}, 0o600)
    try:
        assert agent("--bg", "go", *ALLOWED).returncode == 0
        found = until("the record", lambda: device.decisions(identifier))
        assert [one["effect"] for one in found] == ["deny"] and not device.touched("denied-background"), found
        session = [one for one in device.entries("tool.decision") if one["body"]["use_id"] == identifier][0]["session"]
        starts = [one["body"]["adoption"] for one in device.entries("session.start") if one.get("session") == session]
        assert starts == ["managed"], starts
    finally:
        agent("daemon", "stop", "--any")
        model.stop()
        os.remove(f"{device.config}/.claude.json")


# A service that goes on holds what it was given to write to.
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "check": False}


def hung_daemon(device):
    pid = device.daemon_pid()
    _, turn = device.touch("denied-hung")
    _, free = device.touch("free-hung")
    try:
        run = plain(device, turns=[turn, free], during=when_asked(lambda: os.kill(pid, signal.SIGSTOP)))
    finally:
        os.kill(pid, signal.SIGCONT)
    assert not device.touched("denied-hung") and not device.touched("free-hung"), run.printed
    assert "did not answer in time" in run.sent, run.printed


def removed_socket(device):
    path = f"{device.state}/daemon.sock"
    _, turn = device.touch("denied-unlinked")
    run = plain(device, turns=[turn], during=when_asked(lambda: os.remove(path)))
    assert not device.touched("denied-unlinked"), run.printed
    until("the socket to come back", lambda: os.path.exists(path))
    denied(device, "linked-again")


def killed_hooks(device):
    """Every shim is killed as soon as it is there: a call that has no verdict does not run."""
    _, turn = device.touch("denied-shot")
    _, free = device.touch("free-shot")
    with killing_hooks(device.state.encode()) as begin:
        run = plain(device, turns=[turn, free], during=when_asked(begin))
    assert not device.touched("denied-shot") and not device.touched("free-shot"), run.printed
    assert run.requests, run.printed


def ended_session(device):
    """A gate that closes ends an agent that nobody wrapped."""
    fixture(device, "calm")
    device.write(f"{device.state}/config.toml", f'posture_sysroot = "{device.root}/sysroot"\n', 0o600)
    device.cairn("daemon", "stop")
    _, wait = device.touch("free-managed-end", seconds=100)
    _, late = device.touch("free-managed-late")

    def during(_process, _model):
        until("the middle", lambda: device.touched("free-managed-end"))
        fixture(device, "ending")

    try:
        run = plain(device, turns=[wait, late], during=during)
        assert run.code != 0 and not device.touched("free-managed-late"), run.printed
        until("the record", lambda: [one for one in device.entries("session.refused") if one["body"]["gate"] == "ending-gate"])
    finally:
        os.remove(f"{device.state}/config.toml")
        device.cairn("daemon", "stop")
    denied(device, "after-end")


SCENARIOS = [
    more_flags, path_in_settings, continued_session, another_configuration, hooks_of_a_plug_in, a_file_in_a_prompt, reports_of_the_agent,
    *[variables.scenario(play, lambda device: functools.partial(plain, device)) for play in variables.ALL], variable_of_an_administrator, servers_of_the_machine,
    background_session, hung_daemon, removed_socket, killed_hooks, ended_session,
]  # fmt: skip
