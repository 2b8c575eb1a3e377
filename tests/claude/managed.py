"""The managed installation with the real Claude Code: plain `claude`, every way around, proof, and uninstall.

Usage: managed.py [NAME ...]   only scenarios whose name contains one of the words.
Needs CAIRN_PROGRAMS and CAIRN_CLAUDE_CODE, and a mount namespace of its own: /etc and /usr/local of the
machine are covered, not changed. The table in docs/operating/agent.md has a line for each scenario.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import managed_ways  # noqa: E402
from bypasses import PRELOADED, plug_in, when_asked  # noqa: E402
from machine import ALLOWED, ENROL_AT, PROGRAMS, SETTINGS, denied, install, not_started, plain, standing  # noqa: E402
from organisation import Organisation, until  # noqa: E402
from policy import bundle  # noqa: E402
from posture import fixture  # noqa: E402
from scenarios import Results, chosen  # noqa: E402

COVERED = ("/etc", "/usr/local")
OTHERS = "/etc/claude-code/managed-settings.d/10-others.json"


def own_namespace():
    """Starts this program again where mounts are its own; false where that cannot be had."""
    command = ["unshare", "--mount", "--propagation", "private"]
    if os.geteuid() != 0:
        command.insert(1, "--map-root-user")
    if not shutil.which("unshare"):
        return False
    with tempfile.TemporaryDirectory(prefix="cairn-managed-") as root:
        for kind in ("disk", "memory"):
            inside = [sys.executable, os.path.abspath(sys.argv[0]), "--inside", root, kind]
            if subprocess.run([*command, *inside, "--try"], check=False, capture_output=True).returncode == 0:
                sys.exit(subprocess.run([*command, *inside, *sys.argv[1:]], check=False).returncode)
    return False


def cover(root, kind):
    """Lays a folder over each part of the machine that an installation writes to."""
    under = f"{root}/over-{kind}"
    os.makedirs(under, exist_ok=True)
    if kind == "memory":
        subprocess.run(["mount", "-t", "tmpfs", "none", under], check=True)
    for folder in COVERED:
        upper, work = f"{under}{folder}/upper", f"{under}{folder}/work"
        os.makedirs(upper, exist_ok=True)
        os.makedirs(work, exist_ok=True)
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={folder},upperdir={upper},workdir={work}", folder], check=True)
    # What the machine itself has there is no part of the story.
    for path in ("/etc/claude-code", "/etc/cairn", PROGRAMS):
        shutil.rmtree(path, ignore_errors=True)


def dry_run_and_install(device):
    """What would be written is said first, and installing twice changes nothing."""
    os.makedirs(os.path.dirname(OTHERS), exist_ok=True)
    device.write(OTHERS, {"env": {"OTHERS_WORD": "kept"}})
    said = install(device, "--dry-run")
    assert "onFailure" in said and not os.path.exists(SETTINGS) and not os.path.exists(PROGRAMS), said
    assert standing(device) == "bypassable"
    install(device)
    again = install(device)
    assert all(line.startswith("unchanged") for line in again.splitlines() if not line.startswith("Each developer")), again
    for path in (SETTINGS, f"{PROGRAMS}/cairn", f"{PROGRAMS}/cairn-hook", "/etc/cairn/managed.json"):
        meta = os.stat(path)
        assert meta.st_uid == 0 and meta.st_mode & 0o022 == 0, path
    assert standing(device) == "not-proven" and "enforced" not in device.cairn("status")[1]


def control(device):
    """Plain `claude`: an allowed command runs, a denied one does not, both recorded; others' settings hold."""
    identifier, turn = device.touch("free-managed")
    run = plain(device, turns=[turn])
    assert device.touched("free-managed"), run.printed + str(run.told())
    until("its outcome", lambda: [one for one in device.entries("tool.outcome") if one["body"]["use_id"] == identifier])
    decided = [one for one in device.entries("tool.decision") if one["body"]["use_id"] == identifier]
    assert len(decided) == 1, decided
    starts = [one for one in device.entries("session.start") if one.get("session") == decided[0]["session"]]
    assert [one["body"]["adoption"] for one in starts] == ["managed"], starts
    assert decided[0]["agent"]["version"], decided
    told = [name for name in os.listdir(f"{device.state}/claude") if name.endswith(".managed.json")]
    with open(f"{device.state}/claude/{told[-1]}", encoding="utf-8") as file:
        settings = json.load(file)
    assert settings["env"]["OTHERS_WORD"] == "kept" and "Bash(mark *denied*)" in settings["permissions"]["deny"]
    denied(device, "managed")
    assert not [one for one in device.entries("session.start") if one["body"]["adoption"] == "unmanaged"]


