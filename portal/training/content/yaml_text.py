"""The YAML of courses: its safe subset without anchors, aliases and tags, bounded in depth, with the line of every key.

Anchors are refused because a file of one kilobyte can unfold by them to gigabytes, and because editors read YAML better
without them.
"""

from __future__ import annotations

from typing import Any

import yaml
from flask_babel import gettext as _

from portal.training.content.faults import Notes
from portal.warnings.strict_yaml import Section

DEEPEST = 8
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C parser is ten times as fast, where it is there


class Rows(list):
    """A list of a YAML file that remembers on which line each of its items begins."""

    lines: list[int]

    def line(self, index: int) -> int:
        return self.lines[index]


class _Loader(_Base):
    before: int = 0  # lines of the file before the YAML


class _Refused(Exception):
    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line, self.message = line, message


def _section(loader: _Loader, node: yaml.MappingNode) -> Section:
    made = Section()
    made.line, made.lines = node.start_mark.line + 1 + loader.before, {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1 + loader.before
        if not isinstance(key_node, yaml.ScalarNode):
            raise _Refused(line, _("a key must be a word"))
        key = key_node.value
        if key in made:
            raise _Refused(line, _("the key “%(key)s” stands twice", key=key))
        made[key] = loader.construct_object(value_node, deep=True)
        made.lines[key] = line
    return made


def _rows(loader: _Loader, node: yaml.SequenceNode) -> Rows:
    made = Rows(loader.construct_object(child, deep=True) for child in node.value)
    made.lines = [child.start_mark.line + 1 + loader.before for child in node.value]
    return made


_Loader.add_constructor("tag:yaml.org,2002:map", _section)
_Loader.add_constructor("tag:yaml.org,2002:seq", _rows)


def load(text: str, notes: Notes, before: int = 0) -> Section | None:
    """The mapping that `text` is; None, and a fault, for anything else. `before`: lines of the file above it."""
    try:
        _guard(text, before)
        loader = _Loader(text)
        loader.before = before
        try:
            tree = loader.get_single_data()
        finally:
            loader.dispose()
    except _Refused as error:
        notes.add(error.line, error.message)
        return None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or type(error).__name__
        notes.add((mark.line + 1 if mark else 1) + before,
                  _("the YAML cannot be read here: %(problem)s. Text with a colon, a hash or a quotation mark needs quotes",
                    problem=problem))
        return None
    except (ValueError, OverflowError, RecursionError):
        notes.add(1 + before, _("the YAML holds a number or a date that cannot be read; put text in quotes"))
        return None
    if not isinstance(tree, Section):
        notes.add(1 + before, _("must be a mapping of keys, such as “id: name”"))
        return None
    return tree


def _guard(text: str, before: int) -> None:
    """Raises _Refused before anything is built."""
    depth = 0
    for event in yaml.parse(text, Loader=_Base):
        line = event.start_mark.line + 1 + before
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _Refused(line, _("anchors (&) and aliases (*) are not allowed; write it out, or put the text in quotes"))
        if getattr(event, "tag", None):
            raise _Refused(line, _("tags (!) are not allowed; put the text in quotes"))
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise _Refused(line, _("is nested too deeply"))
