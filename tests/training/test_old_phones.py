"""The scripts of training are in the language of 2017: a phone that cannot read a script runs none of it."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.architecture.code import PORTAL
from tests.node import node

SCRIPTS = sorted((PORTAL / "training").glob("*/static/*.js"))
#: Node brings a reader of JavaScript along that can be told of which year it is.
READ = """
const { parse } = require("internal/deps/acorn/acorn/dist/acorn"), { readFileSync } = require("fs"), found = {};
for (const name of process.argv.slice(1)) {
  try { parse(readFileSync(name, "utf8"), { ecmaVersion: 2017 }); } catch (error) { found[name] = error.message; }
}
process.stdout.write(JSON.stringify(found));
"""


def unread(*paths):
    """Path → why a phone of 2017 cannot read it."""
    done = subprocess.run([node(), "--expose-internals", "-e", READ, *map(str, paths)], timeout=120, text=True, encoding="utf-8",
                          capture_output=True)
    if "Cannot find module" in done.stderr:
        pytest.skip("this node has its reader of JavaScript elsewhere")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_phone_of_2017_reads_every_script_of_training():
    assert len(SCRIPTS) > 15
    assert unread(*SCRIPTS) == {}


@pytest.mark.parametrize("newer", ["a?.b", "a ?? b", "({...a})", "try { a(); } catch { b(); }"])
def test_what_such_a_phone_cannot_read_is_noticed(tmp_path, newer):
    script = tmp_path / "newer.js"
    script.write_text(newer, encoding="utf-8")
    assert list(unread(script)) == [str(script)]