def canary_proves_it(device):
    """Only after a canary the status says enforced, and the log has both decisions."""
    code, out, said = device.cairn("canary", "--json")
    assert code == 0, said
    proof = json.loads(out)
    status = device.status()
    assert status["standing"] == "enforced" and status["enforcement"].startswith("enforced"), status
    effects = {one["body"]["use_id"]: one["body"]["effect"] for one in device.entries("tool.decision") if one.get("session") == proof["session"]}
    assert sorted(effects.values())[-1] == "deny" and set(effects.values()) & {"allow", "no-opinion"}, effects
    # A later file of somebody else's overrides ours: no longer enforced, and doctor names it.
    override = f"{os.path.dirname(SETTINGS)}/90-others.json"
    device.write(override, {"disableAllHooks": True})
    try:
        assert standing(device) == "changed"
        assert "overrides `/disableAllHooks`" in device.cairn("doctor")[1]
        assert device.cairn("canary")[0] == 1
    finally:
        os.remove(override)
    assert standing(device) == "not-proven", "a failed canary leaves no proof"
    assert device.cairn("canary")[0] == 0 and standing(device) == "enforced"


def weakening_flags(device):
    weak = [
        ["--bare"], ["--safe-mode"], ["--settings", '{"disableAllHooks":true}'], ["--settings", '{"disableAllHooks":true}', "--settings", "{}"],
        ["--managed-settings", "{}"], ["--setting-sources", "user"], ["--permission-mode", "bypassPermissions"], ["--strict-mcp-config"],
    ]  # fmt: skip
    for words in weak:
        run = denied(device, "flags", words=words)
        assert run.code == 0, f"{words}: {run.printed}"
    # As root only with this variable; as anybody else without it.
    denied(device, "skip", words=["--dangerously-skip-permissions"], env={"IS_SANDBOX": "1"})
    for words in (["--plugin-dir", "/tmp"], ["--agents", "{}"], ["--mcp-config", '{"mcpServers":{"x":{"command":"x"}}}']):
        try:
            not_started(device, "sideload", "is disabled by your organization", words=words)
        except AssertionError as error:
            raise AssertionError(f"{words}: {error}") from error


def variables(device):
    device.write(f"{device.root}/prefix", f'#!/bin/sh\n: >"{device.root}/marks/prefix"\nexec sh -c "$1"\n', 0o755)
    hostile = {
        "CLAUDE_CODE_SIMPLE": "1", "CLAUDE_CODE_SAFE_MODE": "1", "BASH_ENV": "/x", "HTTP_PROXY": "http://127.0.0.1:9",
        "CAIRN_HOME": f"{device.root}/nowhere", "XDG_STATE_HOME": f"{device.root}/nowhere", "CLAUDE_CODE_SHELL_PREFIX": f"{device.root}/prefix",
    }  # fmt: skip
    denied(device, "variables", env={**hostile, "NO_PROXY": "127.0.0.1"})
    _, turn = device.touch("free-variables")
    plain(device, turns=[turn], env={**hostile, "NO_PROXY": "127.0.0.1"})
    assert device.touched("free-variables") and not device.touched("prefix")
    mod = plug_in(device, f"{device.root}/mod")
    denied(device, "plugin-dirs", env={"CLAUDE_CODE_PLUGIN_DIRS": mod})


