"""Every setting of the portal, read once from the environment, typed, validated and documented.

A setting is a field of :class:`Settings`; its environment variable is ``ANLAN_`` and the field's name in
capitals (``ANLAN_DATABASE_URL``). ``docs/configuration.md`` is written from the descriptions below and a test
holds the two together. A few well-known names (``PORT``, ``SURFACES``) are read without the prefix as well.
"""

from __future__ import annotations

import re
import sys
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

ROOT = Path(__file__).resolve().parent.parent
TIERS = ("white", "blue", "yellow", "orange", "red")
SURFACES = ("site", "desk", "api", "hooks")
SHORTEST_SECRET = 32
DATABASE_FILE = "anlan.db"

CommaList = Annotated[tuple[str, ...], NoDecode]
HourList = Annotated[tuple[int, ...], NoDecode]


class Settings(BaseSettings):
    """The settings of one process. Construction fails with a list of what is wrong, field by field."""

    # An error names the setting and not its value, which may be a secret.
    model_config = SettingsConfigDict(
        env_prefix="ANLAN_", extra="ignore", frozen=True, populate_by_name=True, hide_input_in_errors=True
    )

    # -- where things are -------------------------------------------------------------------------
    instance: Path = Field(ROOT / "instance", description="Directory for the SQLite database, keys and rendered pages.")
    database_url: str = Field(
        "", repr=False, description="SQLAlchemy URL; empty means SQLite in the instance directory."
    )
    content: Path = Field(ROOT / "content", description="Directory of hazards, templates and demonstration data.")
    host: str = Field("127.0.0.1", description="Address that the web server listens on.")
    port: int = Field(
        8000,
        ge=1,
        le=65535,
        validation_alias=AliasChoices("ANLAN_PORT", "PORT"),
        description="Port that the web server listens on; `PORT` works too.",
    )
    public_url: str = Field(
        "",
        description="How residents and carriers reach this server, e.g. `https://warn.example`."
        " Empty: `http://localhost:PORT`; carriers' callbacks then cannot arrive.",
    )
    surfaces: CommaList = Field(
        SURFACES,
        validation_alias=AliasChoices("ANLAN_SURFACES", "SURFACES"),
        description="What this process serves: `site`, `desk`, `api`, `hooks`, comma separated.",
    )
    web_threads: int = Field(8, ge=1, le=256, description="Threads of a web server's process.")
    web_server: Literal["waitress", "granian"] = Field(
        "waitress", description="What `anlan web` serves with: `granian` answers many times as many readers at once,"
        " `waitress` is pure Python.")
    web_processes: int = Field(
        1, ge=1, le=64, description="Processes of `anlan web` with granian, one for each core that it may use.")
    trusted_proxies: int = Field(0, ge=0, le=5, description="Reverse proxies in front, whose forwarded headers are believed.")

    # -- secrets ----------------------------------------------------------------------------------
    secret_key: SecretStr = Field(
        SecretStr(""),
        description="Signs sessions and the audit trail; 32 random bytes or more."
        " Empty: made once and kept in the instance directory.",
    )
    phone_key: SecretStr = Field(
        SecretStr(""),
        description="Encrypts phone numbers at rest (32 bytes as hex)."
        " Empty: made once and kept in the instance directory. Losing it loses the numbers.",
    )
    speaker_key: SecretStr = Field(
        SecretStr(""),
        description="Signs what loudspeakers are told (Ed25519, 32 bytes as"
        " hex). Empty: made once and kept in the instance directory. Devices hold its public half.",
    )
    push_key: SecretStr = Field(
        SecretStr(""),
        description="Tells push services who sends (P-256, 32 bytes as hex). Empty: made once and kept in the instance"
        " directory. Browsers that asked for notifications are bound to it: with another key they must ask again.",
    )
    certificate_keys: str = Field(
        "",
        description="Directory of the keys that sign certificates (RSA, PEM). Empty: `certificate_keys` in the instance"
        " directory, with a first key made once. Copy it along: without it certificates cannot be verified.",
    )

    # -- the district -----------------------------------------------------------------------------
    demo: bool = Field(False, description="Demonstration mode: sample district, accounts, sandbox, simulated speakers.")
    district: str = Field("440310000000", pattern=r"^\d{12}$", description="Code of the region that this portal serves.")
    timezone: str = Field("Asia/Shanghai", description="Zone in which times are shown and typed.")
    authority_zh: str = Field("坪山区应急管理局（演示）", description="Name of the issuing authority in Chinese.")
    authority_en: str = Field(
        "Pingshan Emergency Management Bureau (demonstration)", description="Name of the issuing authority in English."
    )
    sms_signature: str = Field("坪山应急", description="Signature in front of Chinese text messages, without brackets.")
    unit_code: str = Field(
        "44031041600000", pattern=r"^\d{14}$", description="14-digit unit code that begins each bulletin's identifier."
    )
    cap_sender: str = Field(
        "warning@pingshan.example",
        pattern=r"^[^\s,<&]+$",
        description="CAP `sender`: an address or domain that is this authority's own.",
    )

    # -- who must agree ---------------------------------------------------------------------------
    two_people_tiers: CommaList = Field(("orange", "red"), description="Tiers whose real bulletins need two different people.")
    two_people_exercises: bool = Field(False, description="Whether exercises of those tiers need two people as well.")
    max_duration_hours: int = Field(72, ge=1, le=720, description="Longest time from onset to expiry of one bulletin.")
    session_hours: float = Field(12, gt=0, le=72, description="Hours after which an operator signs in again.")
    session_idle_minutes: int = Field(60, ge=1, description="Minutes without a request after which a session ends.")
    lockout_attempts: int = Field(5, ge=2, le=20, description="Failed sign-ins after which an account is locked.")
    lockout_minutes: int = Field(15, ge=1, le=1440, description="How long a locked account stays locked.")

    # -- dispatch ---------------------------------------------------------------------------------
    batch_size: int = Field(1000, ge=1, le=5000, description="Most recipients in a batch.")
    flush_size: int = Field(250, ge=1, le=1500, description="Outcomes written at once.")
    max_in_flight: int = Field(
        400, ge=1, le=4000, description="Most hand-overs to one carrier that a process has in flight; it begins with few and"
        " finds by itself how many the carrier bears.")
    most_doubled: int = Field(
        2500, ge=1, le=10_000, description="Hand-overs of a process that are in flight, or answered and not yet written, at most."
        " A process that is killed may send so many twice.")
    lease_seconds: int = Field(30, ge=2, le=600, description="How long a batch stays with a worker that has gone silent.")
    retry_seconds: float = Field(5, gt=0, le=300, description="First pause after a passing error; it doubles up to a minute.")
    receipt_timeout_minutes: int = Field(
        60, ge=1, description="After this, an accepted message without a receipt counts as silent."
    )

    broker_url: str = Field(
        "", repr=False, description="RabbitMQ that wakes workers, e.g. `amqp://anlan:…@broker/anlan`. Empty: workers look for"
        " work themselves, each second.")
    log_format: Literal["text", "json"] = Field(
        "text", description="How processes tell their log: `text` for people, `json` (a line an object) for what gathers logs."
        " No telephone number is ever in it.")
    metrics_port: int = Field(
        0, ge=0, le=65535, description="Port on which this process tells its metrics to Prometheus; 0: none.")
    metrics_host: str = Field("127.0.0.1", description="Address for that port.")
    alarm_seconds: int = Field(
        60, ge=5, le=3600, description="After so many seconds in which nothing moves that should, the alarm is raised.")
    alarm_url: str = Field(
        "", repr=False, description="Address that is sent each alarm, and its end, as JSON by POST.")
    heartbeat_url: str = Field(
        "", repr=False, description="Address that is asked once a minute as long as all is well, as dead-man's switches want it.")

    # -- SMS --------------------------------------------------------------------------------------
    sms_lines: Path | None = Field(
        None, description="File in TOML with several carriers or senders between which text messages are shared out. Without it"
        " there is the one that these settings name.")
    sms_rate: float = Field(
        0, ge=0, le=100_000, description="Most text messages a second that one process hands over to the one carrier; 0: as many"
        " as it takes.")
    sms_provider: Literal["sandbox", "twilio"] = Field("sandbox", description="Who carries text messages.")
    sms_number: str = Field(
        "", description="The number that residents write to, as pages show it. Empty: the sender number, where there is one."
    )
    sms_max_segments: int = Field(10, ge=1, le=20, description="Longest text message, in segments.")
    sms_price_per_segment: float = Field(0.05, ge=0, description="Price of one segment, for the estimate shown before approval.")
    sms_currency: str = Field("CNY", description="Currency of that price.")
    twilio_account_sid: str = Field("", description="Twilio account (AC…).")
    twilio_auth_token: SecretStr = Field(SecretStr(""), description="Twilio auth token; also verifies callbacks.")
    twilio_messaging_service_sid: str = Field("", description="Messaging Service (MG…) to send through.")
    twilio_from: str = Field("", description="Sender number, where there is no Messaging Service.")
    twilio_api_url: str = Field("", description="Another base address for Twilio's API (a proxy, a test carrier).")
    twilio_timeout: float = Field(10, gt=0, le=60, description="Seconds until a request to Twilio is given up.")
    twilio_answers_keywords: bool = Field(
        True, description="Whether Twilio itself answers who writes STOP, START or HELP, as it does unless that is switched off"
        " there. The portal acts on these words and leaves the answer to Twilio.")
    sms_answers_per_phone: int = Field(
        20, ge=1, le=1000, description="Answers in 24 hours to one phone that writes to the portal. Leaving works beyond that.")
    sms_answers_per_day: int = Field(
        20_000, ge=1, description="Answers in 24 hours to all phones together: what they cost is bounded by this.")

    # -- notifications ----------------------------------------------------------------------------
    push_services: CommaList = Field(
        ("fcm.googleapis.com", "*.push.services.mozilla.com", "*.push.apple.com", "*.notify.windows.com"),
        description="Hosts of the push services to which browsers' notifications may be sent, comma separated; `*.` stands for"
        " any first part. A whole address (`http://127.0.0.1:9000`) is a service of one's own. Empty: no notifications.",
    )
    push_in_flight: int = Field(
        100, ge=2, le=1000, description="Requests to push services in flight per process; one service has at most half of them.")
    push_timeout: float = Field(5, gt=0, le=60, description="Seconds until a request to a push service is given up.")
    push_threads: int = Field(4, ge=1, le=16, description="Batches of notifications sent at the same time by one process.")
    push_new_per_address: int = Field(
        500, ge=1, description="Browsers of one network address that may ask for notifications in a day. Many phones share one.")

    # -- loudspeakers -----------------------------------------------------------------------------
    mqtt_url: str = Field(
        "",
        repr=False,
        description="Broker of the loudspeakers, `mqtt://user:password@host:1883` or `mqtts://…`."
        " Empty: in demonstration mode one is embedded; otherwise there are no loudspeakers.",
    )
    mqtt_topic: str = Field("anlan", pattern=r"^[A-Za-z0-9_\-/]+$", description="First part of every MQTT topic.")
    mqtt_embedded_port: int = Field(0, ge=0, le=65535, description="Port of the embedded broker; 0 takes a free one.")
    simulated_speakers: int = Field(195, ge=0, le=5000, description="Simulated loudspeakers in demonstration mode.")
    speaker_volume: int = Field(80, ge=1, le=100, description="Volume at which warnings are spoken, per cent.")
    speaker_repeats: int = Field(3, ge=1, le=10, description="How often a horn says a warning.")
    speaker_ack_seconds: float = Field(10, gt=0, description="After this, a command without the device's answer is sent again.")

    # -- practical sessions -----------------------------------------------------------------------
    practical_bookings: int = Field(
        2, ge=1, le=20, description="Practical sessions of one course that somebody may have ahead, waiting for a seat included.")
    practical_reminder_hours: HourList = Field(
        (24, 2), description="Hours before a practical session at which those who have a seat are reminded by SMS, comma"
        " separated; empty for never.")

    # -- certificates -----------------------------------------------------------------------------
    certificate_font: str = Field(
        "",
        description="A TrueType font (.ttf) for rare characters of names that the portal's own font lacks, as U+20BB7."
        " Without one they are printed as 〓 with their code point beside.",
    )
    certificate_reminder_days: int = Field(
        60, ge=0, le=365, description="Days before the end of a certificate at which its holder is told by SMS; 0 for never.")

    # -- responders -------------------------------------------------------------------------------
    responder_courses: CommaList = Field(
        ("first-responder",), description="Courses whose certificate makes somebody a first responder, comma separated.")
    residents_per_responder: int = Field(
        200, ge=1, le=100_000, description="Residents for whom there should be one certified first responder.")

    # -- reports by residents ---------------------------------------------------------------------
    reports_per_hour: int = Field(
        300, ge=1, le=100_000, description="Reports of dangers that are taken in an hour from everybody together; what comes then"
        " is asked to wait. Those whose telephone was proved by a code are not counted.")
    report_photos: int = Field(
        20_000, ge=0, le=1_000_000, description="Photos of such reports that are kept at once, about 0.3 MB each; beyond that"
        " reports are taken without photos.")
    report_days: int = Field(
        180, ge=1, le=3650, description="Days after which the words, photos and telephone of a report that is closed are erased.")

    @field_validator("surfaces", "two_people_tiers", "responder_courses", "practical_reminder_hours", "push_services",
                     mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(p.strip() for p in value.split(",") if p.strip()) if isinstance(value, str) else value

    @field_validator("surfaces")
    @classmethod
    def _known_surfaces(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [v for v in value if v not in SURFACES]:
            raise ValueError(f"unknown surface {', '.join(unknown)}; choose from {', '.join(SURFACES)}")
        return value

    @field_validator("push_services")
    @classmethod
    def _services(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for service in value:
            if not re.fullmatch(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+|https?://[a-z0-9.-]+(:\d{1,5})?", service):
                raise ValueError(f"{service[:80]}: write a host (`push.example`), `*.` and a host, or `https://host:port`")
        return value

    @field_validator("practical_reminder_hours")
    @classmethod
    def _few_hours(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(value) > 4 or any(not 1 <= hours <= 168 for hours in value):
            raise ValueError("at most four, each from 1 to 168 hours")
        return value

    @field_validator("two_people_tiers")
    @classmethod
    def _known_tiers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [v for v in value if v not in TIERS]:
            raise ValueError(f"unknown tier {', '.join(unknown)}; choose from {', '.join(TIERS)}")
        return value

    @field_validator("secret_key")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        if 0 < len(value.get_secret_value()) < SHORTEST_SECRET:
            raise ValueError(f"too short to be safe: use {SHORTEST_SECRET} random characters or more")
        return value

    @field_validator("phone_key", "speaker_key", "push_key")
    @classmethod
    def _a_key(cls, value: SecretStr) -> SecretStr:
        if not re.fullmatch(r"([0-9A-Fa-f]{64})?", value.get_secret_value()):
            raise ValueError("a key is 64 hexadecimal digits")
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError("no such time zone; write it as `Asia/Shanghai`") from error
        return value

    @field_validator("database_url")
    @classmethod
    def _readable_url(cls, value: str) -> str:
        try:
            name = make_url(value).get_backend_name() if value else "sqlite"
        except ArgumentError:
            raise ValueError("cannot be read; write it as `postgresql+psycopg://user:password@host/name`") from None
        if name not in ("sqlite", "postgresql"):
            raise ValueError("only PostgreSQL (`postgresql+psycopg://…`) and SQLite (`sqlite:///…`) are possible")
        return value

    @field_validator("broker_url")
    @classmethod
    def _a_broker(cls, value: str) -> str:
        if value and not re.fullmatch(r"amqps?://[^\s/]+(/\S*)?", value):
            raise ValueError("the broker is RabbitMQ: write it as `amqp://user:password@host/name`, or `amqps://…`")
        return value

    @field_validator("public_url")
    @classmethod
    def _an_origin(cls, value: str) -> str:
        if value and not re.fullmatch(r"https?://[^\s/?#@]+/?", value):
            raise ValueError("give the address alone, as https://warn.example")
        return value

    @model_validator(mode="after")
    def _complete(self) -> Settings:
        if self.sms_provider == "twilio":
            if not (self.twilio_account_sid and self.twilio_auth_token.get_secret_value()):
                raise ValueError("sms_provider is twilio, so twilio_account_sid and twilio_auth_token are needed")
            if not (self.twilio_messaging_service_sid or self.twilio_from):
                raise ValueError("sms_provider is twilio, so twilio_messaging_service_sid or twilio_from is needed")
        return self

    @property
    def sqlalchemy_url(self) -> str:
        return self.database_url or f"sqlite:///{self.instance / DATABASE_FILE}"

    @property
    def carriers(self) -> dict[str, str]:
        """Name → kind of what text messages go through; empty where the file of lines cannot be read."""
        return {self.sms_provider: self.sms_provider} if self.sms_lines is None else _carriers(self.sms_lines)

    @property
    def sandboxed(self) -> bool:
        """Whether no text message leaves this server."""
        return set(self.carriers.values()) == {"sandbox"}

    @property
    def certificate_keys_folder(self) -> Path:
        return Path(self.certificate_keys) if self.certificate_keys else self.instance / "certificate_keys"

    @property
    def base_url(self) -> str:
        return (self.public_url or f"http://localhost:{self.port}").rstrip("/")


@lru_cache(maxsize=8)
def _carriers(file: Path) -> dict[str, str]:
    try:
        lines = tomllib.loads(file.read_text("utf-8")).get("line", [])
        return {str(line["name"]): str(line["kind"]) for line in lines}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def load_settings() -> Settings:
    """The settings from the environment, or a list of what is wrong with them and exit 2."""
    try:
        return Settings()
    except ValidationError as error:
        click.echo("The configuration cannot be used:", err=True)
        for problem in error.errors():
            name = "_".join(str(part) for part in problem["loc"]).upper()
            name = f"ANLAN_{name.removeprefix('ANLAN_')}" if name else "settings"
            click.echo(f"  {name}: {problem['msg']}", err=True)
        sys.exit(2)
