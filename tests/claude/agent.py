"""One developer's device: a home with a project, the real Claude Code, and a script in the model's place."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
RUN_SECONDS = 150


class Run:
    """What one run of the agent left behind."""

    def __init__(self, code, printed, requests):
        self.code, self.printed, self.requests = code, printed, requests
        self.sent = json.dumps(requests)

    def told(self):
        """What the model was told for each call, by identifier."""
        told = {}
        for request in self.requests:
            for message in (request.get("body") or {}).get("messages", []):
                content = message.get("content")
                for block in content if isinstance(content, list) else []:
                    if block.get("type") == "tool_result":
                        told[block["tool_use_id"]] = json.dumps(block.get("content"))
        return told


class Model:
    """The script that answers for the model, on a port of its own."""

    def __init__(self, folder, turns):
        os.makedirs(folder, exist_ok=True)
        self.log = f"{folder}/requests.jsonl"
        with open(f"{folder}/script.json", "w", encoding="utf-8") as file:
            json.dump([*turns, "done"], file)
        command = [sys.executable, f"{HERE}/stub_messages_api.py", "--port", "0", "--script", f"{folder}/script.json", "--log", self.log]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.port = self.process.stdout.readline().strip()

    def requests(self):
        if not os.path.exists(self.log):
            return []
        with open(self.log, encoding="utf-8") as file:
            return [json.loads(line) for line in file if line.endswith("\n")]

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Device:
    """A home, a project and Cairn's state, apart from everything else on the machine."""

    def __init__(self, root, programs, claude):
        self.root, self.programs, self.claude_program = root, programs, claude
        self.home, self.project, self.state = f"{root}/home", f"{root}/home/app", f"{root}/state"
        self.config = f"{self.home}/.claude"
        self.organisation, self.identifier = None, None
        self.counter, self.lock = 0, threading.Lock()
        for folder in (self.project, self.config, f"{self.home}/.ssh", self.state, f"{root}/marks"):
            os.makedirs(folder, mode=0o700)
        self.write(f"{self.home}/.ssh/id", "SECRET-KEY-CONTENT\n")
        # The program that the model runs: that it ran is seen on disk.
        self.write(f"{self.home}/bin/mark", f'#!/bin/sh\n: >"{root}/marks/$1"\nexec sleep "${{2:-0}}"\n', 0o755)

    def write(self, path, text, mode=0o644):
        path = os.path.join(self.project, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text if isinstance(text, str) else json.dumps(text))
        os.chmod(path, mode)
        return path

    def environment(self, **more):
        plain = {"PATH": f"{self.home}/bin:{os.environ['PATH']}", "HOME": self.home, "USER": "dev", "TERM": "xterm-256color"}
        own = {"CAIRN_HOME": self.state, "CAIRN_CLAUDE": self.claude_program, "CLAUDE_CONFIG_DIR": self.config}
        quiet = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1", "ANTHROPIC_API_KEY": "sk-ant-dummy"}
        return {**plain, **own, **quiet, **more}

    def start_cairn(self, *words, cwd=None, env=None, **options):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, **options}
        return subprocess.Popen([f"{self.programs}/cairn", *words], cwd=cwd or self.project, env=env or self.environment(), text=True, **pipes)

    def cairn(self, *words):
        process = self.start_cairn(*words)
        out, err = process.communicate(timeout=RUN_SECONDS)
        return process.returncode, out, err

    def status(self):
        return json.loads(self.cairn("status", "--json")[1] or "{}")

    def wait_for_policy(self):
        from organisation import until

        ready = until("the policy", lambda: (status := self.status()).get("daemon") and status["daemon"]["policy_version"] and status)
        self.identifier = ready["device"]

    def model(self, turns):
        with self.lock:
            self.counter += 1
            number = self.counter
        return Model(f"{self.root}/model-{number}", turns)

    def run(self, prompt="go", turns=(), words=(), env=None, wrapped=True, cwd=None, stdin=None, during=None):
        """One run of `cairn claude -p` (or of the agent itself), while `during(process)` does something."""
        model = self.model(list(turns))
        environment = self.environment(ANTHROPIC_BASE_URL=f"http://127.0.0.1:{model.port}", **(env or {}))
        command = [f"{self.programs}/cairn", "claude"] if wrapped else [self.claude_program]
        command += ["-p", prompt, "--output-format", "json", *words]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        process = subprocess.Popen(command, cwd=cwd or self.project, env=environment, text=True, stdin=subprocess.PIPE, **pipes)
        try:
            process.stdin.write(stdin or "")
            process.stdin.close()
        except BrokenPipeError:
            # It ended before it read anything.
            pass
        process.stdin = None
        if during:
            during(process, model)
        try:
            printed, _ = process.communicate(timeout=RUN_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            printed = process.communicate()[0] + "\n(killed after its time)"
        model.stop()
        return Run(process.returncode, printed, model.requests())

    def mark(self, name):
        return f"{self.root}/marks/{name}"

    def touched(self, name):
        return os.path.exists(self.mark(name))

    def touch(self, name, seconds=0):
        """A turn in which the model leaves a mark, and then waits."""
        return tool("Bash", command=f"mark {name} {seconds}".removesuffix(" 0"), description=name)

    def entries(self, kind=None):
        found = self.organisation.entries(self)
        return [one for one in found if kind in (None, one["type"])]

    def decisions(self, identifier):
        return [one["body"] for one in self.entries("tool.decision") if one["body"]["use_id"] == identifier]

    def daemon_pid(self):
        return self.status()["daemon"]["pid"]

    def stop(self):
        self.cairn("daemon", "stop")


def tool(name, **values):
    """A turn with one call of a tool."""
    identifier = "toolu_" + uuid.uuid4().hex[:20]
    return identifier, [{"type": "tool_use", "id": identifier, "name": name, "input": values}]