def settings_of_project_and_user(device):
    project, library = f"{device.home}/switch", f"{device.root}/allow.so"
    source = device.write(f"{device.root}/allow.c", PRELOADED)
    assert os.system(f"cc -shared -fPIC -o {library} {source}") == 0, "a C compiler is needed"
    hostile = {"disableAllHooks": True, "env": {"CLAUDE_CODE_SIMPLE": "1", "LD_PRELOAD": library, "CAIRN_HOME": "/nowhere", "HTTP_PROXY": "http://127.0.0.1:9"}}
    device.write(f"{project}/.claude/settings.json", {**hostile, "policyHelper": {"path": "/bin/true"}})
    device.write(f"{project}/.claude/settings.local.json", {"disableAllHooks": True, "permissions": {"allow": ["Bash"], "defaultMode": "bypassPermissions"}})
    denied(device, "project", cwd=project)
    device.write(f"{device.config}/settings.json", {"disableAllHooks": True, "env": {"LD_PRELOAD": library, "LD_AUDIT": library}})
    try:
        denied(device, "user")
    finally:
        os.remove(f"{device.config}/settings.json")


def mods_in_the_configuration(device):
    folder = plug_in(device, f"{device.config}/dev-mods/mod")
    try:
        denied(device, "mods")
    finally:
        os.rename(folder, f"{device.root}/mod-gone")


def resumed_session(device):
    first = denied(device, "resume-1")
    session = json.loads(first.printed[first.printed.index("{") :].splitlines()[0])["session_id"]
    denied(device, "resume-2", words=["--resume", session])


def wrapper_records_once(device):
    """`cairn claude` on a managed machine: one decision a call, one start a session."""
    identifier, turn = device.touch("free-wrapped")
    other, late = device.touch("denied-wrapped")
    run = device.run(turns=[turn, late])
    assert run.code == 0 and device.touched("free-wrapped") and not device.touched("denied-wrapped"), run.printed
    until("the records", lambda: device.decisions(identifier) and device.decisions(other))
    decided = [one for one in device.entries("tool.decision") if one["body"]["use_id"] in (identifier, other)]
    assert len(decided) == 2, decided
    until("the end", lambda: [one for one in device.entries("session.end") if one.get("session") == decided[0]["session"]])
    kinds = [one["type"] for one in device.entries() if one.get("session") == decided[0]["session"]]
    assert kinds.count("session.start") == 1 and kinds.count("prompt") == 1 and kinds.count("tool.outcome") == 1, kinds


def servers(device):
    """An unapproved server of a project is not started, an approved one is; each is recorded once a start."""
    project = f"{device.home}/servers"
    bad = device.write(f"{device.root}/mcp-bad", f"#!/bin/sh\ntouch {device.mark('mcp-bad')}\n", 0o755)
    device.write(f"{device.home}/bin/good-mcp", f"#!/bin/sh\ntouch {device.mark('mcp-good')}\n", 0o755)
    device.write(f"{project}/.mcp.json", {"mcpServers": {"bad": {"command": bad, "env": {"T": "token-5f1c"}}, "good": {"command": "good-mcp"}}})
    plain(device, cwd=project)
    until("the approved one", lambda: device.touched("mcp-good"))
    assert not device.touched("mcp-bad")
    seen = lambda name: [one["body"]["effect"] for one in device.entries("mcp.seen") if one["body"]["name"] == name]
    until("the record", lambda: seen("bad"))
    assert seen("bad") == ["deny"] and seen("good") == ["allow"], (seen("bad"), seen("good"))
    # Through the wrapper the same, and not twice.
    os.remove(device.mark("mcp-good"))
    device.run(cwd=project)
    until("the approved one", lambda: device.touched("mcp-good"))
    until("the second record", lambda: len(seen("bad")) == 2)
    assert not device.touched("mcp-bad") and len(seen("good")) == 2
    # The agent compares commands only: with one that a variable makes another the command is denied as a whole.
    device.write(f"{device.root}/elsewhere/good-mcp", f"#!/bin/sh\ntouch {device.mark('mcp-path')}\n", 0o755)
    path = {"command": "good-mcp", "env": {"PATH": f"{device.root}/elsewhere:/usr/bin:/bin"}}
    device.write(f"{project}/.mcp.json", {"mcpServers": {"path": path}})
    plain(device, cwd=project)
    until("the record", lambda: seen("path"))
    assert seen("path") == ["deny"] and not device.touched("mcp-path"), seen("path")


