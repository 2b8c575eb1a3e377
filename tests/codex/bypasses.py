"""Ways around Cairn, each tried with the real Codex under `cairn codex`.

An attempt is blocked when the marked command did not run; what ran anyway must show in the log. The
table in docs/operating/codex.md has a line for each.
"""

import hashlib
import json
import os
import signal

from device import call, shell
from organisation import until


def blocked(device, name, recorded=True, **options):
    """One run in which the model tries a denied command that must not run."""
    identifier, turn = device.touch(f"denied-{name}")
    run = device.run(turns=[turn], **options)
    assert not device.touched(f"denied-{name}"), f"the denied command ran\n{run.printed}"
    if recorded:
        found = until("the record", lambda: device.decisions(identifier))
        assert [one["effect"] for one in found] == ["deny"], found
    return run


REFUSED = [
    ["--dangerously-bypass-approvals-and-sandbox"], ["--yolo"], ["--dangerously-bypass-hook-trust"], ["--disable", "hooks"],
    ["--enable", "code_mode"], ["-c", "features.hooks=false"], ["-c", "hooks.PreToolUse=[]"], ["--config=features.unified_exec_tty=true"],
    ["-c", "mcp_servers.x.command=\"x\""], ["-cfeatures.hooks=false"], ["--ignore-user-config"], ["--ignore-rules"], ["-p", "x"],
    ["--profile=x"], ["--trust"], ["--search"], ["--remote", "ws://127.0.0.1:9"], ["--worktree"], ["--flag-of-another-version"],
]  # fmt: skip


def weakening_flags(device):
    for words in REFUSED:
        code, _, said = device.cairn("codex", "exec", *words, "Do it.")
        assert code == 1 and "is refused" in said, f"{words}: {said}"
    for words in (["app-server"], ["exec-server", "--listen", "x"], ["mcp", "list"], ["agents"], ["remote-control"], ["exec", "later"]):
        code, _, said = device.cairn("codex", *words)
        assert code == 1 and "is refused" in said, f"{words}: {said}"


def hooks_switched_off(device):
    """By the user's configuration and by that of a trusted project, in every way there is."""
    off = '[features]\nhooks = false\nunified_exec_tty = true\ncode_mode = true\n'
    events = ("pre_tool_use", "user_prompt_submit")
    states = "".join(f'[hooks.state."/<session-flags>/config.toml:{one}:0:0"]\nenabled = false\ntrusted_hash = "sha256:00"\n' for one in events)
    project = f"{device.home}/switch"
    device.write(f"{project}/.codex/config.toml", f"{off}{states}[hooks]\nPreToolUse = []\n")
    try:
        device.user_config(f'allow_managed_hooks_only = true\n{off}{states}[projects."{project}"]\ntrust_level = "trusted"\n')
        blocked(device, "switched-off", cwd=project)
    finally:
        device.user_config("")


