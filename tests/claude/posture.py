"""Posture and gates while a session runs, on a device whose system files the scenario writes."""

import os
import time

from agent import tool
from organisation import until


def fixture(device, version):
    device.write(f"{device.root}/sysroot/etc/os-release", f"ID={version}\nVERSION_ID=1\n")


def begin(device):
    fixture(device, "calm")
    device.write(f"{device.state}/config.toml", f'posture_sysroot = "{device.root}/sysroot"\n', 0o600)
    device.cairn("daemon", "stop")
    device.cairn("doctor")
    until("the fixture", lambda: device.status()["daemon"]["posture"]["os"][0] == "calm 1")


def change_within_two_seconds(device):
    """A change of posture is recorded within 2 s, and the next decision uses it."""
    begin(device)
    before = len(device.entries("posture.changed"))
    fixture(device, "tight")
    changed = time.time()
    found = until("the change", lambda: device.entries("posture.changed")[before:])
    assert found[0]["body"]["fields"] == ["os"]
    assert found[0]["time_ms"] / 1000 - changed < 2.0, found[0]["time_ms"] / 1000 - changed
    fixture(device, "calm")
    until("calm", lambda: device.status()["daemon"]["posture"]["os"][0] == "calm 1")
    _, free = device.touch("free-posture-1")
    second, denied = device.touch("free-posture-2")
    _, wait = device.touch("free-mid", seconds=4)

    def during(_process, _model):
        until("the middle", lambda: device.touched("free-mid"))
        fixture(device, "tight")

    run = device.run(turns=[free, wait, denied], during=during)
    assert device.touched("free-posture-1") and not device.touched("free-posture-2"), run.printed
    assert until("the record", lambda: device.decisions(second))[0]["rule"]["id"] == "tight"
    fixture(device, "calm")


def tunnel_goes_down(device):
    """The tunnel of a laptop goes down in a session: that is an entry within 2 s, and the next decision uses it."""
    begin(device)
    link(device, "wlan0", "1", "DEVTYPE=wlan")
    link(device, "wg0", "65534", "DEVTYPE=wireguard")
    network = lambda: device.status()["daemon"]["posture"]["network"][0]
    until("the tunnel", lambda: network() == "tunnel")
    before = len(device.entries("posture.changed"))
    _, free = device.touch("free-network-1")
    _, wait = device.touch("free-mid-way", seconds=4)
    third, denied = device.touch("free-network-2")
    changed = []

    def during(_process, _model):
        until("the middle", lambda: device.touched("free-mid-way"))
        changed.append(time.time())
        link(device, "wg0", "65534", "DEVTYPE=wireguard", flags="0x1002")

    run = device.run(turns=[free, wait, denied], during=during)
    assert device.touched("free-network-1") and not device.touched("free-network-2"), run.printed
    assert until("the record", lambda: device.decisions(third))[0]["rule"]["id"] == "by-radio"
    found = until("the change", lambda: device.entries("posture.changed")[before:])
    assert found[0]["body"]["fields"] == ["network"]
    assert found[0]["time_ms"] / 1000 - changed[0] < 2.0, found[0]["time_ms"] / 1000 - changed[0]


def link(device, name, kind, told, flags="0x1003"):
    """A network interface as the kernel shows it."""
    folder = f"{device.root}/sysroot/sys/class/net/{name}"
    os.makedirs(f"{folder}/device", exist_ok=True)
    for file, text in {"type": kind, "operstate": "unknown", "uevent": told, "flags": flags}.items():
        device.write(f"{folder}/{file}", text + "\n")


def gate_ends_and_refuses_sessions(device):
    """A gate that closes ends the turn of a running session and refuses the next one."""
    begin(device)
    _, free = device.touch("free-gate-1")
    second, late = device.touch("free-gate-2")
    _, wait = device.touch("free-gate-mid", seconds=4)

    def during(_process, _model):
        until("the middle", lambda: device.touched("free-gate-mid"))
        fixture(device, "gated")

    run = device.run(turns=[free, wait, late, late, late], during=during)
    assert device.touched("free-gate-1") and not device.touched("free-gate-2"), run.printed
    assert len(until("the record", lambda: device.decisions(second))) == 1, "the turn went on after the gate closed"
    again = device.run()
    assert again.code == 1 and "fixture-gate" in again.printed and not again.requests, again.printed
    until("the refusal", lambda: [one for one in device.entries("session.refused") if one["body"]["gate"] == "fixture-gate"])
    fixture(device, "calm")
    until("calm", lambda: device.status()["daemon"]["posture"]["os"][0] == "calm 1")
    assert device.run().code == 0
    os.remove(f"{device.state}/config.toml")
    device.cairn("daemon", "stop")
    device.cairn("doctor")


def gate_ends_running_sessions(device):
    """A gate that ends sessions ends the agent in the middle of a call; once it opens, the session may be resumed."""
    begin(device)
    _, wait = device.touch("free-ending", seconds=100)
    _, late = device.touch("free-ending-late")
    before = time.monotonic()

    def during(_process, _model):
        until("the middle", lambda: device.touched("free-ending"))
        fixture(device, "ending")

    run = device.run(turns=[wait, late, late], during=during)
    assert time.monotonic() - before < 60 and run.code != 0, f"{run.code}: {run.printed}"
    assert not device.touched("free-ending-late"), run.printed
    refused = lambda: [one for one in device.entries("session.refused") if one["body"]["gate"] == "ending-gate"]
    session = until("the record", refused)[0]["session"]
    again = device.run(words=["--resume", session])
    assert again.code == 1 and "ending-gate" in again.printed and not again.requests, again.printed
    fixture(device, "calm")
    until("calm", lambda: device.status()["daemon"]["posture"]["os"][0] == "calm 1")
    _, free = device.touch("free-ending-resumed")
    resumed = device.run(turns=[free], words=["--resume", session])
    assert resumed.code == 0 and device.touched("free-ending-resumed"), resumed.printed


def gate_restricts_running_sessions(device):
    """A gate that restricts sessions lets a running one read what the rules let it read, and nothing else."""
    begin(device)
    path = device.write("free-narrow.txt", "CONTENT-STILL-READ\n")
    secret = device.write("secret-narrow.txt", "CONTENT-NEVER-READ\n")
    _, wait = device.touch("free-narrow", seconds=4)
    shell, denied = device.touch("free-narrow-late")
    reading, read = tool("Read", file_path=path)
    hidden, peek = tool("Read", file_path=secret)

    def during(_process, _model):
        until("the middle", lambda: device.touched("free-narrow"))
        fixture(device, "narrow")

    run = device.run(turns=[wait, denied, read, peek], during=during)
    assert run.code == 0 and not device.touched("free-narrow-late"), run.printed
    assert "CONTENT-STILL-READ" in run.sent and "CONTENT-NEVER-READ" not in run.sent, run.printed
    verdicts = [until("the records", lambda one=one: device.decisions(one))[0] for one in (shell, reading, hidden)]
    assert [one["effect"] for one in verdicts] == ["deny", "allow", "deny"], verdicts
    assert [one["why"] for one in verdicts] == ["gate", "rule", "rule"], verdicts
    again = device.run()
    assert again.code == 1 and "narrow-gate" in again.printed, again.printed
    fixture(device, "calm")


APART = [change_within_two_seconds, tunnel_goes_down, gate_ends_and_refuses_sessions, gate_ends_running_sessions, gate_restricts_running_sessions]