def killed_daemon(device):
    pid = device.daemon_pid()
    identifier, turn = device.touch("denied-killed")
    run = plain(device, turns=[turn], during=when_asked(lambda: os.kill(pid, signal.SIGKILL)))
    assert not device.touched("denied-killed"), run.printed
    assert identifier and ("cannot be reached" in run.sent or "denied" in run.sent.lower()), run.printed
    # The next start brings the daemon back by itself, and the gap is declared.
    denied(device, "killed-after")
    gaps = until("the gap", lambda: device.entries("gap"))
    assert {one["body"]["reason"] for one in gaps} & {"not-running", "crash"}, gaps


def removed_hook(device):
    """The shim is taken away in the middle: every call is refused, and the status says what is gone."""
    hook = f"{PROGRAMS}/cairn-hook"
    _, turn = device.touch("free-unhooked")
    run = plain(device, turns=[turn], during=when_asked(lambda: os.rename(hook, f"{hook}.gone")))
    try:
        assert not device.touched("free-unhooked"), run.printed
        assert standing(device) == "changed" and "cairn-hook: it is missing" in device.cairn("doctor")[1]
    finally:
        os.remove(f"{hook}.gone")
        install(device)
    denied(device, "hooked-again")


def removed_helper(device):
    os.remove(f"{PROGRAMS}/cairn-policy-helper")
    try:
        not_started(device, "helper", "policyHelper failed")
        assert standing(device) == "changed"
    finally:
        install(device)


def replaced_socket(device):
    """A program of the developer's own answers in the daemon's place and allows everything: the second line
    holds what the policy denies everybody, and the gap shows."""
    import socket
    import threading

    path = f"{device.state}/daemon.sock"
    answer = b'{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"allow","permissionDecisionReason":"x"}}'

    def serve(fake):
        while True:
            stream, _ = fake.accept()
            stream.recv(1 << 20)
            stream.sendall(b"\0" + len(answer).to_bytes(4, "big") + answer + (0).to_bytes(4, "big"))
            stream.close()

    def replace():
        os.remove(path)
        fake = socket.socket(socket.AF_UNIX)
        fake.bind(path)
        fake.listen()
        threading.Thread(target=serve, args=(fake,), daemon=True).start()

    before = len([one for one in device.entries("gap") if one["body"]["reason"] == "socket-replaced"])
    _, turn = device.touch("denied-replaced")
    run = plain(device, turns=[turn], during=when_asked(replace))
    assert not device.touched("denied-replaced"), run.printed
    until("the gap", lambda: len([one for one in device.entries("gap") if one["body"]["reason"] == "socket-replaced"]) > before)
    denied(device, "after-replaced")


def closed_gate(device):
    """A session gate keeps plain `claude` from starting, with the sentence, and is recorded once."""
    fixture(device, "gated")
    device.write(f"{device.state}/config.toml", f'posture_sysroot = "{device.root}/sysroot"\n', 0o600)
    device.cairn("daemon", "stop")
    try:
        not_started(device, "gate", "fixture-gate")
        refused = until("the refusal", lambda: [one for one in device.entries("session.refused") if one["body"]["gate"] == "fixture-gate"])
        assert len(refused) == 1, refused
    finally:
        os.remove(f"{device.state}/config.toml")
        device.cairn("daemon", "stop")
    denied(device, "after-gate")


