"""Cairn around the real Codex: every kind of call, every way around, the record audited.

Usage: run.py [NAME ...]   only scenarios whose name contains one of the words.
Needs CAIRN_PROGRAMS (the built programs) and CAIRN_CODEX_PROGRAM (the real program).
"""

import concurrent.futures
import os
import subprocess
import sys
import tempfile

from device import Device, call, shell  # It finds the modules that are shared with the other suite.

import bypasses
import governed
import terminal
from organisation import Organisation, until
from policy import bundle
from scenarios import Results, chosen


def groups(words):
    """Scenarios by device: those of one group share one, the others disturb theirs."""
    found = [governed.SHARED, bypasses.SHARED + terminal.SHARED, bypasses.APART[:2], bypasses.APART[2:]]
    return [group for group in (chosen(each, words) for each in found) if group]


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
    words = ["--server", organisation.server, "--trust-policy", organisation.trust_policy, "--genesis-hash", organisation.genesis, "--max-age", "none"]
    done = subprocess.run([f"{programs}/cairn-audit", "log", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def main():
    programs = os.environ["CAIRN_PROGRAMS"]
    results = Results()
    with tempfile.TemporaryDirectory(prefix="cairn-codex-") as root:
        organisation = Organisation(programs, root)
        try:
            organisation.apply(bundle(programs, root))
            enrol = lambda number: organisation.enrol(f"dev{number}", os.environ["CAIRN_CODEX_PROGRAM"], Device)
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                playing = [
                    pool.submit(results.attempt_all, group, lambda number=number: enrol(number))
                    for number, group in enumerate(groups(sys.argv[1:]))
                ]
                for done in playing:
                    done.result()
            if organisation.devices:
                results.attempt(default_verdict, organisation, programs, root)
            results.attempt(audited, organisation, programs)
        finally:
            organisation.stop()
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
