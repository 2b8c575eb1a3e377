"""A policy on its way: to devices behind a proxy, who has it, and what a new one would change.

Usage: run.py [NAME ...]   only scenarios whose name contains one of the words.
Needs CAIRN_PROGRAMS (the built programs). The last line is "N passed, N failed".
"""

import json
import os
import subprocess
import sys
import tempfile
import time

from device import Device  # It finds the modules that are shared with the other suites.
from proxy import Proxy, slowly, with_weather

from organisation import Organisation, until
from scenarios import Results, chosen

# How long a change may take to a device that asks and waits: it is told at once, and polled for here.
TOLD_SECONDS = 10


def policy(*rules, **members):
    """A bundle of rules for everybody or for a team, written as `effect pattern [team]`."""
    written = []
    for number, (effect, pattern, *team) in enumerate(rules):
        scope = {"team": team[0]} if team else {"global": True}
        written.append({"id": f"rule-{number}-{effect}", "effect": effect, "pattern": pattern, "scope": scope, "dialect": "cairn"})
    plain = {"default": "no-opinion", "contact": "security@acme.example", "rules": written}
    return {**plain, **members}


FIRST = policy(("deny", "Bash(kubectl *)"), ("allow", "Bash(kubectl *)", "infrastructure"), ("allow", "Bash(ls *)"))


def equal(found, expected):
    assert found == expected, f"{found!r} is not {expected!r}"


def behind_a_proxy(organisation):
    """A proxy that holds streams back: the device notices, asks instead, and still hears of a change at once."""
    proxy = Proxy(organisation.server)
    try:
        device = organisation.enrol("behind", "/nonexistent", Device, server=proxy.url)
        until("the daemon to notice", lambda: device.status()["daemon"]["policy_asks"])
        _, shown, _ = device.cairn("status")
        assert "holds streams back" in shown, shown
        until("a request that waits", lambda: proxy.asked("/v1/policy/stream?wait="))
        before = device.version()
        begun = time.monotonic()
        organisation.apply(FIRST)
        until("the change", lambda: device.version() == before + 1, TOLD_SECONDS)
        print(f"      told through the proxy within {time.monotonic() - begun:.1f} s", flush=True)
        # Whoever is asked has asked once for each answer, and not again and again.
        asked = len(proxy.asked("/v1/policy/stream?wait="))
        assert asked <= 2 + (time.monotonic() - begun), asked
        # Nothing is between the others and the server: they have a stream.
        direct = organisation.devices[0]
        equal(direct.status()["daemon"]["policy_asks"], False)
        until("the change elsewhere", lambda: direct.version() == before + 1, TOLD_SECONDS)
        device.stop()
    finally:
        proxy.stop()


def behind_a_slow_proxy(organisation):
    """A proxy that passes on a byte a second: alive and of no use; the device asks instead."""
    proxy = Proxy(organisation.server, slowly)
    try:
        device = organisation.enrol("slow", "/nonexistent", Device, server=proxy.url)
        until("the daemon to notice", lambda: device.status()["daemon"]["policy_asks"])
        before = device.version()
        organisation.apply(FIRST)
        until("the change", lambda: device.version() == before + 1, TOLD_SECONDS)
        device.stop()
    finally:
        proxy.stop()


def events_of_other_names(organisation):
    """Events that no version knows are passed over: no request for each of them, and changes are told as ever."""
    proxy = Proxy(organisation.server, with_weather)
    try:
        device = organisation.enrol("weather", "/nonexistent", Device, server=proxy.url)
        until("the stream", lambda: proxy.asked("/v1/policy/stream"))
        before = device.version()
        organisation.apply(FIRST)
        until("the change", lambda: device.version() == before + 1, TOLD_SECONDS)
        equal(device.status()["daemon"]["policy_asks"], False)
        # After an enrolment, at the start and with the stream, and for the activation's own confirmation.
        asked = [path for path in proxy.asked("/v1/policy") if "stream" not in path]
        assert len(asked) <= 6, asked
        device.stop()
    finally:
        proxy.stop()


