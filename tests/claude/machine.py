"""A machine with the managed installation: putting it there, and starting Claude Code without a word of Cairn."""

from organisation import until

SETTINGS = "/etc/claude-code/managed-settings.d/50-cairn.json"
PROGRAMS = "/usr/local/lib/cairn"
ALLOWED = ["--allowedTools", "Bash"]
ENROL_AT = "https://cairn.acme.example"


def install(device, *words, state=None):
    code, out, said = device.cairn("install", "--managed", "--server", ENROL_AT, "--state", state or device.state, *words)
    assert code == 0, out + said
    return out


def plain(device, **options):
    """Claude Code as anybody starts it, without a word of Cairn."""
    words = [*ALLOWED, *options.pop("words", [])]
    return device.run(wrapped=False, words=words, **options)


def denied(device, name, **options):
    """The model tries a denied command: it does not run, the model is told, and it is recorded once."""
    identifier, turn = device.touch(f"denied-{name}")
    run = plain(device, turns=[turn], **options)
    assert not device.touched(f"denied-{name}"), f"the denied command ran\n{run.printed}"
    assert run.requests, run.printed
    found = until("the record", lambda: device.decisions(identifier))
    assert [one["effect"] for one in found] == ["deny"], found
    assert identifier in run.told(), "the model was not told"
    return run


def not_started(device, name, sentence, **options):
    _, turn = device.touch(f"free-{name}")
    run = plain(device, turns=[turn], **options)
    assert run.code != 0 and not run.requests and not device.touched(f"free-{name}"), run.printed
    assert sentence in run.printed, run.printed
    return run


def standing(device):
    return device.status()["standing"]
