"""Variables in the settings of a repository, by which an allowed `git` would run a program of the repository's.

Each is held at what the person has, or at nothing; one that cannot be held keeps the session from starting. The
scenarios are played by `cairn claude` and, in a managed installation, by plain `claude`.
"""

import os
import subprocess

from agent import tool
from organisation import until


def repository(device, name):
    """A repository with a change, and a program of its own."""
    project = f"{device.home}/{name}"
    program = device.write(f"{project}/tools/helper", f'#!/bin/sh\n: >"{device.mark(name)}"\n', 0o755)
    device.write(f"{project}/file.txt", "before\n")
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "init.defaultBranch=main"]
    for words in (["init", "-q"], ["add", "file.txt"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *words], cwd=project, check=True, env={**os.environ, "HOME": device.home})
    device.write(f"{project}/file.txt", "after\n")
    return project, program


def settings(device, project, **variables):
    device.write(f"{project}/.claude/settings.json", {"env": variables})


def ran(run, identifier, word):
    """The call ran, and the model was told its output."""
    assert word in run.told().get(identifier, ""), f"{run.printed}{run.told()}"


def one_with_a_value_as_good_as_none(device, start):
    """What the person has not set is held at what Git takes without it."""
    project, program = repository(device, "steered-ssh")
    settings(device, project, GIT_SSH=program, PS4=f"$({program})")
    identifier, turn = tool("Bash", command="git ls-remote ssh://127.0.0.1:9/x", description="x")
    run = start(turns=[turn], cwd=project)
    ran(run, identifier, "Could not read from remote repository")
    assert not device.touched("steered-ssh"), "the repository's program ran"


def a_program_of_the_person_s_own(device, start):
    """What the person has set stays, whatever the repository says."""
    project, program = repository(device, "steered-diff")
    own = device.write(f"{device.root}/own-diff", f'#!/bin/sh\n: >"{device.mark("own-diff")}"\necho own-diff\n', 0o755)
    settings(device, project, GIT_EXTERNAL_DIFF=program, PAGER=program)
    identifier, turn = tool("Bash", command="git diff", description="x")
    run = start(turns=[turn], cwd=project, env={"GIT_EXTERNAL_DIFF": own})
    ran(run, identifier, "own-diff")
    assert device.touched("own-diff") and not device.touched("steered-diff"), run.printed


def one_that_cannot_be_held(device, start):
    """Git takes an empty `GIT_EXTERNAL_DIFF` for a command: there is nothing to hold it at."""
    project, program = repository(device, "steered-refused")
    _, turn = tool("Bash", command="git diff", description="x")
    odd = {"GIT_EXTERNAL_DIFF=" + program + " #": "x"}
    for variables, name in (({"GIT_EXTERNAL_DIFF": program}, "GIT_EXTERNAL_DIFF"), (odd, "is no name of a variable")):
        settings(device, project, **variables)
        run = start(turns=[turn], cwd=project)
        assert run.code != 0 and not run.requests, run.printed
        assert name in run.printed and ".claude/settings.json" in run.printed, run.printed
        assert not device.touched("steered-refused")
    gates = lambda: [one["body"]["gate"] for one in device.entries("session.refused")]
    until("the refusals", lambda: gates().count("settings-variables") >= 2)


def one_that_comes_up_later(device, start):
    """Settings that change while the agent runs do not bring one either."""
    project, program = repository(device, "steered-later")
    os.makedirs(f"{project}/.claude")
    settings(device, project, NODE_ENV="test")
    slow = device.touch("free-later", seconds=6)[1]
    identifier, diff = tool("Bash", command="git diff", description="x")

    def appear(_process, model):
        until("the first request", model.requests)
        settings(device, project, NODE_ENV="test", GIT_EXTERNAL_DIFF=program)

    run = start(turns=[slow, diff], cwd=project, during=appear)
    ran(run, identifier, "after")
    assert not device.touched("steered-later"), "the repository's program ran"
    found = lambda: [one["body"] for one in device.entries("tool.decision") if one["body"]["tool"] == "ConfigChange"]
    denied = until("the refused change", lambda: [one for one in found() if one["effect"] == "deny"])
    assert denied, found()


ALL = [one_with_a_value_as_good_as_none, a_program_of_the_person_s_own, one_that_cannot_be_held, one_that_comes_up_later]


def scenario(play, prepare):
    """The scenario of one way of starting the agent, under its own name."""

    def scenario(device):
        play(device, prepare(device))

    scenario.__name__, scenario.__doc__ = play.__name__, play.__doc__
    return scenario


SHARED = [scenario(play, lambda device: device.run) for play in ALL]
