"""Every setting of liminal: one class, read from the environment, checked at the start.

Names carry the prefix ``LIMINAL_``, except ``DATABASE_URL``, ``KAFKA_BOOTSTRAP_SERVERS`` and ``REDIS_URL``,
which follow the custom of their servers. docs/configuration.md holds the same table; a test compares the two.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from liminal.errors import LiminalError

PREFIX = "LIMINAL_"


class SettingsError(LiminalError):
    """A setting that can't be used; the message is one sentence that names the variable."""

    code: ClassVar[str] = "settings.invalid"


class NoStack(LiminalError):
    """A command needs a service whose address is neither set nor written by a running stack."""

    code: ClassVar[str] = "settings.no_stack"


class Settings(BaseSettings):
    """What can be set from outside. An empty service URL means "the embedded part"."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, populate_by_name=True, env_ignore_empty=True, frozen=True, extra="forbid"
    )

    home: Path = Field(Path(".liminal"), description="folder that holds all state of one stack")
    cache: Path = Field(Path(".cache"), description="folder of downloaded parts, shared by stacks")
    host: str = Field("127.0.0.1", description="address the web server listens on")
    port: int = Field(
        8800,
        ge=0,
        le=65535,
        description="web port; when it is not set and 8800 is taken, a free one is chosen; 0 always chooses",
    )

    web_fd: int | None = Field(
        None,
        ge=0,
        description="descriptor of the listening socket that the supervisor hands down; empty: host, port",
    )
    ready_file: Path | None = Field(
        None, description="file that a process creates once it serves; the supervisor and compose.yaml set it"
    )

    database_url: str = Field(
        "", validation_alias="DATABASE_URL", description="Postgres 16+ with pgvector; empty: the embedded one"
    )
    kafka_bootstrap_servers: str = Field(
        "",
        validation_alias="KAFKA_BOOTSTRAP_SERVERS",
        description="host:port[,host:port…] of a Kafka cluster; empty: the embedded broker",
    )
    redis_url: str = Field(
        "", validation_alias="REDIS_URL", description="Redis 6.2+; empty: the embedded one"
    )
    blobs_url: str = Field(
        "",
        description="blob store as a URL (file://, s3://, gs://, az://); empty: the folder blobs under home",
    )

    topic: str = Field("liminal.events", description="the topic that is the log")
    partitions: int = Field(
        4, ge=1, le=4096, description="partitions of the log; fixed once the topic exists"
    )
    max_event_bytes: int = Field(
        1_040_000,
        ge=10_000,
        le=100_000_000,
        description="largest event in bytes, headers included; what is larger belongs in the blob store",
    )
    append_timeout: float = Field(
        10.0, gt=0, description="seconds after which an append without an answer from the broker is an error"
    )
    verdict_timeout: float = Field(
        10.0, gt=0, description="seconds to wait for the projector before a position is called stale"
    )
    master_key: SecretStr = Field(
        SecretStr(""),
        description="32 bytes in base64 that wrap the data keys; empty: the file master.key under home",
    )

    model: str = Field(
        "",
        description="folder, .gguf file or name of the base model; empty: what `model use` chose, "
        "else SmolLM2-135M-Instruct",
    )
    slots: int = Field(8, ge=1, le=4096, description="sequences that the engine decodes at once")
    context: int = Field(
        0, ge=0, description="most tokens of a prompt and its answer; 0: the model's, 4096 at most"
    )
    numbers: Literal["auto", "float32", "bfloat16", "float16", "int8"] = Field(
        "auto",
        description="what the engine computes in; auto: float32 on a CPU, bfloat16 elsewhere; "
        "int8: weights in int8",
    )
    devices: int = Field(1, ge=1, le=64, description="devices that one model is split over")
    adapter_rows: int = Field(
        128, ge=0, le=65536, description="rank rows of adapters that answer at once: 128 are 8 of rank 16"
    )
    compile_ahead: bool = Field(
        True,
        description="compile ahead, while serving, what several answers at once need; without, at need",
    )
    backend: Literal["jax", "openai"] = Field(
        "jax", description="what decodes: the engine here, or an endpoint"
    )

    openai_base_url: str = Field("", description="address of the OpenAI-compatible endpoint, up to /v1")
    openai_api_key: SecretStr = Field(SecretStr(""), description="key for the endpoint")
    openai_model: str = Field("", description="model id that the endpoint is asked for")
    openai_provider: str = Field(
        "other", description="kind of endpoint, which says how it takes adapters (docs/engine.md lists them)"
    )
    openai_context: int = Field(8192, ge=256, description="tokens that the endpoint's model reads and writes")

    turn_timeout: float = Field(
        300.0, gt=0, le=600, description="seconds that one answer may take; what is there then is kept"
    )
    turns_in_flight: int = Field(
        64, ge=1, le=4096, description="turns of one partition that a worker answers at the same time"
    )

    public_origin: str = Field(
        "",
        description="scheme and host that browsers use, https://chat.example.org; empty: localhost only",
    )
    second_factor: Literal["nobody", "admins", "everyone"] = Field(
        "nobody",
        description="whose accounts must have a second factor, and may do nothing else until it is set up",
    )
    trusted_proxies: str = Field(
        "", description="addresses, with commas, of proxies whose X-Forwarded-For and -Proto are believed"
    )
    rate_factor: float = Field(
        1.0, ge=0, le=1000, description="factor on all request rates, for load tests; 0 switches them off"
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level logged")
    log_format: Literal["console", "json"] = Field("console", description="form of a log line")

    @field_validator("database_url")
    @classmethod
    def _postgres_scheme(cls, value: str) -> str:
        return _with_scheme(value, "postgresql", "postgres")

    @field_validator("redis_url")
    @classmethod
    def _redis_scheme(cls, value: str) -> str:
        return _with_scheme(value, "redis", "rediss", "unix")

    @field_validator("kafka_bootstrap_servers")
    @classmethod
    def _host_and_port(cls, value: str) -> str:
        for server in filter(None, value.split(",")):
            if not re.fullmatch(r"\S+:\d{1,5}", server.strip()):
                raise ValueError(f"{server!r} is not host:port")
        return value

    @field_validator("public_origin")
    @classmethod
    def _scheme_and_host(cls, value: str) -> str:
        if value and not re.fullmatch(r"https?://[^/\s?#@]+", value):
            raise ValueError("it is scheme://host[:port] and nothing after it")
        return value.lower()

    @field_validator("topic")
    @classmethod
    def _kafka_name(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,200}", value):
            raise ValueError("a topic name has 1 to 200 of the characters A-Z a-z 0-9 . _ -")
        return value

    @field_validator("master_key")
    @classmethod
    def _thirty_two_bytes(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if text:
            try:
                size = len(base64.b64decode(text, validate=True))
            except binascii.Error as error:
                raise ValueError("it is not base64") from error
            if size != 32:
                raise ValueError(f"it holds {size} bytes, not 32")
        return value

    @property
    def port_is_fixed(self) -> bool:
        """True when the port was asked for, so that another may not take its place."""
        return "port" in self.model_fields_set

    def resolve(self) -> Self:
        """These settings with every missing service URL taken from the stack that runs in ``home``.

        Raises NoStack when one is missing and no stack runs there.
        """
        from liminal.stack.home import running  # the stack reads settings too

        missing = [name for name in SERVICE_VARIABLES if not getattr(self, name)]
        if not missing:
            return self
        run = running(self.home)
        found = {name: run.urls[name] for name in missing if name in run.urls} if run else {}
        if len(found) < len(missing):
            names = ", ".join(SERVICE_VARIABLES[name] for name in missing if name not in found)
            raise NoStack(
                f"no stack is running in {self.home}; start one with `make up`, or set {names}",
                home=str(self.home),
                missing=names,
            )
        return self.model_copy(update=found)


SERVICE_VARIABLES = {
    "database_url": "DATABASE_URL",
    "kafka_bootstrap_servers": "KAFKA_BOOTSTRAP_SERVERS",
    "redis_url": "REDIS_URL",
}
"""Field → variable of the three services that the embedded stack can replace."""


def variable(field: str) -> str:
    """Name of the environment variable that sets a field of Settings."""
    return SERVICE_VARIABLES.get(field, PREFIX + field.upper())


def read_settings(environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Settings as the environment gives them, without looking for a running stack.

    Raises SettingsError with one sentence that names the first wrong or unknown variable.
    """
    known = {variable(name) for name in Settings.model_fields}
    for name in sorted(os.environ if environ is None else environ):
        if name.startswith(PREFIX) and name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else "docs/configuration.md lists all of them."
            raise SettingsError(f"{name} is not a setting; {hint}", variable=name)
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0]) if first["loc"] else "?"
        name = field if field in SERVICE_VARIABLES.values() else variable(field)
        reason = first["msg"].removeprefix("Value error, ")
        raise SettingsError(f"{name} can't be used: {_lower_first(reason)}.", variable=name) from None


def load_settings(**overrides: Any) -> Settings:
    """Settings with all three service URLs filled: from the environment, else from the running stack.

    Raises SettingsError for a wrong variable and NoStack when a service is nowhere to be found.
    """
    return read_settings(**overrides).resolve()


def _with_scheme(value: str, *schemes: str) -> str:
    if value and value.split("://", 1)[0] not in schemes:
        raise ValueError(f"it must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    return value


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
