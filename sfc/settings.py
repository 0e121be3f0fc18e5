"""Settings. Each has one environment name, ``SFC_<NAME>``; the command line's options go before it.

Every librdkafka property can be set as ``SFC_KAFKA_<PROPERTY_WITH_UNDERSCORES>`` (``SFC_KAFKA_SASL_USERNAME`` is
``sasl.username``), or in the ``client.properties`` file that ``SFC_KAFKA_PROPERTIES_FILE`` names; the environment goes first.
"""

from __future__ import annotations

import difflib
import fcntl
import ipaddress
import os
import re
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Literal

from pydantic import Field, PrivateAttr, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from sfc.errors import BadInput
from sfc.masking import HIDDEN, is_secret, mask_url

PREFIX = "SFC_"
KAFKA_PREFIX = "SFC_KAFKA_"
BOOTSTRAP = "bootstrap.servers"
SLOTS_MAX = 1000

_NAMESPACE = r"^[a-z0-9][a-z0-9-]{0,62}(\.[a-z0-9][a-z0-9-]{0,62})*$"
_BROKER = r"(?:[A-Za-z0-9_]+://)?(?:\[[0-9a-fA-F:.%]+\]|[^\s,:/\[\]]+):[0-9]{1,5}"
_BOOTSTRAP = rf"^(?:{_BROKER}(?:,\s*{_BROKER})*)?$"
_EXPECTED = {  # what to say in place of a pattern
    "kafka": "host:port was expected, several with commas between them, such as localhost:9092",
    "url": "an address with its scheme was expected, such as http://127.0.0.1:8321",
    "engine_shards": "numbers and ranges of shards were expected, such as 0-3,6",
    "namespace": "words of lower-case letters, digits and hyphens were expected, joined by dots",
}
_WORDS = tuple(
    (re.compile(theirs), ours)
    for theirs, ours in (
        (r"Input should be a valid integer(?:, [^;]+)?", "a whole number was expected"),
        (r"Input should be a valid number(?:, [^;]+)?", "a number was expected"),
        (r"Input should be a valid boolean(?:, [^;]+)?", "true or false was expected"),
        (r"Input should be greater than or equal to (\S+)", r"at least \1 was expected"),
        (r"Input should be less than or equal to (\S+)", r"at most \1 was expected"),
        (r"Input should be greater than (\S+)", r"more than \1 was expected"),
        (r"Input should be less than (\S+)", r"less than \1 was expected"),
        (r"Input should be ('[^;]+)", r"\1 was expected"),
        (r"Value error, ", ""),
    )
)
_NOT_SETTINGS = ("SFC_DEBUG", "SFC_LEDGER", "SFC_PARENT_PIPE")  # before there are settings; by the example workers; by a scheduler's
_OWN_PREFIXES = ("SFC_SECRET_", "SFC_TEST_", "SFC_BENCH_")  # of the secrets of HTTP tasks; of the tests and benchmarks


