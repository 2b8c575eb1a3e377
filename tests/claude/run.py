"""Cairn around the real Claude Code: what brings content in, every way around, servers, posture, a terminal,
its own reports.

Usage: run.py [NAME ...]   only scenarios whose name contains one of the words.
Needs CAIRN_PROGRAMS (the built programs) and CAIRN_CLAUDE_CODE (the real program).
"""

import concurrent.futures
import os
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import bypasses  # noqa: E402
import explained  # noqa: E402
import interactive  # noqa: E402
import mentions  # noqa: E402
import others  # noqa: E402
import posture  # noqa: E402
import servers  # noqa: E402
import telemetry  # noqa: E402
from organisation import Organisation  # noqa: E402
from policy import bundle  # noqa: E402

# Claude Code is most of the load; more at once than cores only makes each slower.
AT_ONCE = max(2, min(4, os.cpu_count() or 2))


def groups(words):
    """Scenarios by device: those of one group share one, the others disturb theirs."""
    shared = bypasses.SHARED + mentions.SHARED + servers.SHARED + interactive.SHARED + others.SHARED
    shared += telemetry.SHARED
    chosen = lambda scenario: not words or any(word in scenario.__name__ for word in words)
    apart = bypasses.APART + posture.APART + explained.APART
    found = [[one for one in shared[start::2] if chosen(one)] for start in range(2)]
    found += [[one for one in apart[start::6] if chosen(one)] for start in range(6)]
    return [group for group in found if group]


def play(organisation, number, group):
    passed, failed = 0, []
    try:
        device = organisation.enrol(f"dev{number}", os.environ["CAIRN_CLAUDE_CODE"])
    except Exception:  # noqa: BLE001
        print(f"FAIL  no device\n{traceback.format_exc()}", flush=True)
        return 0, [scenario.__name__ for scenario in group]
    for scenario in group:
        begun = time.monotonic()
        try:
            scenario(device)
            passed += 1
            print(f"ok    {scenario.__name__} ({time.monotonic() - begun:.1f} s)", flush=True)
        except Exception:  # noqa: BLE001
            failed.append(scenario.__name__)
            print(f"FAIL  {scenario.__name__} ({time.monotonic() - begun:.1f} s)\n{traceback.format_exc()[-6000:]}", flush=True)
    return passed, failed


def main():
    programs = os.environ["CAIRN_PROGRAMS"]
    passed, failed = 0, []
    with tempfile.TemporaryDirectory(prefix="cairn-claude-") as root:
        organisation = Organisation(programs, root)
        try:
            organisation.apply(bundle(programs, root))
            with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
                playing = [pool.submit(play, organisation, number, group) for number, group in enumerate(groups(sys.argv[1:]))]
                for done in playing:
                    good, bad = done.result()
                    passed, failed = passed + good, failed + bad
        finally:
            organisation.stop()
    if failed:
        print(f"failed: {', '.join(failed)}")
    print(f"{passed} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
