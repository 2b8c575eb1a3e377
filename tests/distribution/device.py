"""A developer's device whose agent is played by its hooks alone: what is asked is what Claude Code would ask."""

import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(os.path.dirname(HERE), "claude"))

import agent  # noqa: E402


class Device(agent.Device):
    """A device without an agent."""

    def bash(self, command, identifier):
        """The verdict on a shell command, as the hook gives it to the agent."""
        call = {
            "session_id": "session-1", "cwd": self.project, "hook_event_name": "PreToolUse", "permission_mode": "default",
            "tool_name": "Bash", "tool_use_id": identifier, "tool_input": {"command": command, "description": "test"},
        }
        words = [f"{self.programs}/cairn-hook", "PreToolUse", "--socket", f"{self.state}/daemon.sock"]
        environment = self.environment(CLAUDE_CODE_SESSION_ID="session-1")
        done = subprocess.run(words, input=json.dumps(call), capture_output=True, text=True, env=environment, timeout=agent.RUN_SECONDS, check=True)
        return json.loads(done.stdout).get("hookSpecificOutput", {}).get("permissionDecision", "none")

    def version(self):
        return (self.status().get("daemon") or {}).get("policy_version")