class Settings(BaseSettings):
    """Everything that can be set. Immutable; ``model_copy(update=...)`` makes another."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True)

    namespace: str = Field(default="sfc", pattern=_NAMESPACE, description="First word of the names of SFC's topics and consumer groups.")
    shards: int = Field(
        default=8, ge=1, le=1000, description="Partitions of the command topic; recorded at the first start, never changed."
    )
    kafka: str = Field(default="", pattern=_BOOTSTRAP, description="Bootstrap servers, host:port[,host:port]. Empty: the embedded log.")
    kafka_properties_file: Path | None = Field(default=None, description="A client.properties file with librdkafka properties.")
    replication: int = Field(default=-1, ge=-1, description="Replicas of the topics that SFC makes; -1: the broker's default.")
    create_topics: bool = Field(default=True, description="Whether SFC may make the topics that it misses.")
    data: Path = Field(default=Path(".sfc"), description="Directory of what is kept on this machine.")
    engine_shards: str = Field(
        default="",
        pattern=r"^(?:[0-9]+(?:-[0-9]+)?(?:,[0-9]+(?:-[0-9]+)?)*)?$",
        description="Shards of this engine, such as 0-3,6, kept by you over all engines. Empty: Kafka's consumer group shares them out.",
    )
    standby: bool = Field(default=False, description="Whether an engine follows the states of others' shards, to take them quickly.")
    state_dir: Path | None = Field(
        default=None,
        description="Directory of an engine's copy of its flows' states, for quick restarts. Empty: state in the data directory.",
    )
    database: SecretStr = Field(
        default=SecretStr(""), description="URL of the registry's database. Empty: an SQLite file in the data directory."
    )
    elasticsearch_url: SecretStr = Field(
        default=SecretStr(""), description="URL of Elasticsearch, for the flow index. Empty: an SQLite file in the data directory."
    )
    elasticsearch_api_key: SecretStr = Field(default=SecretStr(""), description="API key for Elasticsearch, where it asks for one.")
    api_key: SecretStr = Field(default=SecretStr(""), description="API key that the command line shows to the gateway.")
    url: str = Field(default="http://127.0.0.1:8321", pattern=r"^https?://\S+$", description="Where the command line finds the gateway.")
    host: str = Field(default="127.0.0.1", description="Address on which the gateway and the health pages listen.")
    port: int = Field(default=8321, ge=0, le=65535, description="Port of the gateway; for the other roles 0 means any free one.")
    instance: str = Field(default="", description="Name of this process. Empty: host name and the lowest free slot.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="The least that is logged.")
    log_format: Literal["auto", "console", "json"] = Field(default="auto", description="auto: console on a terminal, JSON lines elsewhere.")
    interval_ms: int = Field(default=100, ge=1, le=10_000, description="Longest time between two commits of a shard, in milliseconds.")
    interval_commands_max: int = Field(default=5000, ge=1, description="Commands after which a shard commits early.")
    interval_bytes_max: int = Field(
        default=8 * 1024 * 1024, ge=1024, description="Bytes of state and history after which a shard commits early."
    )
    scheduler_look_s: float = Field(default=3.0, ge=0.1, le=3600, description="Seconds between two looks of the scheduler at the lag.")
    scheduler_down_after_s: float = Field(
        default=30.0, ge=0, le=86_400, description="Seconds for which a lag must have been lower before the scheduler stops workers."
    )
    scheduler_restart_s: float = Field(
        default=1.0, ge=0.05, le=60, description="Seconds before a worker that died is started again; doubled by each further death."
    )
    scheduler_stop_s: float = Field(
        default=12.0, ge=0.1, le=14, description="Seconds in which a worker may finish what it does before it is killed."
    )
    secrets_dir: Path | None = Field(default=None, description="Directory with a file for each secret of HTTP tasks.")
    items_dir: Path | None = Field(default=None, description="Directory whose files ItemReaders may read. Empty: none.")
    results_dir: Path | None = Field(default=None, description="Directory where ResultWriters may write files. Empty: none.")
    worker_jobs_max: int = Field(default=1000, ge=1, description="Jobs that a worker has at work at once.")
    worker_connections_max: int = Field(default=500, ge=1, description="HTTP connections that a worker has open at once.")

    _kafka: dict[str, str] = PrivateAttr(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _bootstrap_of_the_properties(cls, values: Any) -> Any:
        """A ``bootstrap.servers`` among the properties names the broker where SFC_KAFKA does not."""
        if isinstance(values, dict) and not values.get("kafka"):
            return {**values, "kafka": _properties(values.get("kafka_properties_file"), os.environ).get(BOOTSTRAP, "")}
        return values

    def model_post_init(self, _context: Any, /) -> None:
        self._kafka.update(_properties(self.kafka_properties_file, os.environ))

    def kafka_properties(self) -> dict[str, str]:
        """librdkafka's properties by their own names: of the file, over them the environment's, over them SFC_KAFKA."""
        return {**self._kafka, **({BOOTSTRAP: self.kafka} if self.kafka else {})}

    def health_port(self) -> int:
        """Port of a role that has no gateway: the one that was asked for, else any free one."""
        return self.port if "port" in self.model_fields_set else 0

    def database_url(self) -> str:
        """URL of the registry's database."""
        return self.database.get_secret_value() or f"sqlite:///{self.data / 'registry.db'}"

    def masked(self) -> dict[str, Any]:
        """Everything, fit to be shown: secrets are hidden; Kafka's properties under ``kafka_properties``."""
        shown: dict[str, Any] = {}
        for name, value in self.model_dump(mode="json").items():
            shown[name] = HIDDEN if is_secret(name) and value else value
        shown["database"] = mask_url(self.database_url())
        shown["elasticsearch_url"] = mask_url(self.elasticsearch_url.get_secret_value())
        shown["url"] = mask_url(self.url)
        shown["kafka_properties"] = {k: HIDDEN if is_secret(k) else v for k, v in sorted(self.kafka_properties().items())}
        return shown


