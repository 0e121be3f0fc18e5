"""The ports: what the runtime needs of the world, and nothing about who provides it.

The Log port has what Kafka has and no more: topics with partitions, keyed appends, consumer groups with assignment and
committed offsets, transactions that bind appends and offsets, read-committed reads, compaction, log-append time. Adapters:
``sfc.adapters.kafka`` and ``sfc.adapters.embedded`` (memory, SQLite). One contract suite (tests/contract) runs over all.

Nothing here is asynchronous. A ``Log`` may be shared between threads; what it hands out belongs to one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from msgspec import Struct

from sfc.engine.commands import Origin
from sfc.wire.history import HistoryRecord

Headers = Sequence[tuple[str, bytes]]


class Partition(NamedTuple):
    """One partition of a topic."""

    topic: str
    number: int


class Record(NamedTuple):
    """One record as it was read. ``append_ms`` is the broker's append time, or None where the topic keeps the producer's time."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int
    append_ms: int | None
    leader_epoch: int = 0


class Position(NamedTuple):
    """A committed offset: the next one to read, and up to 4 KB of the committer's own words."""

    offset: int
    metadata: str = ""


class GroupMember(NamedTuple):
    """A consumer in a group. ``client_id``: the name of its process (see Log.consumer); ``host``: where it connects from."""

    client_id: str
    host: str
    partitions: tuple[Partition, ...]  # in order; () while it waits for some


class TopicSpec(NamedTuple):
    """A topic that SFC makes. ``config`` holds Kafka's topic settings by their names."""

    name: str
    partitions: int
    config: Mapping[str, str] = {}


class TopicInfo(NamedTuple):
    """A topic as it is. ``id`` survives no deletion: a topic made again under the same name has another (KIP-516)."""

    name: str
    id: str
    partitions: int
    config: Mapping[str, str]


class Producer(Protocol):
    """Appends records, idempotently and in order per partition. Records leave at once; nothing waits for them but ``flush``."""

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        headers: Headers | None = None,
        partition: int | None = None,
        on_failure: Callable[[str], None] | None = None,
    ) -> None:
        """Hands a record over. Without ``partition`` the key's murmur2 hash chooses it (as in the Java client).

        A record that is not acknowledged in time (10 s for an ordinary producer, never for a gapless one) is given up: its
        ``on_failure`` is called with the reason from within a later ``poll`` or ``flush``; without one, the producer has failed.
        Raises RecordTooLarge at once when the record is over the client's limit, ProducerFailed when the producer is spent.
        """

    def poll(self) -> None:
        """Serves what the client has to say (``on_failure``), without waiting."""

    def flush(self) -> None:
        """Returns when every record is acknowledged or given up. Raises ProducerFailed if one without ``on_failure`` was lost."""

    def close(self) -> None: ...


class Transaction(Protocol):
    """A transactional producer: the fence of what its ``transactional.id`` names. Made initialised (``init_transactions`` done)."""

    def begin(self) -> None: ...

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        headers: Headers | None = None,
        partition: int | None = None,
    ) -> None:
        """As Producer.send, within the transaction: visible to read-committed readers when it commits, or never."""

    def send_offsets(self, positions: Mapping[Partition, Position], consumer: Consumer) -> None:
        """Commits the consumer's positions with the transaction."""

    def commit(self) -> None:
        """Returns when the transaction is committed. Raises ProducerFenced when another owner has initialised the same id;
        ProducerFailed when a record was not delivered or the outcome is unclear (the caller starts again from the log)."""

    def abort(self) -> None: ...

    def close(self) -> None: ...


