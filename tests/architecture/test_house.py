"""The house stays small and plain, and its papers say what its code says."""

import re
import subprocess

import pytest

from portal.core.reference import configuration
from tests.architecture.code import PORTAL, ROOT

MOST_LINES = 400
SOURCES = sorted(p for folder in ("portal", "tools", "migrations", "content")
                 for p in (ROOT / folder).rglob("*")
                 if p.suffix in {".py", ".html", ".css", ".js", ".yaml", ".yml", ".po", ".md", ".txt"}
                 and "vendor" not in p.parts)


def test_no_file_of_the_portal_is_too_long_to_read():
    long = {str(p.relative_to(ROOT)): n for p in PORTAL.rglob("*.py")
            if (n := len(p.read_text(encoding="utf-8").splitlines())) > MOST_LINES}
    assert long == {}


def test_the_configuration_page_says_what_the_settings_are():
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert page == configuration(), "write it anew: .venv/bin/python -m portal.cli settings doc --write"


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock", "requirements-node.lock",
                                  "package-lock.json"])
def test_lock_files_hold_hashes_and_no_addresses(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "://" not in text
    assert "sha256:" in text or "sha512-" in text


def test_every_package_of_the_run_lock_is_in_the_test_lock():
    def pins(name):
        lines = (ROOT / name).read_text().splitlines()
        return {line.split(" \\")[0] for line in lines if re.match(r"\w[^ ]*==", line)}
    assert pins("requirements.lock") - pins("requirements-dev.lock") == set()
    assert pins("requirements-node.lock") - pins("requirements-dev.lock") == set()


def test_commands_in_the_readme_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", readme, re.MULTILINE))
    assert named
    assert named - targets == set()


def test_make_help_lists_every_public_target():
    shown = subprocess.run(["make", "-C", str(ROOT), "--no-print-directory", "help"], capture_output=True,
                           text=True, check=True, timeout=30).stdout
    for target in ("run", "test", "lint", "messages", "demo-reset", "clean"):
        assert f"make {target} " in shown


def test_the_product_names_no_place_outside_itself():
    outside = re.compile(r"\.\./shared|/work/|/tmp/|/home/|/root/")
    found = [f"{p.relative_to(ROOT)}:{n}: {line.strip()}" for p in SOURCES
             for n, line in enumerate(p.read_text(encoding="utf-8").splitlines(), 1) if outside.search(line)]
    assert not found, "\n" + "\n".join(found)
