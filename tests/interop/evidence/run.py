"""Makes a sample pack with the built example and runs every check over it.

Usage: run.py [FOLDER]   FOLDER as sample_pack writes it; made in a temporary folder when absent.
Needs duckdb, pyarrow, pyyaml, pytz and jsonschema-rs.
"""

import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def counts(script, *args):
    run = subprocess.run([sys.executable, os.path.join(HERE, script), *args], capture_output=True, text=True, check=False)
    print(run.stdout + run.stderr)
    found = re.findall(r"(\d+) passed, (\d+) failed(?:, (\d+) skipped)?", run.stdout)
    if not found:
        return 0, 1, 0
    passed, failed, skipped = (int(number or 0) for number in found[-1])
    return passed, max(failed, int(run.returncode != 0)), skipped


def main():
    with tempfile.TemporaryDirectory() as temporary:
        folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(temporary, "sample")
        if len(sys.argv) <= 1:
            example = os.path.join(os.environ["CAIRN_PROGRAMS"], "examples", "sample_pack")
            subprocess.run([example, folder], check=True)
        both = [counts("pack.py", folder), counts("ocsf.py", os.path.join(folder, "records.jsonl"))]
    passed, failed, skipped = (sum(column) for column in zip(*both))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
