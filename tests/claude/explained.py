"""`cairn why` on what was recorded: by the device's own spool, and once the log has it by the server."""

import json
import shutil

from organisation import until


def recorded_calls_are_explained(device):
    """Which rule decided, which lost, and what would change it, of a call that the log has."""
    identifier, turn = device.touch("denied-explained")
    run = device.run(turns=[turn])
    assert run.requests and not device.touched("denied-explained"), run.printed
    until("the record", lambda: device.decisions(identifier))

    def why():
        code, printed, said = device.cairn("why", identifier, "--json")
        assert code == 0, said
        return json.loads(printed)

    until("its receipt", lambda: "index" in why())
    # The spool keeps whole files; without them the input is to be had from the server only.
    device.cairn("daemon", "stop")
    until("an empty spool", lambda: device.status().get("daemon") is None)
    shutil.move(f"{device.state}/spool", f"{device.root}/spool-aside")
    try:
        found = why()
    finally:
        shutil.move(f"{device.root}/spool-aside", f"{device.state}/spool")
        device.cairn("doctor")
    assert found["input_from"] == "server" and "problem" not in found, found
    assert found["effect"] == "deny" and found["rule"]["pattern"] == "Bash(mark *denied*)", found
    assert [rule["pattern"] for rule in found["lost"]] == ["Bash(mark *)"], found
    again = found["again"]
    assert again["state"] == "judged" and "difference" not in again and again["complete"], again
    assert {"otherwise": {"kind": "without", "id": found["rule"]["id"]}, "effect": "allow", "rule": found["lost"][0]["id"]} in again["changes"], again


APART = [recorded_calls_are_explained]
