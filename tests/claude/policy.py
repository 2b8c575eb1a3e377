"""The policy that the suites work under."""

import json
import subprocess

SETTINGS = {
    "permissions": {
        "allow": ["Bash(mark *)", "Bash(git *)", "Read(//**)", "Skill", "Agent"],
        "deny": ["Bash(mark *denied*)", "Read(~/.ssh/**)", "Read(**/secret-*)", "Bash(cat *secret-*)"],
    }
}


def bundle(programs, root):
    """An ordinary settings file, a rule and a gate on posture, and an MCP allow list."""
    with open(f"{root}/settings.json", "w", encoding="utf-8") as file:
        json.dump(SETTINGS, file)
    imported = subprocess.run([f"{programs}/cairn", "policy", "import", f"{root}/settings.json"], capture_output=True, text=True, check=True)
    policy = json.loads(imported.stdout)
    policy["rules"].append(
        {"id": "tight", "effect": "deny", "pattern": "Bash(mark *posture*)", "scope": {"global": True}, "dialect": "cairn", "when": {"posture": "os", "is": "tight 1"}}
    )
    policy["rules"].append(
        {"id": "by-radio", "effect": "deny", "pattern": "Bash(mark *network*)", "scope": {"global": True}, "dialect": "cairn", "when": {"posture": "network", "is": "wireless"}}
    )
    gate = lambda name, system, **more: {"id": name, "when": {"posture": "os", "is": f"{system} 1"}, "message": "this system is not accepted", **more}
    policy["gates"] = [gate("fixture-gate", "gated"), gate("ending-gate", "ending", running="end"), gate("narrow-gate", "narrow", running="restrict")]
    policy["mcp"] = {"default": "block", "allow": [{"command": ["good-mcp"]}, {"url": "https://*.corp.example/*"}], "deny": [], "servers": {}}
    policy["contact"] = "security@acme.example"
    return policy
