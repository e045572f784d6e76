"""A door that opens by a one-time code, as pages: first the phone is typed, then the code that it received."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask_babel import gettext as _

from portal.channels.sms import codes
from portal.channels.sms.passes import Pass
from portal.core.errors import Invalid, Problem
from portal.core.phones import parse
from portal.identity.limits import limiter


def _was_wrong(answer: Response) -> bool:
    """A right code costs the address nothing: people behind one do not lock each other out."""
    return answer.status_code != 302


@dataclass(frozen=True)
class DoorPages:
    """The pages of one door. `template` gets `problems` and either `phone` (as typed: the form for it) or `number` (E.164: the
    form for the code), `trouble` (see :func:`codes.trouble`) and what `more` gives. `ask` sends a code to a number and raises
    Invalid where there were too many; `enter` gives the secret of the cookie for a number and a code, or None; `home`: where
    to, once inside."""

    purpose: str
    cookie: Pass
    template: str
    ask: Callable[[str], None]
    enter: Callable[[str, str], str | None]
    leave: Callable[[], None]
    is_inside: Callable[[], bool]
    home: Callable[[], str]
    more: Callable[[], Mapping[str, Any]] = dict

    def register(self, blueprint: Blueprint) -> None:
        """The door's addresses, as ``sign_in``, ``ask_code``, ``enter`` and ``sign_out`` of the blueprint."""
        rule = blueprint.add_url_rule
        rule("/sign-in", "sign_in", self._sign_in)
        rule("/sign-in", "ask_code", limiter.limit(codes.SEND_LIMIT)(self._ask), methods=["POST"])
        rule("/code", "enter", limiter.limit(codes.CHECK_LIMIT, deduct_when=_was_wrong)(self._enter), methods=["POST"])
        rule("/sign-out", "sign_out", self._sign_out, methods=["POST"])

    def _sign_in(self) -> Any:
        return redirect(self.home()) if self.is_inside() else self._form()

    def _form(self, problems: Sequence[Problem] = (), *, phone: str = "", number: str = "", status: int = 200) -> Any:
        return render_template(self.template, problems=problems, phone=phone, number=number, trouble=codes.trouble(self.purpose),
                               **self.more()), status

    def _ask(self) -> Any:
        phone = request.form.get("phone", "")[:40]
        try:
            number = parse(phone.strip())
        except ValueError:
            problem = Problem("phone", _("This cannot be a phone number. Write it as 13800000000 or +8613800000000."))
            return self._form([problem], phone=phone, status=422)
        try:
            self.ask(number)
        except Invalid as refusal:
            # Whoever asked a moment ago has a code on its way: the form for it stays at hand.
            return self._form([Problem("code", problem.message) for problem in refusal.problems], number=number, status=422)
        return self._form(number=number)

    def _enter(self) -> Any:
        try:
            number = parse(request.form.get("phone", "")[:40].strip())
        except ValueError:
            return redirect(url_for(".sign_in"))
        secret = self.enter(number, request.form.get("code", "")[:20])
        if secret is None:
            problem = Problem("code", _("This code does not open the door: it is wrong, older than 10 minutes, or was tried too"
                                        " often. Try again, or ask for a new one."))
            return self._form([problem], number=number, status=422)
        return self.cookie.hand_over(redirect(self.home()), secret)  # type: ignore[arg-type]

    def _sign_out(self) -> Any:
        self.leave()
        return self.cookie.hand_over(redirect(url_for(".sign_in")), "")  # type: ignore[arg-type]
