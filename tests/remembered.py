"""What each new application works out again though nothing has changed: worked out once here, for all applications of a test run.

Thousands of applications are made by the tests, and every one of them compiled the same addresses and templates and read the
same catalogues: a third of the tests' time. What is kept is kept under everything that it depends on.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import Any

from babel.support import NullTranslations, Translations
from jinja2 import Environment
from sqlalchemy import Engine
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule

from portal.core import i18n

_compile_rule, _rules = Rule.compile, dict[tuple, tuple]()
_compile_builder, _builders = Rule._compile_builder, dict[tuple, Callable]()
_compile_template, _templates = Environment.compile, dict[tuple, CodeType]()
_load_catalogue, _catalogues = Translations.load, dict[tuple, NullTranslations]()
_find_catalogues, _directories = i18n.catalogue_dirs, dict[Path, list[Path]]()
_statements = LRUCache[Any, Any](3000)
#: What a dialect was told or found out that changes how it writes a statement, or reads what comes back.
_MANNERS = ("name", "driver", "server_version_info", "default_schema_name", "paramstyle", "label_length", "max_identifier_length",
            "insertmanyvalues_page_size", "use_insertmanyvalues", "_json_serializer", "_json_deserializer")


def _builder(rule: Rule, append_unknown: bool = True) -> Callable:
    key = (rule.rule, tuple(rule._trace), repr(rule.defaults), append_unknown)
    if key not in _builders:
        _builders[key] = _compile_builder(rule, append_unknown)
    return _builders[key]


def _rule(rule: Rule) -> None:
    """The parts of an address. Its converters ask nothing of the map that they were made for."""
    assert rule.map is not None
    domain = rule.host if rule.map.host_matching else rule.subdomain
    key = (rule.rule, domain, repr(rule.defaults), rule.merge_slashes, *rule.map.converters.items())
    if key not in _rules:
        _compile_rule(rule)
        _rules[key] = (tuple(rule._parts), tuple(rule._trace), dict(rule._converters))
        return
    parts, trace, converters = _rules[key]
    rule._parts, rule._trace, rule._converters = list(parts), list(trace), dict(converters)
    rule.arguments |= set(converters)
    rule._build = _builder(rule, False).__get__(rule, None)
    rule._build_unknown = _builder(rule, True).__get__(rule, None)


def _template(environment: Environment, source: Any, name: str | None = None, filename: str | None = None,
              raw: bool = False, defer_init: bool = False) -> Any:
    if raw or defer_init or not isinstance(source, str):
        return _compile_template(environment, source, name, filename, raw, defer_init)
    escaped = environment.autoescape
    key = (source, name, filename, type(environment), environment.is_async, environment.optimized, *environment.extensions,
           escaped(name) if callable(escaped) else escaped)
    if key not in _templates:
        _templates[key] = _compile_template(environment, source, name, filename)
    return _templates[key]


def _catalogue(cls: type[Translations], dirname: Any = None, locales: Any = None, domain: str | None = None) -> NullTranslations:
    """A compiled catalogue as it was when it was last written. Who asks merges it into another, and leaves it as it is."""
    if not (isinstance(locales, list) and len(locales) == 1):
        return _load_catalogue(dirname, locales, domain)
    compiled = Path(dirname) / str(locales[0]) / "LC_MESSAGES" / f"{domain}.mo"
    if not compiled.exists():
        return _load_catalogue(dirname, locales, domain)
    state = compiled.stat()
    key = (str(compiled), state.st_mtime_ns, state.st_size, state.st_ino)
    if key not in _catalogues:
        _catalogues[key] = _load_catalogue(dirname, locales, domain)
    return _catalogues[key]


def _catalogue_dirs() -> list[Path]:
    if i18n.PORTAL not in _directories:
        _directories[i18n.PORTAL] = _find_catalogues()
    return list(_directories[i18n.PORTAL])


def _same(dialect: DefaultDialect, other: object) -> bool:
    return dialect is other or (type(dialect) is type(other) and all(
        getattr(dialect, one, None) == getattr(other, one, None) for one in _MANNERS))


def _set_statements(engine: Engine, own: Any) -> None:
    vars(engine)["statements"] = None if own is None else _statements


def remember() -> None:
    """From now on, in this process."""
    Rule._compile_builder = _builder  # type: ignore[method-assign]
    Rule.compile = _rule  # type: ignore[method-assign]
    Environment.compile = _template  # type: ignore[method-assign]
    Translations.load = classmethod(_catalogue)  # type: ignore[method-assign, assignment]
    i18n.catalogue_dirs = _catalogue_dirs
    # The statements of all engines are kept together, under their dialect: one that does the same is the same.
    Engine._compiled_cache = property(lambda engine: vars(engine)["statements"], _set_statements)  # type: ignore[assignment]
    DefaultDialect.__eq__ = _same  # type: ignore[method-assign]
    DefaultDialect.__hash__ = lambda dialect: hash(type(dialect))  # type: ignore[method-assign]
