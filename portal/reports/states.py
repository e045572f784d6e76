"""Where a report stands, and which steps staff may take from there: the one table that decides."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l

from portal.reports.models import ACCEPTED, ACTING, CLOSED, DECLINED, DUPLICATE, NEW, RESOLVED, SPAM

#: From a state to those that may follow. To DUPLICATE one comes by merging only.
MOVES: dict[str, tuple[str, ...]] = {
    NEW: (ACCEPTED, ACTING, RESOLVED, DECLINED, SPAM),
    ACCEPTED: (ACTING, RESOLVED, DECLINED, SPAM),
    ACTING: (RESOLVED, ACCEPTED, DECLINED),
    RESOLVED: (ACTING,),
    DECLINED: (ACCEPTED,),
    DUPLICATE: (ACCEPTED,),
    SPAM: (NEW,),
}
LABELS: dict[str, Any] = {
    NEW: _l("New"), ACCEPTED: _l("Accepted"), ACTING: _l("Being dealt with"), RESOLVED: _l("Settled"),
    DECLINED: _l("Not taken up"), DUPLICATE: _l("Known already"), SPAM: _l("Spam"),
}
#: What the button says that leads there.
VERBS: dict[str, Any] = {
    NEW: _l("It is no spam"), ACCEPTED: _l("Accept it"), ACTING: _l("Say that it is being dealt with"),
    RESOLVED: _l("Mark it settled"),
    DECLINED: _l("Do not take it up"), SPAM: _l("It is spam"),
}
ICONS: dict[str, str] = {NEW: "●", ACCEPTED: "◔", ACTING: "◑", RESOLVED: "✓", DECLINED: "–", DUPLICATE: "=", SPAM: "✕"}
#: What the reporter reads. That somebody held it for spam is not said.
TOLD: dict[str, Any] = {
    NEW: _l("It has arrived, and waits for a decision."),
    ACCEPTED: _l("Staff have read it and took it up."),
    ACTING: _l("Somebody is dealing with it."),
    RESOLVED: _l("It is settled. Thank you."),
    DECLINED: _l("Staff have read it and did not take it up."),
    DUPLICATE: _l("Others had reported the same; it is dealt with together with theirs."),
    SPAM: _l("Staff have read it and did not take it up."),
}
#: To these one must say why, because the reporter is told so.
NEEDS_WORDS = (DECLINED,)
OPEN = tuple(state for state in MOVES if state not in CLOSED)