class Consumer(Protocol):
    """A member of a consumer group. Callbacks given at its making run within ``take`` and ``close``, never elsewhere."""

    def take(self, records_max: int, timeout_s: float) -> list[Record]:
        """The first record as soon as it is there, and with it whatever is queued already; [] after ``timeout_s``.
        Only committed records. Passing troubles (a broker away) are logged by the adapter and outlived."""

    def start(self, partition: Partition, offset: int) -> None:
        """Begins (or begins anew) to deliver a partition of the assignment at ``offset``; undoes ``pause``."""

    def pause(self, partitions: Sequence[Partition]) -> None: ...

    def resume(self, partitions: Sequence[Partition]) -> None: ...

    def assignment(self) -> set[Partition]: ...

    def commit(self, positions: Mapping[Partition, Position], *, wait: bool = True) -> None:
        """Returns when the positions are committed. Raises LogError when the member has been put out of its group. Without ``wait`` it
        returns at once, and the adapter sees to it while the consumer takes: what is lost of it with the process is done again."""

    def committed(self, partitions: Sequence[Partition]) -> dict[Partition, Position]:
        """What the group has committed; a partition without a commit is missing."""

    def close(self) -> None:
        """Leaves the group at once; ``revoked`` is called for what is assigned."""


class Reader(Protocol):
    """Reads named partitions without a group."""

    def take(self, records_max: int, timeout_s: float) -> list[Record]: ...

    def position(self, partition: Partition) -> int:
        """The next offset that would be read. It moves over gaps (aborted records, transaction markers, compaction)."""

    def close(self) -> None: ...


