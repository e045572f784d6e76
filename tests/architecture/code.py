"""Reading the portal's modules: names, imports, and the statements that they build."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PORTAL = ROOT / "portal"


def modules() -> dict[str, Path]:
    """Dotted name → file of every module of the portal."""
    found = {}
    for path in sorted(PORTAL.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name: str, path: Path, tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and dotted name of all that a module imports of the portal, inside functions too."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "portal":
                    yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            if base.split(".")[0] == "portal":
                for alias in node.names:
                    yield node.lineno, f"{base}.{alias.name}"


def room_of(dotted: str) -> str:
    """`portal.warnings.review.approve` → `warnings`; modules directly in the portal: their own name."""
    parts = dotted.split(".")
    return parts[1] if len(parts) > 1 else ""


def layers(block: str) -> list[list[str]]:
    """The rooms of the import rule, from the topmost line to the lowest."""
    found = []
    for line in block.strip().splitlines():
        words = line.split("→")[0].replace(",", " ").split()
        found.append(words)
    return found


def rule_in(markdown: str) -> str:
    """The code block whose first line is the top of the import rule."""
    blocks = markdown.split("```")[1::2]
    return next(block for block in blocks if block.strip().startswith("cli, wsgi → create_app"))
