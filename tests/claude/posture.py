"""Posture and gates while a session runs, on a device whose system files the scenario writes."""

import os
import time

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


APART = [change_within_two_seconds, gate_ends_and_refuses_sessions]
