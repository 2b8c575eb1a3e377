"""One developer's device with the real Codex, and a script in the model's place."""

import json
import os
import subprocess
import sys
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
# Behind this folder: both suites have modules of the same names.
sys.path.append(os.path.join(os.path.dirname(HERE), "claude"))

import agent  # noqa: E402
from agent import RUN_SECONDS, Run  # noqa: E402

# A model of which Codex knows that it uses tools directly, and one that calls them from a script.
DIRECT, SCRIPTED = "gpt-5.5", "gpt-6.1-sol"


class Model(agent.Model):
    """The script that answers for the model, on a port of its own."""

    def __init__(self, folder, scripts):
        os.makedirs(folder, exist_ok=True)
        self.log = f"{folder}/requests.jsonl"
        with open(f"{folder}/script.json", "w", encoding="utf-8") as file:
            json.dump(scripts, file)
        command = [sys.executable, f"{HERE}/stub_responses_api.py", "--script", f"{folder}/script.json", "--log", self.log]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.port = self.process.stdout.readline().strip()


class CodexRun(Run):
    def told(self):
        """What the model was told for each call, by identifier."""
        told = {}
        for request in self.requests:
            for item in request["body"].get("input", []):
                if item.get("type", "").endswith("_output"):
                    told[item["call_id"]] = json.dumps(item.get("output"))
        return told


class Device(agent.Device):
    """A home, a project and Cairn's state, apart from everything else on the machine."""

    def __init__(self, root, programs, codex):
        super().__init__(root, programs, codex)
        self.config = f"{self.home}/.codex"
        os.makedirs(self.config, mode=0o700)
        self.write(f"{self.home}/.ssh/key.png", "SECRET-KEY-CONTENT\n")
        # Stands for the cloud's own program: that it ran is seen on disk.
        self.write(f"{self.home}/bin/aws", f'#!/bin/sh\n: >"{root}/marks/aws"\n', 0o755)
        # Codex runs commands in a login shell, which makes a path of its own.
        self.write(f"{self.home}/.bash_profile", 'PATH="$HOME/bin:$PATH"\n')
        subprocess.run(["git", "init", "-q", self.project], check=True)
        self.user_config("")

    def user_config(self, text):
        """The user's own configuration, beside what leads to the model."""
        provider = '[model_providers.stub]\nname = "stub"\nbase_url = "http://127.0.0.1:9/v1"\nwire_api = "responses"\nenv_key = "STUB_KEY"\n'
        head = f'model = "{DIRECT}"\nmodel_provider = "stub"\ncheck_for_update_on_startup = false\n'
        return self.write(f"{self.config}/config.toml", f"{head}{text}\n{provider}")

    def environment(self, **more):
        own = {"CAIRN_CODEX": self.claude_program, "CODEX_HOME": self.config, "STUB_KEY": "x"}
        return {**super().environment(), **own, **more}

    def model(self, scripts):
        with self.lock:
            self.counter += 1
            number = self.counter
        return Model(f"{self.root}/model-{number}", scripts)

    def run(self, prompt="Do it.", turns=(), words=(), env=None, wrapped=True, cwd=None, during=None, model=None, command=("exec",), more=None):
        """One run of `cairn codex exec` (or of Codex itself), while `during(process)` does something."""
        stub = self.model({"main": list(turns), **(more or {})})
        # The address changes from run to run, so that it is not in a file that two runs could share.
        settings = ["-c", f'model_providers.stub.base_url="http://127.0.0.1:{stub.port}/v1"']
        settings += ["-c", f'model="{model}"'] if model else []
        started = [f"{self.programs}/cairn", "codex"] if wrapped else [self.claude_program]
        started += [*command, *settings, "--skip-git-repo-check", "-s", "danger-full-access", *words]
        started += [prompt] if prompt else []
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "stdin": subprocess.DEVNULL}
        process = subprocess.Popen(started, cwd=cwd or self.project, env=self.environment(**(env or {})), text=True, **pipes)
        if during:
            during(process, stub)
        try:
            printed, _ = process.communicate(timeout=RUN_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            printed = process.communicate()[0] + "\n(killed after its time)"
        stub.stop()
        return CodexRun(process.returncode, printed, stub.requests())

    def touch(self, name, seconds=0):
        """A turn in which the model leaves a mark, and then waits."""
        return shell(f"mark {name} {seconds}".removesuffix(" 0"))


def call(name, namespace=None, **arguments):
    """A turn with one call of a tool."""
    identifier = "call_" + uuid.uuid4().hex[:20]
    item = {"type": "function_call", "id": f"fc_{identifier}", "call_id": identifier, "name": name, "arguments": arguments}
    return identifier, {**item, **({"namespace": namespace} if namespace else {})}


def shell(command, **more):
    return call("exec_command", cmd=command, **more)


def free(name, text):
    """A turn with one call of a tool whose input is text."""
    identifier = "call_" + uuid.uuid4().hex[:20]
    return identifier, {"type": "custom_tool_call", "id": f"ctc_{identifier}", "call_id": identifier, "name": name, "input": text}


def patch(files):
    """The text of a patch that adds files, by their paths."""
    added = "".join(f"*** Add File: {path}\n+{text}\n" for path, text in files.items())
    return f"*** Begin Patch\n{added}*** End Patch\n"
