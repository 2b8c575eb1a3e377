"""Checks an evidence pack with DuckDB, pyarrow and hashlib only, and compares with cairn-audit.

Usage: pack.py FOLDER   where FOLDER holds pack/, trust-policy.txt and genesis.txt
`CAIRN_PROGRAMS` names the folder of cairn-audit; without it the comparison is skipped in words.
"""

import json
import os
import subprocess
import sys

import duckdb
import pyarrow.parquet as parquet
import yaml

from entries import disclosures, header, leaf, payload

RESULTS = {"passed": 0, "failed": 0, "skipped": 0}


def check(name, good, detail=""):
    RESULTS["passed" if good else "failed"] += 1
    print(("ok   " if good else "FAIL ") + name + ("" if good else f": {detail}"))


def leaves_and_columns(pack):
    """Leaf hashes, disclosures and typed columns, derived again from the bytes."""
    table = parquet.read_table(f"{pack}/data/events.parquet").to_pylist()
    wrong = {"leaf": [], "disclosure": [], "column": []}
    policies = {}
    for row in table:
        entry = row["canonical"]
        if leaf(entry) != row["leaf_hash"]:
            wrong["leaf"].append(row["leaf_index"])
        said = payload(entry)
        given = disclosures(row["disclosures"])
        if not set(given) <= set(said.get("_sd", [])):
            wrong["disclosure"].append(row["leaf_index"])
        if said["type"] == "policy":
            policies[row["leaf_index"]] = said["body"]
        for column, value in expected(said, header(entry), given, policies).items():
            if row[column] != value:
                wrong["column"].append((row["leaf_index"], column, row[column], value))
    check("leaf hashes recompute (hashlib)", not wrong["leaf"], wrong["leaf"][:5])
    check("disclosures match their digests", not wrong["disclosure"], wrong["disclosure"][:5])
    check("typed columns say what the entry bytes say", not wrong["column"], wrong["column"][:5])


def expected(said, head, given, policies):
    body, values = said["body"], {name: value for _, name, value in given.values()}
    posture = said.get("posture", {})
    flags = {"on": True, "unknown": None}
    flag = lambda name: flags.get(posture[name]["value"], False) if name in posture else None
    policy = policies.get(said.get("policy"), {})
    decision = said["type"] == "tool.decision"
    rule = body.get("rule", {}) if decision else {}
    prev = said.get("prev")
    want = {
        "entry_type": said["type"],
        "schema_version": str(said["v"]),
        "tenant_id": said["log"],
        "device_key_id": head["kid"],
        "device_id": said.get("device"),
        "chain_id": said.get("chain"),
        "device_seq": said.get("seq"),
        "prev_event_hash": bytes.fromhex(prev) if prev else None,
        "session_id": said.get("session"),
        "human_id": said.get("person"),
        "human_email": values.get("email"),
        "team": ",".join(said["teams"]) if said.get("teams") else None,
        "roster_index": said.get("roster"),
        "policy_index": said.get("policy"),
        "posture_disk_encrypted": flag("disk_encryption"),
        "posture_secure_boot": flag("secure_boot"),
        "posture_edr_running": flag("endpoint_protection"),
        "agent_name": said.get("agent", {}).get("name"),
        "disclosures_present": len(given),
    }
    if said["type"] != "policy.activated":
        want["policy_version"] = str(policy["version"]) if policy else None
        want["policy_hash"] = policy.get("bundle")
    if decision:
        want |= {
            "decision": body["effect"],
            "decision_mode": body["mode"],
            "rule_id": rule.get("id"),
            "rule_rank": rule.get("rank"),
            "tool": body["tool"],
            "tool_use_id": body["use_id"],
            "decided_by": body["why"],
        }
        if "request" in values:
            text = lambda value: json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            want["tool_args"] = text(values["request"]["input"])
    return want


def beacons(pack):
    """A device saw the root that a published checkpoint of the same size has."""
    roots = {row["tree_size"]: row["root_hash"].hex()
             for row in parquet.read_table(f"{pack}/data/checkpoints.parquet").to_pylist()}
    table = parquet.read_table(f"{pack}/data/events.parquet", columns=["leaf_index", "canonical"]).to_pylist()
    seen = [(row["leaf_index"], beacon) for row in table if (beacon := payload(row["canonical"]).get("beacon"))]
    wrong = [index for index, beacon in seen if roots.get(beacon["size"], beacon["root"]) != beacon["root"]]
    compared = sum(beacon["size"] in roots for _, beacon in seen)
    check(f"{compared} of {len(seen)} beacons have the root of a published checkpoint", compared > 0 and not wrong, wrong[:5])


