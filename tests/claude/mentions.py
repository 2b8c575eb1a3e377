"""Everything that brings a file to the model without a tool call, tried with the real Claude Code.

Each spelling names a file of its own, once a free one and once a denied one: the free one shows whether
the spelling reads at all, the denied one that nothing is read that was not judged.
"""

import concurrent.futures
import fcntl
import json
import os
import shutil

from agent import tool
from organisation import until

# Claude Code is started anew for each prompt; more at once than cores only makes each slower.
AT_ONCE = max(2, min(4, os.cpu_count() or 2))

# `F` stands for the file. Those that Claude Code 2.1.330 was seen to read come first.
READ = [
    "see @F", "see\n@F\n", "see\t@F", "see @F.", "see @F, ok", "see @F)", "see @F:", "see @F!", "see @F'", "see @F`", 'see @F"',
    "see @F]", "see @F}", "see @F>", "see @F。", "see @F\u200b", "see\u00a0@F", "see\u3000@F", "see\ufeff@F", "看。@F",
    "see @F#L1", "see @F#L1#L2", "see @F#foo", 'see @"F"', 'see @"F"#L1', 'see @"F#L1"', 'see @" F"', "see @F/", "see @F\\ x",
    "see @./././F", "see @nosuch/../F", "see @~/app/F", "see @P/F", "see @P//F", "/nosuch @F",
]  # fmt: skip
UNREAD = [
    "see (@F)", "see '@F'", "see `@F`", "see x@F", "see ,@F", "看@F", "see @F:2", "see @F，ok", "see @F@F", "see @'F'", "see @ F",
    "see @file://P/F", "see @\\F", "see \uff20F", "see \u200b@F",
]  # fmt: skip


def runs(device, prompts):
    """One run of the agent for each prompt, some at once; what each of them made it send."""
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        return [run.sent for run in pool.map(device.run, prompts)]


def spellings(device):
    """No spelling reads a denied file, and those that read are judged and recorded."""
    prompts = []
    for number, spelling in enumerate(READ + UNREAD):
        for name in (f"free-{number}.txt", f"secret-{number}.txt"):
            device.write(name, f"CONTENT-OF-{name}\n")
            prompts.append(spelling.replace("F", name).replace("P", device.project))
    sent = runs(device, prompts)
    read = [number for number in range(len(READ + UNREAD)) if f"CONTENT-OF-free-{number}.txt" in sent[2 * number]]
    leaked = [prompts[2 * number + 1] for number in range(len(READ + UNREAD)) if "CONTENT-OF-secret-" in sent[2 * number + 1]]
    assert not leaked, f"a denied file came in by {leaked}"
    missed = [READ[number] for number in range(len(READ)) if number not in read]
    assert not missed, f"these no longer read a free file, so the scenario proves less: {missed}"
    mentions = lambda: [one for one in device.entries("tool.decision") if one["body"]["use_id"].startswith("mention-")]
    until("a record of each", lambda: len([one for one in mentions() if one["body"]["effect"] == "deny"]) >= len(READ))
    allowed = [one for one in mentions() if one["body"]["effect"] != "deny"]
    assert len(allowed) >= len(read), (len(allowed), len(read))


def piped_input(device):
    device.write("secret-piped.txt", "CONTENT-OF-PIPED\n")
    run = device.run("explain", stdin="see @secret-piped.txt\n")
    assert "CONTENT-OF-PIPED" not in run.sent, run.printed


def commands_and_skills(device):
    """Files and shell commands in the text of a command or skill, typed by a person or used by the model."""
    project = f"{device.home}/commands"
    device.write(f"{project}/secret-body.txt", "CONTENT-OF-BODY\n")
    device.write(f"{project}/free-body.txt", "CONTENT-OF-FREE\n")
    claude = f"{project}/.claude"
    device.write(f"{claude}/commands/deep/secret.md", "do this with @secret-body.txt\n")
    device.write(f"{claude}/commands/free.md", "do this with @free-body.txt\n")
    device.write(f"{claude}/commands/shell.md", "---\nallowed-tools: Bash(cat:*)\n---\nsee !`cat secret-body.txt` now\n")
    device.write(f"{claude}/commands/mark.md", "---\nallowed-tools: Bash(mark:*)\n---\nsee !`mark denied-by-command` now\n")
    device.write(f"{claude}/skills/folder/SKILL.md", "---\nname: renamed\ndescription: x\n---\nuse @secret-body.txt\n")
    free = device.run("/free", cwd=project)
    assert "CONTENT-OF-FREE" in free.sent, free.printed
    for prompt in ("/secret", "/deep:secret", "/shell", "/mark", "/renamed", "/folder", "/free @secret-body.txt"):
        run = device.run(prompt, cwd=project)
        assert "CONTENT-OF-BODY" not in run.sent, f"{prompt}: {run.printed}"
    assert not device.touched("denied-by-command")
    for skill, arguments in (("folder", ""), ("renamed", ""), ("free", "@secret-body.txt")):
        identifier, turn = tool("Skill", skill=skill, args=arguments)
        run = device.run(turns=[turn], cwd=project)
        assert "CONTENT-OF-BODY" not in run.sent, f"{skill}: {run.printed}"
        until("the record", lambda: device.decisions(identifier))
    kinds = lambda: {one["body"]["tool"] for one in device.entries("tool.decision") if one["body"]["use_id"].startswith("expansion-")}
    until("both kinds of record", lambda: kinds() >= {"Read", "Bash"})


