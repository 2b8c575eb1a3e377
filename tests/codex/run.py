"""Cairn around the real Codex: every kind of call, every way around, the record audited.

Usage: run.py [NAME ...]   only scenarios whose name contains one of the words.
Needs CAIRN_PROGRAMS (the built programs) and CAIRN_CODEX_PROGRAM (the real program).
"""

import concurrent.futures
import os
import subprocess
import sys
import tempfile
import time
import traceback

from device import Device, call, shell  # It finds the modules that are shared with the other suite.

import bypasses
import governed
import terminal
from organisation import Organisation, until
from policy import bundle


def groups(words):
    """Scenarios by device: those of one group share one, the others disturb theirs."""
    chosen = lambda scenario: not words or any(word in scenario.__name__ for word in words)
    found = [governed.SHARED, bypasses.SHARED + terminal.SHARED, bypasses.APART[:2], bypasses.APART[2:]]
    return [group for group in ([one for one in each if chosen(one)] for each in found) if group]


def attempt(name, scenario):
    """Runs one scenario and tells how it went."""
    begun = time.monotonic()
    try:
        scenario()
    except Exception:  # noqa: BLE001
        print(f"FAIL  {name} ({time.monotonic() - begun:.1f} s)\n{traceback.format_exc()[-6000:]}", flush=True)
        return False
    print(f"ok    {name} ({time.monotonic() - begun:.1f} s)", flush=True)
    return True


def play(organisation, number, group):
    try:
        device = organisation.enrol(f"dev{number}", os.environ["CAIRN_CODEX_PROGRAM"], Device)
    except Exception:  # noqa: BLE001
        print(f"FAIL  no device\n{traceback.format_exc()}", flush=True)
        return [False for _ in group]
    return [attempt(scenario.__name__, lambda one=scenario: one(device)) for scenario in group]


def default_verdict(organisation, programs, root):
    """A tool that no rule names is judged by the default, whatever it is called."""
    device = organisation.devices[0]
    version = device.status()["daemon"]["policy_version"]
    organisation.apply(bundle(programs, root, default="deny"))
    until("the stricter policy", lambda: device.status()["daemon"]["policy_version"] > version)
    goal, turn = call("create_goal", objective="x")
    free, git = shell("git status")
    run = device.run(turns=[turn, git])
    assert "blocked by PreToolUse hook" in run.told()[goal] and "blocked" not in run.told()[free], run.told()
    decided = until("the record", lambda: device.decisions(goal))
    assert [(one["tool"], one["effect"], one["why"]) for one in decided] == [("create_goal", "deny", "default")]


def audited(organisation, programs):
    """`cairn-audit` finds the whole log as it should be."""
    words = ["--url", organisation.server, "--trust-policy", organisation.trust_policy, "--genesis-hash", organisation.genesis, "--max-age", "none"]
    done = subprocess.run([f"{programs}/cairn-audit", "log", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def main():
    programs = os.environ["CAIRN_PROGRAMS"]
    results = []
    with tempfile.TemporaryDirectory(prefix="cairn-codex-") as root:
        organisation = Organisation(programs, root)
        try:
            organisation.apply(bundle(programs, root))
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                for done in [pool.submit(play, organisation, number, group) for number, group in enumerate(groups(sys.argv[1:]))]:
                    results += done.result()
            if organisation.devices:
                results.append(attempt("default_verdict", lambda: default_verdict(organisation, programs, root)))
            results.append(attempt("audited", lambda: audited(organisation, programs)))
        finally:
            organisation.stop()
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
