"""Scenarios in turn: a line for each as it ends, and what came of all of them."""

import time
import traceback

# The end of a long trace is where it failed.
SHOWN = 6000


class Results:
    """Of all scenarios of a suite, from as many threads as play them."""

    def __init__(self):
        self.passed, self.failed = [], []

    def attempt(self, scenario, *given, name=None):
        name = name or scenario.__name__
        begun = time.monotonic()
        try:
            scenario(*given)
        except Exception:  # noqa: BLE001
            self.failed.append(name)
            print(f"FAIL  {name} ({time.monotonic() - begun:.1f} s)\n{traceback.format_exc()[-SHOWN:]}", flush=True)
        else:
            self.passed.append(name)
            print(f"ok    {name} ({time.monotonic() - begun:.1f} s)", flush=True)

    def attempt_all(self, scenarios, prepare):
        """Plays scenarios with what `prepare` gives; where it fails, all of them have."""
        try:
            given = prepare()
        except Exception:  # noqa: BLE001
            self.failed += [scenario.__name__ for scenario in scenarios]
            print(f"FAIL  nothing to play with\n{traceback.format_exc()[-SHOWN:]}", flush=True)
            return
        for scenario in scenarios:
            self.attempt(scenario, given)

    def finish(self):
        """Prints the counts and gives the exit code. A suite in which nothing was played has failed."""
        if self.failed:
            print(f"failed: {', '.join(self.failed)}")
        print(f"{len(self.passed)} passed, {len(self.failed)} failed")
        return 1 if self.failed or not self.passed else 0


def chosen(scenarios, words):
    """Those whose name contains one of the words; all where there are none."""
    return [one for one in scenarios if not words or any(word in one.__name__ for word in words)]
