"""MCP servers of every scope: blocked before they are started, each listed and recorded, secrets nowhere."""

import os

from organisation import until

SECRET = "token-that-nobody-may-see-5f1c"


def all_scopes(device):
    """A server of each scope that would leave a mark if it were started."""
    project = f"{device.home}/servers"
    other = f"{device.home}/other"

    def definition(scope):
        program = device.write(f"{device.root}/mcp-{scope}", f"#!/bin/sh\ntouch {device.mark('mcp-' + scope)}\n", 0o755)
        return {"command": program, "args": ["--stdio"], "env": {"TOKEN": SECRET}}

    named = lambda scope: {"mcpServers": {scope: definition(scope)}}
    device.write(f"{project}/.mcp.json", named("project"))
    device.write(f"{other}/.mcp.json", named("elsewhere"))
    state = {**named("user"), "projects": {project: {**named("local"), "enabledMcpjsonServers": ["project"]}, other: {}}}
    device.write(f"{device.config}/.claude.json", state, 0o600)
    plugin = f"{device.config}/plugins/cache/market/tools/1.0"
    device.write(f"{plugin}/.claude-plugin/plugin.json", {"name": "tools", **named("plugin")})
    device.write(f"{device.config}/settings.json", {"enabledPlugins": {"tools@market": True}, "enableAllProjectMcpServers": True})
    agent = f'---\nname: helper\ndescription: x\ntools: Read\nmcpServers:\n  agent:\n    command: {definition("agent")["command"]}\n---\nhelp\n'
    device.write(f"{project}/.claude/agents/helper.md", agent)
    flag = device.write(f"{device.root}/flag.json", named("flag"), 0o600)
    subagent = [{"type": "tool_use", "id": "toolu_subagent", "name": "Agent", "input": {"description": "x", "prompt": "x", "subagent_type": "helper", "run_in_background": False}}]
    try:
        run = device.run(turns=[subagent], cwd=project, words=["--mcp-config", flag])
        started = sorted(name for name in os.listdir(f"{device.root}/marks") if name.startswith("mcp-"))
        assert not started, f"started: {started}\n{run.printed}"
        expected = {"project", "user", "local", "flag", "plugin_tools_plugin", "elsewhere"}
        seen = lambda: {one["body"]["name"]: one["body"] for one in device.entries("mcp.seen")}
        until("a record of each", lambda: set(seen()) >= expected)
        assert {body["effect"] for body in seen().values()} == {"deny"}
        assert "was blocked" in run.printed
        listed = device.start_cairn("mcp", "list", "--json", cwd=project).communicate()[0]
        assert all(f'"{name}"' in listed for name in expected - {"flag"}) and "first_seen_ms" in listed, listed
    finally:
        os.remove(f"{device.config}/.claude.json")
        os.remove(f"{device.config}/settings.json")
        os.rename(plugin, f"{device.root}/plugin-gone")
    secrets_stay(device, listed)


def secrets_stay(device, listed):
    """The servers' secrets are in no record, no output, and no file that others could read."""
    assert SECRET not in listed and SECRET not in str(device.entries())
    for folder, _, names in os.walk(device.state):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.islink(path) or not os.path.isfile(path):
                continue
            with open(path, "rb") as file:
                holds = SECRET.encode() in file.read()
            assert not holds or os.stat(path).st_mode & 0o077 == 0, path
            assert not holds or "/spool/" not in path, path


def only_the_judged_one(device):
    """Neither the name nor the address of a server that may run starts another one."""
    project = f"{device.home}/judged"
    program = lambda name: device.write(f"{device.home}/bin/{name}", f"#!/bin/sh\ntouch {device.mark(name)}\n", 0o755)
    program("good-mcp")
    # An allowed command that is looked for elsewhere, and one that is started with somebody else's code.
    device.write(f"{device.root}/elsewhere/good-mcp", f"#!/bin/sh\ntouch {device.mark('mcp-path')}\n", 0o755)
    sourced = device.write(f"{device.root}/sourced-by-mcp", f"touch {device.mark('mcp-sourced')}\n")
    address = "https://tools.corp.example/mcp"
    theirs = {
        "twin": {"command": program("mcp-twin")},
        "path": {"command": "good-mcp", "env": {"PATH": f"{device.root}/elsewhere:/usr/bin:/bin"}},
        "sourced": {"command": "good-mcp", "env": {"ENV": sourced, "BASH_ENV": sourced}},
        "both": {"command": program("mcp-both"), "url": address},
        "typed": {"type": "http", "command": program("mcp-typed"), "url": address},
        "headers": {"type": "http", "url": "https://127.0.0.1:9\\\\.corp.example/mcp", "headersHelper": program("mcp-headers")},
    }
    device.write(f"{project}/.mcp.json", {"mcpServers": theirs})
    approved = {"enabledMcpjsonServers": list(theirs), "hasTrustDialogAccepted": True}
    mine = {"mcpServers": {"twin": {"command": "good-mcp"}}, "projects": {project: approved}}
    device.write(f"{device.config}/.claude.json", mine, 0o600)
    try:
        run = device.run(cwd=project)
        until("the server that may run", lambda: device.touched("good-mcp"))
        started = [name for name in os.listdir(f"{device.root}/marks") if name.startswith("mcp-")]
        assert not started, f"started: {started}\n{run.printed}"
        found = lambda: {(one["body"]["name"], one["body"]["source"]): one["body"]["effect"] for one in device.entries("mcp.seen")}
        until("a record of each", lambda: set(found()) >= {("twin", "user"), *((name, "project") for name in theirs)})
        assert [key for key, effect in found().items() if effect == "allow"] == [("twin", "user")], found()
    finally:
        os.remove(f"{device.config}/.claude.json")


SHARED = [all_scopes, only_the_judged_one]