def skills_elsewhere(device):
    """Skills below the project and in an added folder are judged by their text; one without is denied."""
    project, added = f"{device.home}/skills", f"{device.home}/skills-added"
    device.write(f"{project}/secret-skill.txt", "CONTENT-OF-SKILL\n")
    device.write(f"{project}/sub/note.txt", "note\n")
    front = "---\ndescription: x\nallowed-tools: Bash(cat:*)\n---\n"
    command = f"{front}see !`cat {project}/secret-skill.txt` now\n"
    device.write(f"{project}/sub/.claude/skills/nested/SKILL.md", command)
    device.write(f"{added}/.claude/skills/added/SKILL.md", command)
    device.write(f"{project}/.claude/skills/counted/SKILL.md", f"{front}see !`cat {project}/$ARGUMENTS[1]-$1.txt` now\n")
    device.write(f"{project}/.claude/skills/mention/SKILL.md", f"{front}see @$0-skill.txt now\n")
    words = ["--add-dir", added]
    _, look = tool("Read", file_path=f"{project}/sub/note.txt")
    for name, arguments in (("nested", ""), ("added", ""), ("counted", "x secret"), ("mention", "secret")):
        identifier, turn = tool("Skill", skill=name, args=arguments)
        run = device.run(turns=[look, turn], cwd=project, words=words)
        assert "CONTENT-OF-SKILL" not in run.sent, f"{name}: {run.printed}"
        found = until("the record", lambda: device.decisions(identifier))
        assert [one["effect"] for one in found] == ["deny"], (name, found)


def instruction_imports(device):
    """A denied import of CLAUDE.md ends the session before the model hears of it."""
    project = f"{device.home}/imports"
    device.write(f"{project}/CLAUDE.md", "notes, see @free-notes.md\n")
    device.write(f"{project}/free-notes.md", "CONTENT-OF-NOTES\n")
    run = device.run(cwd=project)
    assert "CONTENT-OF-NOTES" in run.sent, run.printed
    device.write(f"{project}/secret-notes.md", "CONTENT-OF-SECRET\n")
    device.write(f"{project}/CLAUDE.md", "notes, see @free-notes.md and @secret-notes.md\n")
    identifier, turn = device.touch("free-after-import")
    run = device.run(turns=[turn], cwd=project)
    assert "CONTENT-OF-SECRET" not in run.sent, run.printed
    assert not device.touched("free-after-import") and not device.decisions(identifier)
    user = device.write(f"{device.config}/CLAUDE.md", "mine: @~/.ssh/id\n")
    try:
        run = device.run()
        assert "SECRET-KEY-CONTENT" not in run.sent, run.printed
    finally:
        os.remove(user)
    until("the refusals", lambda: [one for one in device.entries("session.refused") if one["body"]["gate"] == "instructions"])


def late_instructions(device):
    """An import of which the program tells too late is judged before the prompt is answered, and recorded once."""
    project, held = f"{device.home}/late", device.write(f"{device.root}/held", "")
    device.write(f"{project}/late-notes.md", "CONTENT-OF-NOTES\n")
    device.write(f"{project}/secret-late.md", "CONTENT-OF-LATE\n")
    # The programs once more, with a hook that tells of instructions only when nobody holds the file.
    late, own = f"{device.root}/late-programs", device.programs
    os.makedirs(late)
    shutil.copy2(f"{own}/cairn", late)
    hold = f'[ "$1" != InstructionsLoaded ] || flock "{held}" true'
    device.write(f"{late}/cairn-hook", f'#!/bin/sh\n{hold}\nexec "{own}/cairn-hook" "$@"\n', 0o755)

    def run(text):
        device.write(f"{project}/CLAUDE.md", text)
        return device.run(cwd=project)

    try:
        device.programs = late
        with open(held, encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            refused = run("notes, see @late-notes.md and **@secret-late.md**\n")
            assert not refused.requests, refused.printed
            free = [run("notes, see @late-notes.md\n")]
    finally:
        device.programs = own
    free.append(run("notes, see @late-notes.md\n"))
    for one in free:
        assert "CONTENT-OF-NOTES" in one.sent, one.printed
    files = {json.loads(one.printed.splitlines()[-1])["session_id"]: 2 for one in free}
    files[json.loads(refused.printed.splitlines()[-1])["session_id"]] = 3

    def recorded():
        found = [one.get("session") for one in device.entries("tool.decision") if one["body"]["use_id"] == "instructions"]
        return {session: found.count(session) for session in files}

    until("a record of each file", lambda: all(recorded()[session] >= count for session, count in files.items()))
    assert recorded() == files


SHARED = [spellings, piped_input, commands_and_skills, skills_elsewhere, instruction_imports, late_instructions]