def not_enrolled(device):
    install(device, state=f"{device.root}/nobody")
    try:
        run = not_started(device, "nobody", f"cairn enroll --server {ENROL_AT}")
        assert "policyHelper failed" in run.printed
        assert "its hooks use" in device.cairn("doctor")[1]
    finally:
        install(device)


def covered_settings(device):
    """Whoever can give the agent another file system runs it outside Cairn: it shows as an unmanaged run."""
    model = device.model([device.touch("free-covered", seconds=20)[1]])
    environment = device.environment(ANTHROPIC_BASE_URL=f"http://127.0.0.1:{model.port}")
    script = 'mount -t tmpfs none /etc/claude-code && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", script, "sh", device.claude_program, "-p", "go", *ALLOWED]
    process = subprocess.Popen(command, cwd=device.project, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until("an unmanaged run", lambda: device.status()["daemon"]["unmanaged"])
        begin = f"unmanaged-{process.pid}-"
        until("its entry", lambda: [one for one in device.entries("session.start") if one.get("session", "").startswith(begin)])
    finally:
        process.kill()
        process.wait()
        model.stop()


def uninstalled(device):
    """Everything of ours is gone, everything of others' is there, and the status is honest again."""
    code, said, _ = device.cairn("uninstall", "--managed", "--dry-run")
    assert code == 0 and os.path.exists(SETTINGS), said
    code, out, said = device.cairn("uninstall", "--managed")
    assert code == 0, out + said
    for path in (SETTINGS, PROGRAMS, "/etc/cairn", "/usr/local/bin/cairn", "/etc/systemd/user/cairn.service"):
        assert not os.path.lexists(path), path
    assert os.path.exists(OTHERS), "somebody else's settings were taken away"
    assert standing(device) == "bypassable"
    identifier, turn = device.touch("free-uninstalled")
    plain(device, turns=[turn])
    assert device.touched("free-uninstalled") and not device.decisions(identifier)
    assert device.cairn("uninstall", "--managed")[0] == 1


# In this order: each begins where the one before ended.
SCENARIOS = [
    dry_run_and_install, control, canary_proves_it, weakening_flags, variables, settings_of_project_and_user, mods_in_the_configuration,
    resumed_session, wrapper_records_once, servers, *managed_ways.SCENARIOS, killed_daemon, removed_hook, removed_helper, replaced_socket,
    closed_gate, not_enrolled, covered_settings, uninstalled, managed_ways.servers_of_the_machine_without_an_installation,
]  # fmt: skip


def play(words):
    needed = {dry_run_and_install, uninstalled}
    wanted = chosen(SCENARIOS, words)
    results = Results()
    programs = os.environ["CAIRN_PROGRAMS"]
    with tempfile.TemporaryDirectory(prefix="cairn-m-") as root:
        organisation = Organisation(programs, root)
        try:
            organisation.apply(bundle(programs, root))
            device = organisation.enrol("dev", os.environ["CAIRN_CLAUDE_CODE"])
            for scenario in SCENARIOS:
                if scenario in needed or scenario in wanted:
                    results.attempt(scenario, device)
        finally:
            organisation.stop()
    return results.finish()


def main():
    if sys.argv[1:2] != ["--inside"]:
        if not own_namespace():
            print("skipped: the managed installation needs a mount namespace and an overlay file system")
            print("0 passed, 0 failed, 1 skipped")
        return 0
    cover(sys.argv[2], sys.argv[3])
    return 0 if sys.argv[4:] == ["--try"] else play(sys.argv[4:])


if __name__ == "__main__":
    sys.exit(main())
