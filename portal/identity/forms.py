"""Forms of the identity pages. They bound what is typed; whether it is right, the rules say."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import Field, PasswordField, SelectField, StringField
from wtforms.validators import EqualTo, InputRequired, Length, ValidationError

from portal.core.errors import Invalid

MISSING = _l("Fill in this field.")


def _needed(longest: int) -> list[Any]:
    return [InputRequired(MISSING), Length(max=longest, message=_l("This is too long."))]


class SignInForm(FlaskForm):
    username = StringField(_l("User name"), _needed(200))
    password = PasswordField(_l("Password"), _needed(500))


class PasswordForm(FlaskForm):
    old_password = PasswordField(_l("Present password"), _needed(500))
    password = PasswordField(_l("New password"), _needed(500))
    repeat = PasswordField(
        _l("New password once more"),
        [*_needed(500), EqualTo("password", _l("The two new passwords differ. Type them again."))],
    )


class ChoiceField(SelectField):
    """A selection whose refusal is said in our words and languages."""

    def pre_validate(self, form: Any) -> None:
        if self.data not in {value for value, _label, *_rest in self.iter_choices()}:
            raise ValidationError(_l("Choose one of the list."))


class DutyForm(FlaskForm):
    role = ChoiceField(_l("Role"))
    region_code = ChoiceField(_l("Region"))
    highest_tier = ChoiceField(_l("Highest tier"))


class AccountForm(DutyForm):
    username = StringField(_l("User name"), _needed(64))
    display_name = StringField(_l("Office"), _needed(80))
    password = StringField(_l("Temporary password"), [Length(max=500, message=_l("This is too long."))])


class ResetForm(FlaskForm):
    password = StringField(_l("Temporary password"), [Length(max=500, message=_l("This is too long."))])


class ActForm(FlaskForm):
    """A button: nothing but its protection against forgery."""


def show(form: FlaskForm, refusal: Invalid) -> None:
    """Put what a rule refused at the fields that it names; the rest at the form as a whole."""
    for problem in refusal.problems:
        field: Field | None = form._fields.get(problem.field)
        if field is None:
            form.form_errors.append(problem.message)
        else:
            field.errors = [*field.errors, problem.message]
