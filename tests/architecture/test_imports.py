"""Imports go downwards only, and no room queries another's tables: docs/architecture.md, held to its word."""

import ast
import functools
from pathlib import Path

import pytest

from tests.architecture import code

DESIGN = code.ROOT.parent / "shared" / "DESIGN.md"
RULE = code.rule_in((code.ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"))
LAYERS = code.layers(RULE)
BASE = LAYERS[-1]
#: Rooms that came after the plan: the rule keeps the plan's order around them.
LATER = {"guides", "reports", "subscribing"}
#: What gathers the rooms stands above them all: the modules beside them. `config` is below everything.
ABOVE = {"", "cli", "models", "doctor"} | {p.stem for p in code.PORTAL.glob("*.py")} - {"config", "__init__"}
QUERIES = {"select", "insert", "update", "delete", "exists", "query", "get", "get_one", "scalar", "join",
           "outerjoin", "select_from", "merge", "aliased", "once"}


def level(room: str) -> int | None:
    """0 is the lowest floor; None for what the rule does not name."""
    for height, rooms in enumerate(reversed(LAYERS)):
        if room in rooms:
            return height
    return None


def problems_of_import(here: str, there: str) -> str | None:
    """What is wrong when a module of room `here` imports from room `there`, or None."""
    if here == there or there == "config" or here in ABOVE:
        return None
    if here == "config":
        return "config imports nothing of the portal"
    if there in ABOVE:
        return f"{there or 'portal'} stands above the rooms"
    if level(there) is None:
        return f"{there} is not in the import rule"
    if level(here) is None:
        return f"{here} is not in the import rule"
    if level(there) > level(here):
        return f"{there} is above {here}"
    line = LAYERS[len(LAYERS) - 1 - level(here)]
    if there in line and line is not BASE and line.index(there) < line.index(here):
        return f"{there} stands left of {here}"
    return None


def upward(name: str, path: Path, tree: ast.AST) -> list[str]:
    here = code.room_of(name)
    found = []
    for line, target in code.imports(name, path, tree):
        # `from portal import create_app, current_settings`: the package itself is every room's ground.
        there = code.room_of(target) if target.split(".")[1] in ROOMS or target.split(".")[1] in ABOVE \
            or target.split(".")[1] == "config" else None
        if there is not None and (problem := problems_of_import(here, there)):
            found.append(f"{path.relative_to(code.ROOT)}:{line} imports {target}: {problem}")
    return found


def _is_table(name: str) -> bool:
    """Tables are called `Account`, constants beside them `ACTIVE`; `models` is the whole module."""
    return name == "models" or (name[:1].isupper() and not name.isupper())


def foreign_queries(name: str, path: Path, tree: ast.AST) -> list[str]:
    """Statements that name another room's table, as far as the syntax tells."""
    here = code.room_of(name)
    if here in ABOVE:
        return []
    classes, tables_of = {}, {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            parts = node.module.split(".")
            for alias in node.names:
                bound = alias.asname or alias.name
                if parts[0] == "portal" and parts[-1] == "models" and parts[1] != here:
                    classes[bound] = f"{node.module}.{alias.name}"
                if parts[0] == "portal" and alias.name == "models" and parts[1:2] != [here]:
                    tables_of[bound] = f"{node.module}.models"
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if function not in QUERIES:
            continue
        for argument in [*node.args, *(k.value for k in node.keywords)]:
            for part in ast.walk(argument):
                named = classes.get(part.id) if isinstance(part, ast.Name) else None
                if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
                    named = named or tables_of.get(part.value.id)
                if named and _is_table(named.rpartition(".")[2]):
                    found.append(f"{path.relative_to(code.ROOT)}:{node.lineno} {function}() on {named}")
    return sorted(set(found))


ROOMS = {p.parent.name for p in code.PORTAL.glob("*/__init__.py")}


@functools.cache
def modules() -> dict[str, tuple[Path, ast.Module]]:
    """Where each module of the portal stands, and its tree. Read when it is asked for: most workers never ask."""
    return {name: (path, ast.parse(path.read_text(encoding="utf-8"))) for name, path in code.modules().items()}


def test_the_rule_here_is_the_rule_of_the_plan():
    if not DESIGN.exists():
        pytest.skip("the plan of the house is not beside this clone")
    planned = code.layers(code.rule_in(DESIGN.read_text(encoding="utf-8")))
    rooms = {room for line in planned for room in line} | LATER
    assert [[room for room in line if room not in LATER] for line in LAYERS] == planned
    assert {room for line in LAYERS for room in line} == rooms


def test_every_room_is_in_the_rule():
    assert {room for room in ROOMS if level(room) is None} - ABOVE == set()


def test_imports_go_downwards_only():
    found = [problem for name, (path, tree) in modules().items() for problem in upward(name, path, tree)]
    assert not found, "\n" + "\n".join(found)


def test_no_room_queries_the_tables_of_another():
    found = [problem for name, (path, tree) in modules().items()
             for problem in foreign_queries(name, path, tree)]
    assert not found, "\n" + "\n".join(found)


def test_sms_and_speakers_stay_apart():
    found = [f"{name}:{line} {target}" for name, (path, tree) in modules().items()
             for line, target in code.imports(name, path, tree)
             for one, other in (("sms", "speakers"), ("speakers", "sms"))
             if name.startswith(f"portal.channels.{one}") and target.startswith(f"portal.channels.{other}")]
    assert not found


@pytest.mark.parametrize(("module", "text", "allowed"), [
    ("portal.warnings.x", "from portal.dispatch import plan", False),
    ("portal.warnings.x", "def f():\n    from portal.dispatch.plan import plan", False),
    ("portal.warnings.x", "import portal.desk.live", False),
    ("portal.identity.x", "from portal.subscribers import store", False),
    ("portal.subscribers.x", "from portal.channels.sms import provider", False),
    ("portal.channels.sms.x", "from portal.identity import guard", True),
    ("portal.unheard_of.x", "from portal.core import db", False),
    ("portal.core.x", "from portal.regions import codes", False),
    ("portal.shelters.x", "from portal.guides import shelf", False),
    ("portal.guides.x", "from portal.site import publish", False),
    ("portal.site.x", "from portal.desk import pages", False),
    ("portal.desk.x", "from portal import doctor", False),
    ("portal.site.x", "from ..dispatch import plan\nfrom portal import current_settings", True),
    ("portal.core.x", "from portal.web import show\nfrom portal.config import Settings", True),
    ("portal.doctor", "from portal.dispatch import plan", True),
])
def test_the_test_sees_what_goes_upwards(module, text, allowed):
    path = code.ROOT / (module.replace(".", "/") + ".py")
    assert (not upward(module, path, ast.parse(text))) == allowed


@pytest.mark.parametrize(("text", "allowed"), [
    ("from portal.identity.models import Account\ndef f(a: Account) -> None: ...", True),
    ("from portal.identity.models import Account\nselect(Account.id)", False),
    ("from portal.identity.models import Account\nsession.get(Account, 1)", False),
    ("from portal.identity import models as people\nsession.execute(insert(people.Account))", False),
    ("from portal.subscribers.models import ACTIVE\nselect(Bulletin).where(x == ACTIVE)", True),
    ("from portal.warnings.models import Bulletin\nselect(Bulletin)", True),
])
def test_the_test_sees_statements_on_another_rooms_table(text, allowed):
    path = code.PORTAL / "warnings" / "x.py"
    assert (not foreign_queries("portal.warnings.x", path, ast.parse(text))) == allowed
