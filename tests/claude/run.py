"""Cairn around the real Claude Code: what brings content in, every way around, servers, posture, a terminal,
its own reports.

Usage: run.py [NAME ...]   only scenarios whose name contains one of the words.
Needs CAIRN_PROGRAMS (the built programs) and CAIRN_CLAUDE_CODE (the real program).
"""

import concurrent.futures
import os
import sys
import tempfile

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
import variables  # noqa: E402
from organisation import Organisation  # noqa: E402
from policy import bundle  # noqa: E402
from scenarios import Results, chosen  # noqa: E402

# Claude Code is most of the load; more at once than cores only makes each slower.
AT_ONCE = max(2, min(4, os.cpu_count() or 2))


def groups(words):
    """Scenarios by device: those of one group share one, the others disturb theirs."""
    shared = bypasses.SHARED + mentions.SHARED + servers.SHARED + interactive.SHARED + others.SHARED
    shared += telemetry.SHARED + variables.SHARED
    apart = bypasses.APART + posture.APART + explained.APART
    found = [chosen(shared[start::2], words) for start in range(2)]
    found += [chosen(apart[start::6], words) for start in range(6)]
    return [group for group in found if group]


def main():
    programs = os.environ["CAIRN_PROGRAMS"]
    results = Results()
    with tempfile.TemporaryDirectory(prefix="cairn-claude-") as root:
        organisation = Organisation(programs, root)
        try:
            organisation.apply(bundle(programs, root))
            enrol = lambda number: organisation.enrol(f"dev{number}", os.environ["CAIRN_CLAUDE_CODE"])
            with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
                playing = [
                    pool.submit(results.attempt_all, group, lambda number=number: enrol(number))
                    for number, group in enumerate(groups(sys.argv[1:]))
                ]
                for done in playing:
                    done.result()
        finally:
            organisation.stop()
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
