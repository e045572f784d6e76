"""Checklists of practical skills: practical/<skill>.yaml."""

from __future__ import annotations

from pathlib import Path

from flask_babel import gettext as _

from portal.training.content import files, yaml_text
from portal.training.content.faults import Fault, Notes
from portal.training.content.fields import Fields
from portal.training.content.values import Checklist, Step
from portal.warnings.hazards import Phrase

MOST_STEPS = 60


def read(directory: Path, skill: str, found: list[Fault]) -> Checklist | None:
    """The checklist of one skill; None where its file cannot be read at all."""
    notes = Notes(f"{directory.name}/practical/{skill}.yaml", found)
    text = files.text(directory / "practical" / f"{skill}.yaml", notes)
    tree = yaml_text.load(text, notes) if text is not None else None
    if tree is None:
        return None
    at = Fields(tree, notes)
    at.known(("id", "title", "minutes", "needs", "pass", "steps", "source"))
    if at.id() not in ("", skill):
        at.bad("id", _("must be the name of the file, %(name)s", name=skill))
    steps = _steps(at)
    if steps and not any(step.required for step in steps):
        at.bad("steps", _("none is required; say at which step a mistake means that the skill is not mastered"))
    return Checklist(
        id=skill,
        title=at.phrase("title"),
        minutes=at.whole("minutes", 1, 480),
        needs=at.phrase("needs", required=False),
        others=_others(at),
        steps=steps,
        source=at.phrase("source"),
    )


def _others(at: Fields) -> int:
    """Per cent of the steps that are not required."""
    if (rule := at.part("pass")) is None:
        return 100
    rule.known(("required", "of_others"))
    rule.choice("required", ("all",))
    return rule.whole("of_others", 0, 100, 100)


def _steps(at: Fields) -> tuple[Step, ...]:
    made: list[Step] = []
    for step in at.parts("steps", 2, MOST_STEPS):
        step.known(("id", "zh", "en", "required", "hint"))
        name = step.id()
        if name and any(name == other.id for other in made):
            step.bad("id", _("%(id)s stands twice", id=name))
        made.append(Step(name, Phrase(step.text("zh"), step.text("en")), step.phrase("hint", required=False),
                         step.yes("required", default=False)))
    return tuple(made)
