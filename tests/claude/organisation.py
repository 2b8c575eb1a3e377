"""A small organisation for the suites: one server on its embedded store, its policy, and devices.

Everything runs for real and on loopback: the server, enrolment by page and mail, the daemon, the hook.
What the suites claim about records is read from the server's public log, never from the agent.
"""

import json
import os
import re
import struct
import subprocess
import threading
import time
import urllib.parse
import urllib.request

from agent import Device

PATIENCE = 60.0
ORIGIN = "cairn.suite/acme"


def until(what, check, patience=PATIENCE):
    """Polls until `check` gives something true; a suite never waits for a fixed time."""
    end = time.monotonic() + patience
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"waited {patience:.0f} s for {what}")
        time.sleep(0.1)


class Organisation:
    """The server and the administrators' folder."""

    def __init__(self, programs, root):
        self.programs, self.root, self.lock = programs, root, threading.Lock()
        self.devices = []
        data, self.office = f"{root}/server", f"{root}/office"
        keys = json.loads(self.run("cairn-server", "init", "--origin", ORIGIN, "--listen", "127.0.0.1:0", "--data", data))
        self.trust_policy = f"{root}/trust-policy.txt"
        with open(self.trust_policy, "w", encoding="utf-8") as file:
            file.write(f"log {keys['log_key']}\nquorum none\n")
        made = self.run("cairn", "org", "create", "--json", "--name", "Acme", "--server-keys", f"{data}/server-keys.json", "--out", self.office)
        self.genesis = json.loads(made)["genesis_hash"]
        self.outbox = f"{data}/outbox"
        os.makedirs(self.outbox)
        with open(f"{data}/config.toml", "w", encoding="utf-8") as file:
            file.write(
                f'listen = "127.0.0.1:0"\nallowed_domains = ["acme.example"]\ntrust_policy = {json.dumps(self.trust_policy)}\n\n'
                f'[mail]\noutbox = {json.dumps(self.outbox)}\nfrom = "cairn@acme.example"\n'
            )
        command = [f"{programs}/cairn-server", "serve", "--data", data, "--genesis", f"{self.office}/genesis.frame"]
        with open(f"{root}/server.txt", "w", encoding="utf-8") as diagnostics:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=diagnostics, text=True)
        self.server = self.process.stdout.readline().strip().removeprefix("listening ")
        if not self.server.startswith("http://"):
            raise AssertionError(open(f"{root}/server.txt", encoding="utf-8").read())

    def run(self, program, *words, env=None):
        done = subprocess.run([f"{self.programs}/{program}", *words], capture_output=True, text=True, check=False, env=env)
        if done.returncode != 0:
            raise AssertionError(f"{program} {' '.join(words)}: {done.stderr}")
        return done.stdout

    def administrator(self, *words):
        return self.run("cairn", *words, "--admin", self.office, "--server", self.server, "--trust-policy", self.trust_policy)

    def apply(self, bundle):
        path = f"{self.root}/policy.json"
        with open(path, "w", encoding="utf-8") as file:
            json.dump(bundle, file)
        self.administrator("policy", "apply", path)

    def enrol(self, name, agent, make=Device, server=None):
        """A device of its own person; its daemon runs with the policy in force, and reaches the server there."""
        device = make(f"{self.root}/{name}", self.programs, agent)
        words = ["enroll", "--no-browser", "--json", "--server", server or self.server, "--trust-policy", self.trust_policy]
        enrolling = device.start_cairn(*words, "--genesis-hash", self.genesis)
        self.play(json.loads(enrolling.stdout.readline())["url"], f"{name}@acme.example")
        _, said = enrolling.communicate(timeout=PATIENCE)
        if enrolling.returncode != 0:
            raise AssertionError(said)
        device.organisation = self
        device.wait_for_policy()
        with self.lock:
            self.devices.append(device)
        return device

    def play(self, url, email):
        """What a person does on the page: the address, then the code from the mail."""
        site = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        site.addheaders = [("Origin", self.server), ("Accept", "text/html")]
        site.open(url, timeout=PATIENCE).read()
        site.open(f"{url}/email", urllib.parse.urlencode({"email": email}).encode(), timeout=PATIENCE).read()
        code = until(f"a mail to {email}", lambda: self.code(email))
        site.open(f"{url}/code", urllib.parse.urlencode({"code": code}).encode(), timeout=PATIENCE).read()

    def code(self, email):
        for name in os.listdir(self.outbox):
            if name.endswith(".eml"):
                with open(f"{self.outbox}/{name}", encoding="utf-8", newline="") as file:
                    head, _, body = file.read().partition("\r\n\r\n")
                if email in head and (found := re.search(r"\b\d{6}\b", body)):
                    return found.group()
        return None

    def entries(self, device):
        """The payloads of a device's entries."""
        return [one for one in self.all_entries() if one.get("device") == device.identifier]

    def all_entries(self):
        """The payloads of all entries, as anybody reads them from the log (C2SP tlog-tiles)."""
        size = int(self.get("checkpoint").decode().split("\n")[1])
        payloads = []
        for tile in range((size + 255) // 256):
            width = min(256, size - tile * 256)
            number = "/".join([f"x{part:03d}" for part in parts(tile)[:-1]] + [f"{parts(tile)[-1]:03d}"])
            payloads += decode(self.get(f"tile/entries/{number}" + ("" if width == 256 else f".p/{width}")))
        return payloads

    def get(self, path):
        return urllib.request.urlopen(f"{self.server}/{path}", timeout=PATIENCE).read()

    def stop(self):
        for device in self.devices:
            device.stop()
        self.process.terminate()
        self.process.wait(timeout=PATIENCE)


def parts(number):
    """The base-1000 digits of a tile's number."""
    return (parts(number // 1000) if number >= 1000 else []) + [number % 1000]


def decode(bundle):
    import base64

    payloads = []
    while bundle:
        (length,) = struct.unpack(">H", bundle[:2])
        payload = bundle[2 : 2 + length].split(b".")[1]
        payloads.append(json.loads(base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4))))
        bundle = bundle[2 + length :]
    return payloads
