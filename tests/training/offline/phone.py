"""The phone's scripts, run by node."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.architecture.code import PORTAL
from tests.node import node

STATIC = PORTAL / "training" / "offline" / "static"


def run(act: str, *scripts: str, **question: Any) -> Any:
    asked = {"act": act, "scripts": [str(STATIC / name) for name in scripts], **question}
    done = subprocess.run([node(), str(Path(__file__).with_name("in_node.js"))], timeout=120, text=True, encoding="utf-8",
                          input=json.dumps(asked), capture_output=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