class Log(Protocol):
    """Kafka, or what has its semantics."""

    def cluster_id(self) -> str: ...

    def topics(self) -> dict[str, int]:
        """Names and partition counts of all topics but the log's internal ones."""

    def describe(self, topic: str) -> TopicInfo | None:
        """None where there is no such topic."""

    def create(self, topics: Sequence[TopicSpec]) -> None:
        """Makes the topics that are missing; one that is there is left as it is. Replication is the adapter's setting."""

    def ends(self, partitions: Sequence[Partition], *, committed: bool = True) -> dict[Partition, int]:
        """End offsets: the last stable offset, or with ``committed=False`` the high watermark."""

    def ask_end(self, partition: Partition) -> Callable[[], int | None]:
        """Asks for the end, that of open transactions included, and waits for nothing. What is returned gives what a broker has said
        since: None as long as none has, and when none will."""

    def sync(self) -> None:
        """Returns when everything that readers can see would outlive this process; Kafka shows nothing else. Raises LogError."""

    def starts(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        """Log start offsets: the first offset that is still there."""

    def offsets_at(self, partitions: Sequence[Partition], time_ms: int) -> dict[Partition, int]:
        """First offset with a timestamp at or after ``time_ms``; the end where there is none."""

    def group_positions(self, group: str) -> dict[Partition, Position]:
        """What a consumer group has committed."""

    def group_members(self, group: str) -> list[GroupMember]:
        """Who is in a consumer group and has which partitions, by name; [] where there is no such group."""

    def set_group_positions(self, group: str, positions: Mapping[Partition, Position]) -> None:
        """Commits for a group without members. Raises LogError when it has members."""

    def producer(self, *, gapless: bool = False, busy: bool = False) -> Producer:
        """An idempotent producer. ``gapless``: no time limit, any failure fatal (EXACTLY-ONCE 4). ``busy``: batches and compresses."""

    def transaction(self, transactional_id: str) -> Transaction:
        """Takes the id: ends its open transaction and fences its former owner for good."""

    def consumer(
        self,
        group: str,
        topics: Sequence[str],
        *,
        start_at: str = "earliest",
        paused: bool = False,
        assigned: Callable[[list[Partition]], None] | None = None,
        revoked: Callable[[list[Partition]], None] | None = None,
        lost: Callable[[list[Partition]], None] | None = None,
    ) -> Consumer:
        """Joins a group, under the ``client_id`` that the log was opened with. ``start_at``: "earliest" or "latest", for partitions without
        a commit. ``paused``: partitions are handed over paused, and wait for ``start``. ``lost`` (default: ``revoked``) when somebody else
        may own them already."""

    def reader(self, positions: Mapping[Partition, int], *, committed: bool = True) -> Reader:
        """Reads from the given offsets on. ``committed=False`` reads records of open and aborted transactions too."""

    def close(self) -> None: ...


class StateStore(Protocol):
    """Local copy of the flow states of the shards of one lane, ordered by key. What stands in it counts only as far as the checkpoint says
    (EXACTLY-ONCE 19)."""

    def get(self, shard: int, key: bytes) -> bytes | None: ...

    def apply(self, shard: int, changes: Mapping[bytes, bytes | None], checkpoint: bytes | None = None) -> None:
        """Puts and (None) deletes, and writes the shard's checkpoint where one is given, in one step: after a crash all of it or
        nothing."""

    def checkpoint(self, shard: int) -> bytes | None:
        """As last given to ``apply``; None when there is none. No ``scan`` meets it."""

    def scan(self, shard: int, *, prefix: bytes = b"", after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Pairs in order of key, those with the prefix and behind ``after``."""

    def wipe(self, shard: int, count: int) -> bool:
        """Removes up to ``count`` pairs of a shard, and its checkpoint with the first of them. Whether nothing of it is left."""

    def close(self) -> None: ...


class Clock(Protocol):
    """Wall clock and monotonic clock; virtual in tests."""

    def now_ms(self) -> int:
        """Milliseconds since 1970, UTC."""

    def monotonic_s(self) -> float: ...


class DueSchedule(NamedTuple):
    """A schedule that is due. ``ticks``: nominal times of the flows to start, in order; [] when all of them are left out. ``was_ms``: the
    tick at which it stands, ``next_ms``: the one to go to (0: none). Times in milliseconds since 1970."""

    uid: str
    blueprint: str
    id: str
    input: Any
    ticks: tuple[int, ...]
    was_ms: int
    next_ms: int


class ScheduleBook(Protocol):
    """The schedules of all blueprints, shared by the gateways. Every call raises RegistryError when the database fails."""

    def due(self, now_ms: int) -> list[DueSchedule]:
        """Those with something to do now, in order of their ticks."""

    def advance(self, done: Sequence[DueSchedule]) -> None:
        """The log has their starts: they go on, unless somebody else was quicker."""

    def alone(self) -> AbstractContextManager[bool]:
        """Whether no other gateway is at it; saves work, and nothing rests on it."""


class FlowDocument(Struct, frozen=True, omit_defaults=True):
    """A flow as the index shows it: its latest run, as of event number ``seq``. Times in milliseconds since 1970; 0: not yet."""

    flow: str
    run: int
    blueprint: str
    version: int
    status: str
    seq: int
    started_ms: int
    updated_ms: int
    ended_ms: int = 0
    states: list[str] = []  # current states, in order of their branches
    paused_by: list[str] = []  # own, or a subject; [] = nothing holds it
    error: str | None = None
    cause: str | None = None
    redrives: int = 0
    origin: Origin | None = None


class FlowQuery(Struct, frozen=True, omit_defaults=True):
    """All that is given must apply. ``status`` also takes ``PAUSED`` (running, and something holds it). Newest start first."""

    status: str = ""
    blueprint: str = ""
    version: int = 0
    state: str = ""  # is in this state now
    error: str = ""
    started_from_ms: int = 0  # inclusive
    started_to_ms: int = 0  # exclusive; 0: no end
    text: str = ""  # somewhere in id, error or cause, in any case
    limit: int = 50  # 1 to 1,000
    cursor: str = ""  # a page's next_cursor


class FlowPage(Struct, frozen=True):
    """``next_cursor`` is empty on the last page."""

    flows: list[FlowDocument]
    next_cursor: str = ""


class StateStatistics(Struct, frozen=True):
    """Of one state of one blueprint version. Durations are those of completed visits, percentiles within 3 %.

    ``failed``: visits that ended by an error, caught or not; ``retries``: pauses before a further attempt.
    """

    state: str
    entered: int
    completed: int
    failed: int
    retries: int
    mean_ms: float
    p50_ms: float
    p95_ms: float


class BlueprintStatistics(Struct, frozen=True):
    """``flows``: how many by status (the latest run of each id); ``paused``: of the running ones, how many something holds."""

    blueprint: str
    version: int
    flows: dict[str, int]
    paused: int
    states: list[StateStatistics]


class Statistics(Struct, frozen=True):
    blueprints: list[BlueprintStatistics]


class DeadLetterDocument(Struct, frozen=True, omit_defaults=True):
    """A dead letter as the index shows it; its fields are sfc.wire.dead_letters.DeadLetter's. As JSON, bytes are base64."""

    id: str
    at_ms: int
    reason: str
    detail: str
    topic: str
    partition: int
    offset: int
    key: bytes | None = None
    value: bytes | None = None
    headers: list[tuple[str, bytes]] = []
    state: str = "open"  # or replayed, discarded
    resolved_ms: int = 0
    resolved_by: str = ""


class DeadLetterMark(Struct, frozen=True):
    """What became of a dead letter: ``replayed`` or ``discarded``."""

    id: str
    state: str
    at_ms: int
    by: str = ""


class DeadLetterPage(Struct, frozen=True):
    """Newest first. ``next_cursor`` is empty on the last page."""

    dead_letters: list[DeadLetterDocument]
    next_cursor: str = ""


class Throughput(Struct, frozen=True):
    """Flows that started and ended within one slice of time, by status of their end. ``from_ms``: its beginning."""

    from_ms: int
    started: int = 0
    ended: dict[str, int] = {}


class IndexCounters(Struct, frozen=True):
    """``flows`` by status, open ``dead_letters`` by reason, ``events`` indexed so far."""

    flows: dict[str, int]
    paused: int
    dead_letters: dict[str, int]
    events: int


class FlowIndex(Protocol):
    """What the monitor has read, for queries. It may be deleted and is made again from the log.

    One writer calls ``index``; everything else may be called from any thread.
    """

    def index(
        self,
        records: Sequence[HistoryRecord],
        dead_letters: Sequence[DeadLetterDocument],
        positions: Mapping[Partition, int],
        marks: Sequence[DeadLetterMark] = (),
    ) -> None:
        """Takes records in order of their log, and with them the next offsets to read. What is there already changes nothing, and a
        document never steps back: it is replaced only by a higher run or, within its run, a higher number. The first dead letter of an
        id and its latest mark count, whichever comes first. Raises IndexUnavailable, and IndexReplaced when another index has taken
        its place since ``positions`` was asked: then all that was read must be read again, from the new one's positions on."""

    def positions(self) -> dict[Partition, int]:
        """The next offsets to read, as last given to ``index``."""

    def get(self, flow: str) -> FlowDocument | None:
        """The latest run."""

    def find(self, query: FlowQuery) -> FlowPage:
        """Raises BadInput for a limit out of range or a cursor that is none."""

    def history(self, flow: str, run: int | None = None) -> list[dict[str, Any]]:
        """Events of a run (default: the latest) in order, as plain JSON values; [] where nothing is known.

        Each has ``name`` (``TaskStateEntered``); StateEntered has ``input`` and StateExited ``output``, as far as the history has them.
        """

    def runs(self, flow: str) -> list[int]:
        """The runs of which a history is known, latest first; up to 100."""

    def statistics(self, blueprint: str | None = None) -> Statistics:
        """Of one blueprint or all, by name and version."""

    def throughput(self, blueprint: str | None, from_ms: int, to_ms: int, step_ms: int) -> list[Throughput]:
        """All slices from ``from_ms`` on that begin before ``to_ms`` (the last one ends there), the empty ones too. Counts the latest
        run of each id. Raises BadInput for slices that make no sense, or more than 1,000."""

    def dead_letters(self, limit: int = 50, cursor: str = "", state: str = "") -> DeadLetterPage:
        """``state``: open, replayed or discarded; empty: all."""

    def dead_letter(self, id: str) -> DeadLetterDocument | None: ...

    def counters(self) -> IndexCounters: ...

    def close(self) -> None: ...


class RebuildableIndex(FlowIndex, Protocol):
    """A flow index that can be made anew beside itself."""

    def fresh(self) -> FlowIndex:
        """An empty one, for one rebuild."""

    def replace_by(self, fresh: FlowIndex) -> None:
        """Puts ``fresh`` in this one's place, in one step for everybody who asks, and closes it."""