def load_settings(**overrides: Any) -> Settings:
    """Settings of the environment, with what the command line says over them (None: it says nothing).

    Raises BadInput that names each setting by its environment name, what is wrong and what came.
    """
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as e:
        lines = []
        for error in e.errors(include_url=False):
            name = ".".join(str(part) for part in error["loc"])
            came = HIDDEN if is_secret(name) else repr(error.get("input"))
            expected = _EXPECTED.get(name, "") if error["type"] == "string_pattern_mismatch" else ""
            lines.append(f"{env_name(name)}: {expected or in_our_words(error['msg'])}; it is {came}")
        raise BadInput("a setting is wrong: " + "; ".join(lines), hint="`sfc settings` shows all of them") from None


def in_our_words(text: str) -> str:
    """What a value should have been, as all other messages say it: pydantic's sentences in a message, replaced."""
    for theirs, ours in _WORDS:
        text = theirs.sub(ours, text)
    return text


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own: 127.0.0.0/8, ::1 or localhost."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def env_name(name: str) -> str:
    """The environment name of a setting."""
    return PREFIX + name.upper()


def unknown_names(environ: Mapping[str, str]) -> list[str]:
    """A sentence for each ``SFC_*`` of the environment that is no setting, with the nearest one that is."""
    known = {env_name(name) for name in Settings.model_fields} | set(_NOT_SETTINGS)
    sentences = []
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in known or name.startswith((KAFKA_PREFIX, *_OWN_PREFIXES)):
            continue
        near = difflib.get_close_matches(name, known, n=1)
        sentences.append(f"{name} is no setting.{f' Did you mean {near[0]!r}?' if near else ''}")
    return sentences


def _properties(file: Path | str | None, environ: Mapping[str, str]) -> dict[str, str]:
    properties = read_properties(Path(file)) if file else {}
    own = {env_name(name) for name in Settings.model_fields}
    for name, value in environ.items():
        if name.startswith(KAFKA_PREFIX) and name not in own and value:
            properties[name.removeprefix(KAFKA_PREFIX).lower().replace("_", ".")] = value
    return properties


def read_properties(path: Path) -> dict[str, str]:
    """A ``client.properties`` file: ``name=value`` lines, ``#`` and ``!`` comments, a backslash continues a line."""
    try:
        text = path.read_text()
    except OSError as e:
        raise BadInput(f"{KAFKA_PREFIX}PROPERTIES_FILE names {path}, which can't be read: {e.strerror}") from None
    properties = {}
    for line in text.replace("\\\n", "").splitlines():
        entry = line.strip()
        if not entry or entry[0] in "#!":
            continue
        name, separator, value = entry.partition("=")
        if not separator:
            raise BadInput(f"{path}: expected name=value, found {name.split()[0]!r} without =")
        properties[name.strip()] = value.strip()
    return properties


_slots: list[IO[str]] = []  # open for as long as this process lives: the lock is the claim


def instance_name(settings: Settings) -> str:
    """SFC_INSTANCE, else ``<host>-<n>`` with the lowest slot that no living process of this machine and user has."""
    if settings.instance:
        return settings.instance
    host = socket.gethostname().split(".")[0]
    directory = Path(tempfile.gettempdir()) / f"sfc-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    for slot in range(SLOTS_MAX):
        file = (directory / f"{host}-{slot}.slot").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            continue
        _slots.append(file)
        return f"{host}-{slot}"
    raise BadInput(f"all {SLOTS_MAX} slots of this machine are taken", hint="name this process with SFC_INSTANCE")
