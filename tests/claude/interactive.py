"""`cairn claude` in a terminal: started, prompted, a denied call, left again."""

import json
import os
import pty
import select
import signal
import time

from organisation import until

TERMINAL_SECONDS = 120


class Terminal:
    """A program on a pseudo-terminal, and what it drew."""

    def __init__(self, command, cwd, environment):
        self.drawn, self.over = b"", False
        self.pid, self.file = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            os.execve(command[0], command, environment)

    def read(self):
        """Reads what is there; false at the end."""
        ready, _, _ = select.select([self.file], [], [], 0.1)
        if not ready:
            return True
        try:
            some = os.read(self.file, 65536)
        except OSError:
            return False
        self.drawn += some
        return bool(some)

    def wait(self, what, check):
        end = time.monotonic() + TERMINAL_SECONDS
        while not check():
            # A terminal closes a moment before its program has ended.
            if not self.read():
                assert self.ends_by(end) and check(), f"the terminal closed before {what}:\n{self.drawn[-2000:]!r}"
                return
            assert time.monotonic() < end, f"waited for {what}:\n{self.drawn[-3000:]!r}"

    def quiet(self):
        """Waits until nothing was drawn for a while: the program waits for input then."""
        last, since = len(self.drawn), time.monotonic()
        while time.monotonic() - since < 1.5 and self.read():
            if len(self.drawn) != last:
                last, since = len(self.drawn), time.monotonic()

    def type(self, text):
        os.write(self.file, text.encode())
        self.quiet()
        os.write(self.file, b"\r")

    def is_over(self):
        if not self.over:
            self.over = os.waitpid(self.pid, os.WNOHANG)[0] != 0
        return self.over

    def ends_by(self, end):
        while not self.is_over() and time.monotonic() < end:
            time.sleep(0.05)
        return self.over

    def end(self):
        if not self.is_over():
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.file)


def session(device, name, turns, play):
    """One session in a terminal; `play` types into it."""
    project = f"{device.home}/{name}"
    os.makedirs(project, exist_ok=True)
    seen = {"hasCompletedOnboarding": True, "theme": "dark", "projects": {project: {"hasTrustDialogAccepted": True}}}
    device.write(f"{device.config}/.claude.json", json.dumps({**seen, "customApiKeyResponses": {"approved": ["sk-ant-dummy"], "rejected": []}}), 0o600)
    model = device.model(turns)
    environment = device.environment(ANTHROPIC_BASE_URL=f"http://127.0.0.1:{model.port}", COLUMNS="120", LINES="40")
    terminal = Terminal([f"{device.programs}/cairn", "claude"], project, environment)
    try:
        terminal.wait("the first screen", lambda: len(terminal.drawn) > 200)
        terminal.quiet()
        play(terminal, model)
        terminal.quiet()
        terminal.type("/exit")
        terminal.wait("the end", terminal.is_over)
    finally:
        terminal.end()
        model.stop()
        os.remove(f"{device.config}/.claude.json")


def one_session(device):
    identifier, turn = device.touch("denied-terminal")

    def play(terminal, model):
        terminal.type("please touch the mark")
        terminal.wait("the model to be told", lambda: any(identifier in json.dumps(one["body"]) for one in model.requests()))

    session(device, "terminal", [turn], play)
    assert not device.touched("denied-terminal")
    found = until("the record", lambda: device.decisions(identifier))
    assert [one["effect"] for one in found] == ["deny"]
    name = [one for one in device.entries("tool.decision") if one["body"]["use_id"] == identifier][0]["session"]
    kinds = lambda: {one["type"] for one in device.entries() if one.get("session") == name}
    until("the whole session", lambda: kinds() >= {"session.start", "prompt", "tool.decision", "session.end"})


def a_command_typed_with_a_bang(device):
    """What the documentation says of `!command`: the program asks nobody, and the model gets the output. A version of
    the program that asks a hook is to be noticed here."""
    device.write(f"{device.home}/bang/secret-bang.txt", "CONTENT-OF-BANG\n")
    # Entries of earlier sessions may still be on their way.
    until("an empty spool", lambda: device.status()["daemon"]["spool_records"] == 0)
    before = {one.get("session") for one in device.entries()}

    def play(terminal, model):
        terminal.type("!mark denied-bang; cat secret-bang.txt")
        terminal.wait("the command", lambda: device.touched("denied-bang"))
        terminal.wait("the model", lambda: any("CONTENT-OF-BANG" in json.dumps(one["body"]) for one in model.requests()))

    session(device, "bang", [], play)
    mine = lambda: [one for one in device.entries() if one.get("session") not in before]
    until("the session's end", lambda: "session.end" in {one["type"] for one in mine()})
    told = {one["type"] for one in mine()} & {"prompt", "tool.decision"}
    assert not told, f"a hook was asked: docs/operating/agent.md says otherwise: {told}"


SHARED = [one_session, a_command_typed_with_a_bang]
