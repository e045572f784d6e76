"""Who is at the desk, and the door in front of each of its pages."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from flask import Response, g, redirect, render_template, request, url_for
from flask_babel import gettext as _

from portal.core.errors import Forbidden
from portal.identity import sessions
from portal.identity.models import Account
from portal.identity.rights import has_role

View = TypeVar("View", bound=Callable[..., Any])


def current_account() -> Account | None:
    """The active account that is signed in here, or None. Cheap to ask again within a request.

    Inside `transaction()` its attributes are read afresh, so that a duty that was removed in between counts.
    """
    return sessions.account_here()


def signed_in(*roles: str, touch: bool = True) -> Callable[[View], View]:
    """A view for people who are signed in, and hold one of the `roles` somewhere (none named: any active
    account).

    Nobody signed in: a GET is sent to sign in and comes back afterwards; anything else answers 401. Without
    the role: 403. `touch=False` is for what a page asks for by itself (polling): it does not keep a session
    alive. Only whether a role is held at all is asked here; the region and the tier are asked by the rule
    that acts.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            g.surface = "desk"
            account = current_account()
            if account is None:
                return _sign_in_first()
            if account.must_change_password and request.endpoint not in (
                "identity.password",
                "identity.sign_out",
            ):
                return redirect(url_for("identity.password"))
            if roles and not has_role(account, *roles):
                raise Forbidden(_("Your account has no duty that allows this."))
            if touch:
                sessions.touch()
            return view(*args, **kwargs)

        return guarded  # type: ignore[return-value]

    return decorate


def _sign_in_first() -> Any:
    if request.headers.get("HX-Request") == "true":
        # A piece of a page cannot show a sign-in form: the whole page goes there.
        return Response(status=401, headers={"HX-Redirect": url_for("identity.sign_in")})
    if request.method in ("GET", "HEAD"):
        here = request.full_path if request.query_string else request.path
        return redirect(url_for("identity.sign_in", next=here))
    return render_template("identity/signed_out.html"), 401
