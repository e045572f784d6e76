"""What a draft would do, in numbers and in one sentence: the words on the button that does it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from flask_babel import format_decimal, get_locale, ngettext
from flask_babel import gettext as _

from portal import current_settings
from portal.core.clock import utcnow
from portal.dispatch import progress
from portal.dispatch.models import PUSH, SMS, SPEAKERS
from portal.regions import codes, lookup
from portal.subscribers.matter import Matter, matter_of
from portal.warnings import hazards, target
from portal.warnings.models import ALERT, CANCEL, UPDATE, Draft
from portal.warnings.target import Reach
from portal.web.show import tier_label


def title(draft: Any) -> str:
    """“暴雨红色预警”: of a draft, its content or a warning. A drill says so."""
    name = {"hazard": hazards.catalogue().name(draft.hazard, _language()), "tier": tier_label(draft.tier)}
    kind = getattr(draft, "kind", ALERT)
    text = {ALERT: _("%(tier)s warning: %(hazard)s", **name), UPDATE: _("update to the %(tier)s warning: %(hazard)s", **name),
            CANCEL: _("all-clear of the %(tier)s warning: %(hazard)s", **name)}[kind]
    return _("drill: %(title)s", title=text) if draft.exercise else text


def places(region_codes: Sequence[str]) -> str:
    """“2 个街道和 3 个社区”; the name where it is one region."""
    if len(region_codes) == 1:
        node = lookup.get(region_codes[0])
        return node.name(_language()) if node else region_codes[0]
    levels = Counter(codes.level_of(code) for code in region_codes)
    parts = [
        ngettext("%(num)d district", "%(num)d districts", n) if level in ("district", "city", "province")
        else ngettext("%(num)d subdistrict", "%(num)d subdistricts", n) if level == "street"
        else ngettext("%(num)d community", "%(num)d communities", n)
        for level in codes.LEVELS if (n := levels[level])]
    return joined(parts)


def joined(parts: Sequence[str]) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return _("%(list)s and %(last)s", list=_(", ").join(parts[:-1]), last=parts[-1])


def people(n: int) -> str:
    return ngettext("%(number)s person", "%(number)s people", n, number=format_decimal(n))


def subscribers(n: int) -> str:
    return ngettext("%(number)s SMS subscriber", "%(number)s SMS subscribers", n, number=format_decimal(n))


def horns(n: int) -> str:
    return ngettext("%(number)s loudspeaker", "%(number)s loudspeakers", n, number=format_decimal(n))


def devices(n: int) -> str:
    return ngettext("%(number)s device with notifications", "%(number)s devices with notifications", n, number=format_decimal(n))


def matter(hazard: str, tier: str, *, exercise: bool) -> Matter:
    """What subscribers decide by, were it issued at this moment."""
    return matter_of(hazard, tier, exercise=exercise, at=utcnow(), zone=current_settings().timezone)


def deed(draft: Draft, reach: Reach) -> str:
    """What approving does, as the button says it."""
    if draft.kind == CANCEL:
        told = _told_before(draft)
        return _("Issue the %(title)s to those who were told: %(whom)s", title=title(draft), whom=told) if told \
            else _("Issue the %(title)s", title=title(draft))
    whom = [people(reach.people)]
    chosen = draft.target.get("channels", target.OPTIONAL_CHANNELS)
    if "sms" in chosen:
        whom.append(subscribers(sum(reach.subscribers.values())))
    if "speakers" in chosen:
        whom.append(horns(reach.horns))
    if "push" in chosen and reach.devices:
        whom.append(devices(reach.devices))
    return _("To %(places)s: issue the %(title)s to %(whom)s", places=places(draft.region_codes), title=title(draft),
             whom=joined(whom))


def _told_before(draft: Draft) -> str:
    """Whom the warning reached so far: an all-clear goes to exactly them. Empty when nobody was told by these channels."""
    if draft.warning_id is None:
        return ""
    most: Counter[str] = Counter()
    for dispatches in progress.of_warning(draft.warning_id).values():
        for found in dispatches:
            most[found.dispatch.channel] = max(most[found.dispatch.channel], found.accepted)
    told = ((SMS, subscribers), (SPEAKERS, horns), (PUSH, devices))
    return joined([say(most[channel]) for channel, say in told if most[channel]])


def _language() -> str:
    locale = get_locale()
    return locale.language if locale else "zh"
