"""An end that is asked for is heard, wherever in the work it falls."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import os, signal, time
from portal.run import Ending

class Thing:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)  # Python looks at signals here, in a place that drops what is raised

with Ending():
    Thing()
    time.sleep(30)
    print("not heard")
print("ended")
"""


def test_an_end_asked_for_while_memory_is_cleared_is_heard_and_said_without_a_trace() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ended\n", "")