def standing(organisation):
    words = ["cairn", "policy", "status", "--json", "--admin", organisation.office, "--server", organisation.server]
    words += ["--trust-policy", organisation.trust_policy]
    done = subprocess.run([f"{organisation.programs}/{words[0]}", *words[1:]], capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def acknowledgements(organisation):
    """An administrator sees which devices run which version, and the entry that says so."""
    ann, bob = organisation.devices[:2]
    organisation.apply(FIRST)
    version = standing(organisation)[1]["version"]
    rows = lambda: {row["device"]: row for row in standing(organisation)[1]["rows"]}
    on = lambda device: rows()[device.identifier]
    until("both to acknowledge", lambda: on(ann)["version"] == version and on(bob)["version"] == version)
    for device in (ann, bob):
        row = on(device)
        equal(row["state"], "current")
        named = [one for one in device.entries("policy.activated") if one["body"]["version"] == version]
        equal(len(named), 1)
        equal(row["acknowledged_ms"], named[0]["time_ms"])
        entry = organisation.get(f"v1/entries/{row['acknowledged_at']}").decode()
        claims = entry_payload(entry)
        equal((claims["type"], claims["device"], claims["body"]["version"]), ("policy.activated", device.identifier, version))
    # One of them stops: the next version is not acknowledged by it, and the command says so and fails.
    bob.stop()
    organisation.apply(FIRST)
    until("the other one", lambda: on(ann)["version"] == version + 1)
    code, found = standing(organisation)
    equal((code, found["version"], on(bob)["state"], on(bob)["version"]), (1, version + 1, "behind", version))
    table = subprocess.run(
        [f"{organisation.programs}/cairn", "policy", "status", "--admin", organisation.office, "--server", organisation.server,
         "--trust-policy", organisation.trust_policy], capture_output=True, text=True, check=False).stdout
    assert f"in force: version {version + 1}" in table and f"behind   {bob.identifier}" in table, table
    # `doctor` starts what does not run.
    bob.cairn("doctor")
    until("the one that is back", lambda: on(bob)["version"] == version + 1)
    states = {row["state"] for row in rows().values() if row["device"] in (ann.identifier, bob.identifier)}
    equal(states, {"current"})


def entry_payload(entry):
    import base64

    part = entry.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def plan_and_simulate(organisation):
    """What a proposed policy would change: against the policy in force, and over recorded actions."""
    ann, bob = organisation.devices[:2]
    organisation.apply(FIRST)
    version = standing(organisation)[1]["version"]
    until("the policy", lambda: ann.version() == version and bob.version() == version)
    person = {}
    for device in (ann, bob):
        person[device] = device.status()["person"]
    before = simulate(organisation, FIRST)
    equal(before["changed"], [])
    calls = [(ann, "kubectl get pods", "allow"), (ann, "kubectl get nodes", "allow"), (bob, "kubectl get pods", "deny"),
             (ann, "ls -la", "allow"), (bob, "ls -la", "allow"), (bob, "make", "none")]
    for number, (device, command, expected) in enumerate(calls):
        equal(device.bash(command, f"toolu_plan_{number}"), expected)
    until("the record", lambda: simulate(organisation, FIRST)["actions"] == before["actions"] + len(calls))
    # kubectl is taken from the team, and ls from everybody.
    proposed = policy(("deny", "Bash(kubectl *)"), ("deny", "Bash(ls *)"))
    path = write(organisation, proposed)
    code, planned = answer(organisation, "plan", path)
    equal(code, 0)
    removed = {one["removed"]["id"] for one in planned["rules"] if "removed" in one}
    added = {one["added"]["id"] for one in planned["rules"] if "added" in one}
    equal((removed, added), ({"rule-1-allow", "rule-2-allow"}, {"rule-1-deny"}))
    changed = {(one["call"].get("command"), tuple(one["call"].get("teams", [])), one["from"], one["to"]) for one in planned["calls"]}
    assert any(call.startswith("kubectl") and teams == ("infrastructure",) and (old, new) == ("allow", "deny") for call, teams, old, new in changed), changed
    _, text = words(organisation, "plan", path)
    assert f"in force: version {version}; apply puts version {version + 1} in force" in text, text
    found = simulate(organisation, proposed)
    after = [(row["person"], row["call"], row["from"], row["to"], row["rule"]) for row in found["changed"]]
    expected = [(person[ann], "kubectl get pods", "allow", "deny", "rule-0-deny"), (person[ann], "kubectl get nodes", "allow", "deny", "rule-0-deny"),
                (person[ann], "ls -la", "allow", "deny", "rule-1-deny"), (person[bob], "ls -la", "allow", "deny", "rule-1-deny")]
    equal(sorted(after), sorted(expected))
    equal(found["by_person"], {person[ann]: 3, person[bob]: 1})
    equal(found["by_team"], {"infrastructure": 3})
    equal(found["by_rule"], {"rule-0-deny": 2, "rule-1-deny": 2})
    equal(found["not_replayable"], {})
    _, table = words(organisation, "simulate", path)
    for line in (f"person {person[ann]}: 3 would change", "team infrastructure: 3 would change", "rule rule-1-deny: 2 would change", "4 would change (4 to stricter)"):
        assert line in table, table
    # Neither changed anything; that inputs were read, and why, is in the log.
    equal(standing(organisation)[1]["version"], version)
    purpose = lambda one: one.get("ext", {}).get("reading", {}).get("purpose", "")
    until("the reading in the log", lambda: any("simulate a proposed policy" in purpose(one) for one in organisation.all_entries()))
    # What was foretold comes true.
    organisation.apply(proposed)
    until("the proposed policy", lambda: ann.version() == version + 1 and bob.version() == version + 1)
    equal(ann.bash("kubectl get pods", "toolu_after_1"), "deny")
    equal(bob.bash("ls -la", "toolu_after_2"), "deny")
    equal(bob.bash("make", "toolu_after_3"), "none")


def write(organisation, bundle):
    path = f"{organisation.root}/proposed.json"
    with open(path, "w", encoding="utf-8") as file:
        json.dump(bundle, file)
    return path


def words(organisation, *command):
    """An administrator's command about policy; its exit code and what it printed."""
    line = [f"{organisation.programs}/cairn", "policy", *command, "--admin", organisation.office, "--server", organisation.server]
    done = subprocess.run([*line, "--trust-policy", organisation.trust_policy], capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return done.returncode, done.stdout


def answer(organisation, *line):
    code, printed = words(organisation, *line, "--json")
    return code, json.loads(printed)


def simulate(organisation, bundle):
    return answer(organisation, "simulate", write(organisation, bundle), "--days", "1")[1]


def halt_and_resume(organisation):
    """The kill switch: for a team, for everybody, under a policy that only monitors, and never lifted by the way."""
    ann, bob = organisation.devices[:2]
    number = 0

    def told(device, expected, what):
        nonlocal number
        number += 1
        equal((what, device.bash("ls -la", f"toolu_halt_{number}")), (what, expected))

    def putting(*line):
        code, _ = words(organisation, *line)
        equal((line, code), (line, 0))
        version = standing(organisation)[1]["version"]
        until("the policy", lambda: ann.version() == version and bob.version() == version)
        return version

    organisation.apply({**FIRST, "mode": "monitor"})
    before = putting("halt", "--team", "infrastructure", "--running", "hold", "--message", "keys leaked")
    told(ann, "deny", "of the team")
    told(bob, "none", "the rest only monitors")
    decided = until("the record", lambda: ann.decisions("toolu_halt_1"))
    equal([(one["rule"]["id"], one["mode"]) for one in decided], [("halt-team-infrastructure", "enforce")])
    putting("halt", "--running", "hold")
    told(ann, "deny", "everybody")
    told(bob, "deny", "everybody")
    # Whoever applies a policy without knowing lifts nothing.
    path = write(organisation, FIRST)
    code, said = refused(organisation, "apply", path)
    assert code == 1 and "halted by gate `halt" in said, said
    code, said = refused(organisation, "plan", path)
    assert code == 1 and "refuse to lift halt" in said, said
    equal(standing(organisation)[1]["version"], before + 1)
    putting("resume")
    told(ann, "none", "resumed")
    told(bob, "none", "resumed")
    code, said = refused(organisation, "resume")
    assert code == 1 and "nobody is halted" in said, said
    code, said = refused(organisation, "halt", "--team", "nobodies")
    assert code == 1 and "no team `nobodies`" in said, said
    organisation.apply(FIRST)
    version = standing(organisation)[1]["version"]
    until("the policy", lambda: ann.version() == version and bob.version() == version)


def secrets_stay_out_of_the_log(organisation):
    """A policy with a secret in an MCP server is not put in force, and the refusal does not repeat it."""
    before = standing(organisation)[1]["version"]
    server = {"command": "tool", "env": {"API_TOKEN": "0f5c9a7b31d24e68"}}
    mcp = {"default": "block", "allow": [], "deny": [], "servers": {"db": server}}
    path = write(organisation, {**FIRST, "mcp": mcp})
    for command in ("apply", "plan"):
        code, said = refused(organisation, command, path)
        assert code == 1 and "db/env/API_TOKEN" in said and "0f5c9a7b" not in said, said
    equal(standing(organisation)[1]["version"], before)


def refused(organisation, *command):
    """An administrator's command that fails; its exit code and everything it said."""
    line = [f"{organisation.programs}/cairn", "policy", *command, "--admin", organisation.office, "--server", organisation.server]
    done = subprocess.run([*line, "--trust-policy", organisation.trust_policy], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


SCENARIOS = [
    plan_and_simulate,
    acknowledgements,
    halt_and_resume,
    secrets_stay_out_of_the_log,
    behind_a_proxy,
    behind_a_slow_proxy,
    events_of_other_names,
]


def main():
    programs = os.environ["CAIRN_PROGRAMS"]
    results = Results()
    with tempfile.TemporaryDirectory(prefix="cairn-distribution-") as root:
        organisation = Organisation(programs, root)
        try:
            organisation.administrator("org", "team-add", "--team", "infrastructure", "--name", "Infrastructure")
            organisation.apply(FIRST)
            for name in ("ann", "bob"):
                organisation.enrol(name, "/nonexistent", Device)
            member = ["--person", "ann@acme.example", "--role", "developer", "--team", "infrastructure"]
            organisation.administrator("org", "person-update", *member)
            ann = organisation.devices[0]
            until("the team", lambda: ann.status()["daemon"]["teams"] == ["infrastructure"])
            for scenario in chosen(SCENARIOS, sys.argv[1:]):
                results.attempt(scenario, organisation)
        finally:
            organisation.stop()
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
