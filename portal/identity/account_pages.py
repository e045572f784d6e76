"""The administrator's pages: who has an account, and what it may do."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask_babel import gettext as _

from portal.core.db import db
from portal.core.errors import Conflict, Forbidden, Invalid
from portal.identity import accounts, forms, listing, passwords, words
from portal.identity.guard import current_account, signed_in
from portal.identity.models import Account
from portal.identity.rights import ADMINISTRATOR
from portal.identity.sign_in import locked


def register(blueprint: Blueprint) -> None:
    rule = blueprint.add_url_rule
    rule("/accounts/", "accounts", list_page)
    rule("/accounts/new", "account_new", new_page, methods=["GET", "POST"])
    rule("/accounts/<uuid:account_id>", "account", account_page)
    rule("/accounts/<uuid:account_id>/duties", "duty_add", duty_add, methods=["POST"])
    rule(
        "/accounts/<uuid:account_id>/duties/<uuid:duty_id>/remove",
        "duty_remove",
        duty_remove,
        methods=["POST"],
    )
    rule("/accounts/<uuid:account_id>/password", "password_reset", password_reset, methods=["POST"])
    rule(
        "/accounts/<uuid:account_id>/<any(deactivate, reactivate, unlock):act>",
        "account_act",
        account_act,
        methods=["POST"],
    )


@signed_in(ADMINISTRATOR)
def list_page() -> Any:
    by = _by()
    search, state = request.args.get("search", ""), request.args.get("state", "")
    found = listing.find(by, search, state, request.args.get("page", 1, type=int))
    return render_template(
        "identity/accounts.html",
        found=found,
        search=search,
        state=state,
        by=by,
        locked=locked,
        names=words.region_names(found.accounts),
    )


@signed_in(ADMINISTRATOR)
def new_page() -> Any:
    by, form = _by(), forms.AccountForm()
    _offer(form, by)
    if form.validate_on_submit():
        password = form.password.data or passwords.generate()
        try:
            account = accounts.create(
                by, form.username.data, form.display_name.data, password, [_grant(form)]
            )
        except Invalid as refusal:
            forms.show(form, refusal)
        else:
            # Shown in the answer itself and never again: no address to come back to, no copy on the server.
            return render_template(
                "identity/password_shown.html", office=account, password=password, created=True
            )
    return render_template("identity/account_new.html", form=form, shortest=passwords.SHORTEST), _status()


@signed_in(ADMINISTRATOR)
def account_page(account_id: uuid.UUID) -> Any:
    return _account(account_id)


@signed_in(ADMINISTRATOR)
def duty_add(account_id: uuid.UUID) -> Any:
    by, form = _by(), forms.DutyForm()
    _offer(form, by)
    if form.validate_on_submit():
        try:
            accounts.add_duty(by, account_id, _grant(form))
            return _back(account_id)
        except Invalid as refusal:
            forms.show(form, refusal)
    return _account(account_id, duty_form=form)


@signed_in(ADMINISTRATOR)
def duty_remove(account_id: uuid.UUID, duty_id: uuid.UUID) -> Any:
    return _act(account_id, lambda by: accounts.remove_duty(by, account_id, duty_id))


@signed_in(ADMINISTRATOR)
def account_act(account_id: uuid.UUID, act: str) -> Any:
    rule = {"deactivate": accounts.deactivate, "reactivate": accounts.reactivate, "unlock": accounts.unlock}[
        act
    ]
    return _act(account_id, lambda by: rule(by, account_id))


@signed_in(ADMINISTRATOR)
def password_reset(account_id: uuid.UUID) -> Any:
    by, form = _by(), forms.ResetForm()
    if form.validate_on_submit():
        password = form.password.data or passwords.generate()
        try:
            account = accounts.reset_password(by, account_id, password)
        except Invalid as refusal:
            forms.show(form, refusal)
        else:
            return render_template(
                "identity/password_shown.html", office=account, password=password, created=False
            )
    return _account(account_id, reset_form=form)


def _by() -> Account:
    account = current_account()
    if account is None:
        abort(401)
    return account


def _status() -> int:
    return 422 if request.method == "POST" else 200


def _grant(form: forms.DutyForm) -> accounts.Grant:
    return accounts.Grant(form.role.data, form.region_code.data, form.highest_tier.data)


def _offer(form: forms.DutyForm, by: Account) -> None:
    """Offer what this administrator may grant, and no more."""
    nothing = [("", _("Please choose"))]
    form.role.choices = nothing + words.role_choices()
    form.region_code.choices = nothing + words.region_choices(by)
    form.highest_tier.choices = nothing + words.tier_choices(by)


def _back(account_id: uuid.UUID) -> Any:
    return redirect(url_for("identity.account", account_id=account_id))


def _act(account_id: uuid.UUID, rule: Any) -> Any:
    """Do it, and show the account again, with the refusal on top if it was refused."""
    try:
        rule(_by())
    except Conflict as refusal:
        return _account(account_id, refusal=refusal.message, status=409)
    return _back(account_id)


def _account(
    account_id: uuid.UUID,
    *,
    duty_form: forms.DutyForm | None = None,
    reset_form: forms.ResetForm | None = None,
    refusal: Any = None,
    status: int | None = None,
) -> Any:
    by, account = _by(), db.session.get(Account, account_id)
    if account is None:
        abort(404)
    own = account.id == by.id
    if not own and not accounts.within(by, account):
        raise Forbidden(accounts.beyond())
    if duty_form is None:
        # Not filled from what another form of the page sent.
        duty_form = forms.DutyForm(formdata=None)
        _offer(duty_form, by)
    return render_template(
        "identity/account.html",
        office=account,
        own=own,
        by=by,
        locked=locked(account),
        duty_form=duty_form,
        reset_form=reset_form or forms.ResetForm(formdata=None),
        refusal=refusal,
        names=words.region_names([account]),
        shortest=passwords.SHORTEST,
    ), status or _status()
