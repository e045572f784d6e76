"""The pages where people sign in, sign out and change their password."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for

from portal.core.errors import Invalid
from portal.identity import account_pages, demo, forms, passwords, rights, sessions, sign_in, words
from portal.identity.guard import current_account, signed_in
from portal.identity.limits import SIGN_IN_LIMIT, address, limiter
from portal.web.asked import local_path

FIRST_PAGE = "/desk/"


def make_blueprint() -> Blueprint:
    blueprint = Blueprint(
        "identity",
        __name__,
        url_prefix="/desk",
        template_folder="templates",
        static_folder="static",
        static_url_path="/identity/static",
    )
    blueprint.add_url_rule("/sign-in", "sign_in", sign_in_page)
    blueprint.add_url_rule("/sign-in", "sign_in_post", sign_in_post, methods=["POST"])
    blueprint.add_url_rule("/sign-out", "sign_out", sign_out_page, methods=["GET", "POST"])
    blueprint.add_url_rule("/password", "password", password_page, methods=["GET", "POST"])
    account_pages.register(blueprint)
    blueprint.app_context_processor(
        lambda: {
            "current_account": current_account,
            "has_role": rights.has_role,
            "duty_words": words.duty_words,
        }
    )
    return blueprint


def sign_in_page() -> Any:
    g.surface = "desk"
    target = local_path(request.args.get("next"), FIRST_PAGE)
    if current_account() is not None:
        return redirect(target)
    return _sign_in(forms.SignInForm(), target)


@limiter.limit(SIGN_IN_LIMIT)
def sign_in_post() -> Any:
    g.surface = "desk"
    form = forms.SignInForm()
    target = local_path(request.form.get("next"), FIRST_PAGE)
    if not form.validate_on_submit():
        return _sign_in(form, target), 422
    try:
        account, row = sign_in.sign_in(form.username.data, form.password.data, address())
    except Invalid as refusal:
        form.form_errors.extend(problem.message for problem in refusal.problems)
        return _sign_in(form, target), 422
    sessions.begin(account, row)
    if account.must_change_password:
        return redirect(url_for("identity.password", next=target))
    return redirect(target)


@signed_in()
def sign_out_page() -> Any:
    account = current_account()
    if request.method == "GET" or account is None:
        return render_template("identity/sign_out.html")
    sign_in.sign_out(account)
    return redirect(url_for("identity.sign_in"))


@signed_in()
def password_page() -> Any:
    account = current_account()
    assert account is not None  # noqa: S101  (the guard saw to it)
    form = forms.PasswordForm()
    target = local_path(request.values.get("next"), FIRST_PAGE)
    if form.validate_on_submit():
        try:
            row = sign_in.change_password(account, form.old_password.data, form.password.data, address())
        except Invalid as refusal:
            forms.show(form, refusal)
        else:
            sessions.begin(account, row)
            return render_template("identity/password_changed.html", target=target)
    status = 422 if request.method == "POST" else 200
    return render_template(
        "identity/password.html",
        form=form,
        target=target,
        account=account,
        shortest=passwords.SHORTEST,
        longest=passwords.LONGEST,
    ), status


def _sign_in(form: forms.SignInForm, target: str) -> str:
    return render_template(
        "identity/sign_in.html",
        form=form,
        target=target,
        any_account=sign_in.any_account(),
        demo_password=demo.PASSWORD,
        demo_accounts=[(name, what) for name, _word, what in demo.known()],
    )