def verify_sql(pack):
    """Every statement of verify.sql ends in true."""
    here = os.getcwd()
    os.chdir(pack)
    try:
        connection = duckdb.connect()
        for statement in connection.extract_statements(open("verify.sql").read()):
            result = connection.execute(statement)
            row = result.fetchone() if result.description else None
            if row and len(row) == 3:
                check(f"verify.sql: {row[0]}", row[2] is True, row)
    finally:
        os.chdir(here)


def audit(folder):
    programs = os.environ.get("CAIRN_PROGRAMS")
    if not programs:
        RESULTS["skipped"] += 1
        print("skipped: CAIRN_PROGRAMS is not set, cairn-audit is not compared")
        return None
    genesis = open(f"{folder}/genesis.txt").read().strip()
    run = subprocess.run(
        [f"{programs}/cairn-audit", "verify", f"{folder}/pack", "--trust-policy",
         f"{folder}/trust-policy.txt", "--genesis-hash", genesis, "--json"],
        capture_output=True, text=True, check=False)
    check("cairn-audit verifies the pack", run.returncode == 0, run.stdout + run.stderr)
    return json.loads(run.stdout) if run.stdout else None


def controls(pack, verdict):
    """The SQL of every answered test gives the counts that the pack states."""
    connection = duckdb.connect()
    connection.execute("SET timezone = 'UTC'")
    tables = [name.removesuffix(".parquet") for name in os.listdir(f"{pack}/data")]
    for name in set(tables) - {"events", "checkpoints"}:
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{pack}/data/{name}.parquet')")
    # What only a verifier knows comes from cairn-audit, never from the pack.
    good = verdict is not None and verdict["verdict"] == "good"
    connection.execute(
        f"CREATE VIEW events AS SELECT *, {good} AS sig_valid FROM read_parquet('{pack}/data/events.parquet')")
    connection.execute("CREATE VIEW ev AS SELECT * FROM events WHERE redaction_level NOT IN ('hash-only', 'header')")
    connection.execute(
        f"CREATE VIEW checkpoints AS SELECT *, {good} AS log_sig_valid, {good} AS consistency_valid, "
        f"witness_count AS witness_valid_count, 0 AS witness_quorum "
        f"FROM read_parquet('{pack}/data/checkpoints.parquet')")
    connection.execute("CREATE TABLE proofs(kind VARCHAR, range_start BIGINT, range_end BIGINT, tree_size BIGINT, valid BOOLEAN)")
    period = connection.execute("SELECT range_start, range_end FROM period").fetchone()
    tree = json.load(open(f"{pack}/manifest.json"))["tree"]["size"]
    for kind in ["range", "boundary_low", "boundary_high", "decision_replay", "control_totals"]:
        connection.execute("INSERT INTO proofs VALUES (?, ?, ?, ?, ?)", [kind, *period, tree, good])
    catalogue = {t["id"]: t for t in yaml.safe_load(open(f"{pack}/controls/controls.yaml"))["tests"]}
    compared = 0
    for test in json.load(open(f"{pack}/controls/results.json"))["tests"]:
        if "outcome" not in test:
            continue
        sql = catalogue[test["id"]]
        compared += 1
        try:
            population = connection.execute(sql["population_sql"]).fetchone()[0] or 0
            exceptions = len(connection.execute(sql["exceptions_sql"]).fetchall())
        except duckdb.Error as error:
            check(f"{test['id']} in SQL", False, str(error).splitlines()[0])
            continue
        native = (test["outcome"]["population"], test["outcome"]["exceptions"])
        check(f"{test['id']} in SQL", (population, exceptions) == native, f"sql {(population, exceptions)}, native {native}")
    check("control tests were compared", compared >= 25, compared)


def main():
    folder = os.path.abspath(sys.argv[1])
    pack = f"{folder}/pack"
    leaves_and_columns(pack)
    beacons(pack)
    verify_sql(pack)
    verdict = audit(folder)
    if verdict is not None:
        controls(pack, verdict)
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**RESULTS))
    return 1 if RESULTS["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
