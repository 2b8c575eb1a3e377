"""`cairn codex` in a terminal: started, prompted, a denied call."""

import fcntl
import os
import signal
import struct
import termios

from interactive import Terminal
from organisation import until


def in_a_terminal(device):
    """The hooks hold as well where Codex draws its own screen, without its server in the background."""
    identifier, turn = device.touch("denied-terminal")
    free, second = device.touch("terminal")
    stub = device.model({"main": [turn, second]})
    settings = f'model_providers.stub.base_url="http://127.0.0.1:{stub.port}/v1"'
    words = [f"{device.programs}/cairn", "codex", "-c", settings, "-a", "never", "-s", "danger-full-access", "--no-alt-screen", "Do it."]
    device.user_config(f'[projects."{device.project}"]\ntrust_level = "trusted"\n')
    terminal = Terminal(words, device.project, device.environment())
    # Without a size Codex draws one column.
    fcntl.ioctl(terminal.file, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
    try:
        while not stub.requests():
            # Codex may tell about new models first, and goes on at a key.
            terminal.quiet()
            if not stub.requests():
                os.write(terminal.file, b"\r")
        terminal.wait("the calls", lambda: len(stub.requests()) >= 3)
        until("the record", lambda: device.decisions(identifier) and device.decisions(free))
    finally:
        os.kill(terminal.pid, signal.SIGTERM)
        terminal.wait("the end", terminal.is_over)
        stub.stop()
        device.user_config("")
    assert device.touched("terminal") and not device.touched("denied-terminal")
    assert [one["effect"] for one in device.decisions(identifier)] == ["deny"]


SHARED = [in_a_terminal]
