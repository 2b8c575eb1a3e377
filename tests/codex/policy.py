"""The policy that the suite works under: rules as they are written for Claude Code."""

import json
import subprocess

SETTINGS = {
    "permissions": {
        "allow": ["Bash(git status*)", "Bash(mark *)", "Read(//**)", "Edit(//**)", "Agent"],
        "deny": ["Bash(mark *denied*)", "Bash(aws s3 cp *)", "Edit(**/.github/workflows/**)", "Read(~/.ssh/**)"],
        "ask": ["Bash(mark *asked*)"],
    }
}


def bundle(programs, root, **changes):
    with open(f"{root}/settings.json", "w", encoding="utf-8") as file:
        json.dump(SETTINGS, file)
    command = [f"{programs}/cairn", "policy", "import", f"{root}/settings.json"]
    policy = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    policy["mcp"] = {"default": "block", "allow": [{"name": "good-one"}], "deny": [], "servers": {}}
    policy["contact"] = "security@acme.example"
    return {**policy, **changes}
