"""Plays requests made from docs/openapi.json against the real server with schemathesis.

Needs CAIRN_PROGRAMS, the folder of the built programs. A fresh organisation is founded, the server is
started, and each operation gets valid and broken requests. An answer must be of a documented status, media
type and schema, broken requests must be refused, and nothing may be answered 500. Two streams that never
end are left out. The seed is fixed, so that a run is the same each time; SCHEMATHESIS_SEED and
SCHEMATHESIS_EXAMPLES change it for a longer search. The last line is "N passed, N failed".
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

PROGRAMS = pathlib.Path(os.environ["CAIRN_PROGRAMS"])
SEED = os.environ.get("SCHEMATHESIS_SEED", "20261122")
EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "12")

# `positive_data_acceptance` is left out: a well-formed index, code or token is not one that exists.
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "response_headers_conformance,negative_data_rejection,unsupported_method,ignored_auth"
)
STREAMS = ["/v1/tail", "/v1/policy/stream"]


def found(folder):
    """A data folder and its genesis frame."""
    data = folder / "data"
    server = PROGRAMS / "cairn-server"
    subprocess.run(
        [server, "init", "--data", data, "--origin", "log.example.com/openapi"], check=True, stdout=subprocess.DEVNULL
    )
    subprocess.run(
        [PROGRAMS / "cairn", "org", "create", "--server-keys", data / "server-keys.json", "--name", "Example",
         "--out", folder / "admin"],
        check=True, stdout=subprocess.DEVNULL, env={**os.environ, "CAIRN_HOME": str(folder / "home")},
    )
    return data, folder / "admin" / "genesis.frame"


def start(data, genesis):
    server = subprocess.Popen(
        [PROGRAMS / "cairn-server", "serve", "--data", data, "--genesis", genesis, "--listen", "127.0.0.1:0"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, "CAIRN_LOG": "off"},
    )
    line = server.stdout.readline()
    if not line.startswith("listening "):
        server.kill()
        raise SystemExit(f"the server does not listen: {line!r}")
    return server, line.split()[1]


def play(url, report, folder):
    """Runs schemathesis; gives its exit code."""
    excluded = [part for path in STREAMS for part in ("--exclude-path", path)]
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json", "--url", url,
        "--phases", "examples,coverage,fuzzing", "--checks", CHECKS, "--max-examples", EXAMPLES,
        "--seed", SEED, "--request-timeout", "40", "--continue-on-failure", "--no-color", "--warnings", "off",
        "--report", "junit", "--report-junit-path", report, *excluded,
    ]
    hooks = {"SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(pathlib.Path(__file__).resolve().parent)}
    return subprocess.run(command, cwd=folder, env={**os.environ, **hooks}, check=False).returncode


def main():
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        server, url = start(*found(folder))
        try:
            report = folder / "report.xml"
            code = play(url, report, folder)
            alive = server.poll() is None
        finally:
            server.kill()
            server.wait()
        text = report.read_text() if report.exists() else ""
    cases = len(re.findall(r"<testcase\b", text))
    failed = len(re.findall(r"<(?:failure|error)\b", text))
    if not alive:
        print("the server ended during the run")
    failed = max(failed, int(code != 0 or not alive or not cases))
    print(json.dumps({"operations": cases, "seed": int(SEED), "examples": int(EXAMPLES)}))
    print(f"{max(cases - failed, 0)} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