def hooks_of_others(device):
    """A hook that somebody trusted could change a call after it was judged; one that nobody trusts does not run."""
    command = f"touch {device.mark('foreign')}"
    hook = f'[[hooks.PreToolUse]]\n[[hooks.PreToolUse.hooks]]\ntype = "command"\ncommand = "{command}"\ntimeout = 5\n'
    normal = {"event_name": "pre_tool_use", "hooks": [{"async": False, "command": command, "timeout": 5, "type": "command"}]}
    digest = hashlib.sha256(json.dumps(normal, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    trusted = f'[hooks.state."{device.config}/config.toml:pre_tool_use:0:0"]\ntrusted_hash = "sha256:{digest}"\n'
    try:
        device.user_config(hook)
        blocked(device, "untrusted-hook")
        assert not device.touched("foreign")
        device.user_config(hook + trusted)
        run = blocked(device, "trusted-hook", recorded=False)
        assert run.code == 1 and not run.requests and "defines a PreToolUse hook" in run.printed, run.printed
        until("the refusal", lambda: "other-hooks" in [one["body"]["gate"] for one in device.entries("session.refused")])
    finally:
        device.user_config("")


def variables(device):
    hostile = {"LD_PRELOAD": "/x.so", "BASH_ENV": "/x", "ENV": "/x", "CODEX_EXEC_SERVER_URL": "ws://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}
    run = blocked(device, "variables", env={**hostile, "NO_PROXY": "127.0.0.1"})
    for name in ("LD_PRELOAD", "BASH_ENV", "CODEX_EXEC_SERVER_URL"):
        assert f"{name} was removed" in run.printed, run.printed


def servers(device):
    """Servers that are not on the list are not started, of whatever file; calls of the others are judged."""
    program = lambda name: device.write(f"{device.root}/mcp-{name}", SERVER.format(mark=device.mark(f"mcp-{name}")), 0o755)
    listed = lambda name: f'[mcp_servers.{name}]\ncommand = "{program(name)}"\n[mcp_servers.{name}.env]\nTOKEN = "token-nobody-may-see"\n'
    project = f"{device.home}/servers"
    device.write(f"{project}/.codex/config.toml", listed("project"))
    _, ready = device.touch("servers-ready", 2)
    tool, echoed = call("echo", "mcp__good_one", text="x")
    resource, read = call("read_mcp_resource", server="good-one", uri="file:///x")
    try:
        device.user_config(listed("user") + listed("good-one") + f'[projects."{project}"]\ntrust_level = "trusted"\n')
        run = device.run(turns=[ready, echoed, read], cwd=project)
    finally:
        device.user_config("")
    started = sorted(name for name in os.listdir(f"{device.root}/marks") if name.startswith("mcp-"))
    assert started == ["mcp-good-one"], f"{started}\n{run.printed}"
    assert run.printed.count("was blocked") == 2 and "echoed" in run.told()[tool] and "of the resource" in run.told()[resource], run.told()
    seen = lambda: {one["body"]["name"]: (one["body"]["effect"], one["body"]["source"]) for one in device.entries("mcp.seen")}
    expected = {"good-one": ("allow", "user"), "user": ("deny", "user"), "project": ("deny", "project")}
    until("a record of each", lambda: expected.items() <= seen().items())
    decided = lambda: {one["body"]["use_id"]: one["body"]["tool"] for one in device.entries("tool.decision")}
    until("both calls", lambda: {tool, resource} <= decided().keys())
    assert (decided()[tool], decided()[resource]) == ("mcp__good-one__echo", "mcp__good-one__read_resource"), decided()
    assert "token-nobody-may-see" not in str(device.entries())


SERVER = """#!/usr/bin/env python3
import json, sys
open({mark!r}, "w").close()
ANSWERS = {{
    "tools/list": {{"tools": [{{"name": "echo", "description": "x", "inputSchema": {{"type": "object"}}}}]}},
    "tools/call": {{"content": [{{"type": "text", "text": "echoed"}}]}},
    "resources/read": {{"contents": [{{"uri": "file:///x", "text": "of the resource"}}]}},
}}
for line in sys.stdin:
    asked = json.loads(line)
    if "id" in asked:
        hello = lambda: {{"protocolVersion": asked["params"]["protocolVersion"], "capabilities": {{"tools": {{}}, "resources": {{}}}}, "serverInfo": {{"name": "x", "version": "1"}}}}
        answer = hello() if asked["method"] == "initialize" else ANSWERS.get(asked["method"], {{}})
        print(json.dumps({{"jsonrpc": "2.0", "id": asked["id"], "result": answer}}), flush=True)
"""


def children(pid):
    """The processes below a process, with their command lines."""
    below = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                    parent = int(file.read().rpartition(")")[2].split()[1])
                with open(f"/proc/{name}/cmdline", encoding="utf-8", errors="replace") as file:
                    below.setdefault(parent, []).append((int(name), file.read().split("\0")))
            except (FileNotFoundError, ProcessLookupError):
                continue
    found, next_ones = [], [pid]
    while next_ones:
        for child in below.get(next_ones.pop(), []):
            found.append(child)
            next_ones.append(child[0])
    return found


def hook_of(process):
    """The shim that is asked before a tool, of a run; and the shell that Codex started for it."""

    def look():
        found = children(process.pid)
        shim = [pid for pid, words in found if words[0].endswith("cairn-hook") and "PreToolUse" in words]
        shell_of = [pid for pid, words in found if "-c" in words[1:2] or "-lc" in words[1:2] if "PreToolUse" in " ".join(words)]
        return (shim[0], shell_of[0]) if shim and shell_of else None

    return until("the hook", look)


def hung_daemon(device, during):
    """A run while the daemon does not answer; `during` gets the shim and its shell."""
    daemon = device.daemon_pid()

    def act(process, stub):
        until("the model", lambda: stub.requests())
        during(*hook_of(process))

    # Stopped by the model's first, allowed call, so that the session begins before.
    _, stop = shell(f"mark stopping; kill -STOP {daemon}")
    return daemon, stop, act


def daemon_killed(device):
    daemon = device.daemon_pid()
    _, kill = shell(f"mark killing; kill -KILL {daemon}")
    _, turn = device.touch("denied-killed")
    run = device.run(turns=[kill, turn])
    assert device.touched("killing") and not device.touched("denied-killed"), run.printed
    assert "daemon cannot be reached" in json.dumps(run.told()), run.told()
    device.wait_for_policy() if device.status().get("daemon") else device.run(turns=[])
    until("the gap", lambda: device.entries("gap"))


def daemon_hung_and_hook_killed(device):
    """The daemon stands still: a hook that gives up, one that is killed and one that is stopped all block."""
    hurt = [lambda shim: None, lambda shim: os.kill(shim, signal.SIGKILL), lambda shim: os.kill(shim, signal.SIGSTOP)]
    daemon = device.daemon_pid()
    try:
        _, stop = shell(f"mark stopping; kill -STOP {daemon}")
        turns = [device.touch(f"denied-hung-{number}") for number in range(len(hurt))]

        def during(process, stub):
            for number, one in enumerate(hurt):
                until("the call", lambda count=number: len(stub.requests()) >= count + 2)
                one(hook_of(process)[0])
                until("the answer", lambda count=number: len(stub.requests()) >= count + 3)

        run = device.run(turns=[stop, *[item for _, item in turns]], during=during)
    finally:
        os.kill(daemon, signal.SIGCONT)
    assert device.touched("stopping"), run.printed
    for number, (identifier, _) in enumerate(turns):
        assert not device.touched(f"denied-hung-{number}"), f"{number}: {run.told()}"
        assert "blocked by PreToolUse hook" in run.told()[identifier], run.told()


def shell_of_the_hook_killed(device):
    """A gap: Codex lets a call run when the shell of its hook is killed. It is judged afterwards, and ends the session."""
    daemon = device.daemon_pid()
    _, stop = shell(f"mark stopping-shell; kill -STOP {daemon}")
    gone, turn = device.touch("denied-unasked")
    later, after = device.touch("after-unasked")

    def during(process, stub):
        until("the call", lambda: len(stub.requests()) >= 2)
        shim, shell_of = hook_of(process)
        os.kill(shell_of, signal.SIGKILL)
        os.kill(daemon, signal.SIGCONT)

    try:
        run = device.run(turns=[stop, turn, after], during=during)
    finally:
        os.kill(daemon, signal.SIGCONT)
    assert device.touched("denied-unasked"), "Codex has closed this gap: say so in docs/operating/codex.md"
    # The request of the shim without a shell is still answered; without any it is `-executed`.
    found = until("its judgement", lambda: device.decisions(gone) + device.decisions(f"{gone}-executed"))
    assert {one["effect"] for one in found} == {"deny"}, found
    assert "Cairn ended this session" in run.told()[gone] and not device.touched("after-unasked"), run.told()
    assert "blocked by PreToolUse hook" in run.told()[later]


def without_cairn(device):
    """A gap: Codex started by itself is under nobody; it is found and recorded."""
    _, turn = device.touch("denied-alone", 6)
    device.run(turns=[turn], wrapped=False)
    assert device.touched("denied-alone")
    alone = lambda: [one for one in device.entries("session.start") if one["body"]["adoption"] == "unmanaged"]
    assert {one["agent"]["name"] for one in until("the unmanaged run", alone)} == {"codex"}


SHARED = [weakening_flags, hooks_switched_off, hooks_of_others, variables, servers]
APART = [daemon_hung_and_hook_killed, shell_of_the_hook_killed, daemon_killed, without_cairn]
