"""What the settings of an SMPP carrier say. A line of text each in `docs/carriers.md`."""

from __future__ import annotations

import re
import ssl
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field, SecretStr, field_validator, model_validator

from portal.channels.sms.lines.address import make_trust
from portal.channels.sms.lines.options import LineOptions, Secret, Text
from portal.channels.sms.smpp_delivered import Numbers
from portal.channels.sms.smpp_errors import Meaning

#: SMPP's types of number (5.2.5).
INTERNATIONAL, SHORT_CODE, LETTERS = 1, 3, 5
_UNKNOWN_PLAN, _TELEPHONE_PLAN = 0, 1


class SmppOptions(LineOptions):
    """How one carrier is spoken to. Lengths are those of SMPP 3.4, less the zero octet at the end."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, ignored_types=(cached_property,))

    kind: Literal["smpp"] = "smpp"
    #: The carrier's window: units that may wait for its answer. Ten is what most allow whoever has agreed on nothing.
    max_in_flight: int = Field(10, ge=1, le=4000)
    host: Text = Field(min_length=1, max_length=253)
    port: int = Field(2775, ge=1, le=65535)
    tls: bool = False
    tls_ca: Path | None = Field(None, description="Certificates that are believed beside the system's.")
    system_id: Text = Field(min_length=1, max_length=15)
    password: Secret = SecretStr("")
    system_type: str = Field("", max_length=12)
    service_type: str = Field("", max_length=5)
    source: str = Field("", max_length=20, description="The sender that phones show: a number, a short code, or letters.")
    source_ton: int | None = Field(None, ge=0, le=6)
    source_npi: int | None = Field(None, ge=0, le=18)
    destination_ton: int = Field(INTERNATIONAL, ge=0, le=6)
    destination_npi: int = Field(_TELEPHONE_PLAN, ge=0, le=18)
    only_ucs2: bool = Field(False, description="For carriers whose default alphabet is not GSM's.")
    long: Literal["udh", "sar", "payload"] = Field("udh", description="How parts of a long text are joined.")
    validity: Literal["absolute", "relative", "none"] = "absolute"
    receipts: bool = True
    numbers_in_answers: Numbers = "text"
    numbers_in_receipts: Numbers = "text"
    meanings: dict[int, Meaning] = Field(default_factory=dict, description="What the carrier's own error codes mean.")
    enquire_seconds: float = Field(30, ge=0.05, le=600)
    answer_seconds: float = Field(10, ge=0.05, le=120)

    @field_validator("system_id", "system_type", "service_type", "source")
    @classmethod
    def _plain(cls, value: str) -> str:
        if not re.fullmatch(r"[\x20-\x7e]*", value):
            raise ValueError("only plain characters can be told to the carrier")
        return value

    @field_validator("password")
    @classmethod
    def _short(cls, value: SecretStr) -> SecretStr:
        if not re.fullmatch(r"[\x20-\x7e]{0,8}", value.get_secret_value()):
            raise ValueError("SMPP has room for 8 plain characters")
        return value

    @field_validator("meanings", mode="before")
    @classmethod
    def _codes(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {int(key, 0) if isinstance(key, str) and re.fullmatch(r"0x[0-9a-fA-F]{1,8}|\d{1,10}", key) else key: meaning
                for key, meaning in value.items()}

    @model_validator(mode="after")
    def _readable_certificates(self) -> SmppOptions:
        if self.tls_ca is not None and not self.tls_ca.is_file():
            raise ValueError("tls_ca: there is no such file")
        return self

    @property
    def source_address(self) -> tuple[int, int, str]:
        """Type of number, plan and the sender as the carrier is told: what the settings leave open is told by the sender."""
        digits = self.source.removeprefix("+")
        if self.source and not digits.isdigit():
            kind, plan, sender = LETTERS, _UNKNOWN_PLAN, self.source
        elif 0 < len(digits) <= 8 and not self.source.startswith("+"):
            kind, plan, sender = SHORT_CODE, _UNKNOWN_PLAN, digits
        elif digits:
            kind, plan, sender = INTERNATIONAL, _TELEPHONE_PLAN, digits
        else:
            kind, plan, sender = 0, 0, ""
        return _told(self.source_ton, kind), _told(self.source_npi, plan), sender

    @cached_property
    def tls_context(self) -> ssl.SSLContext | None:
        if not self.tls:
            return None
        context = make_trust()
        if self.tls_ca is not None:
            context.load_verify_locations(self.tls_ca)
        return context


def _told(setting: int | None, guess: int) -> int:
    return guess if setting is None else setting
