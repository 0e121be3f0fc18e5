"""One tree for everything that SFC raises.

::

    SfcError
    ├── BadInput                   the caller can mend it: a document, a record, an argument
    │   ├── InvalidDocument        a blueprint or task with problems, all of them at once
    │   ├── UnknownName            no such blueprint, task, flow, topic
    │   └── NotPossible            understood, but not in this state (pause of an ended flow)
    │       └── LogInUse           the embedded log is another process's
    ├── LogError                   the log (Kafka or the embedded one) refused or failed
    │   ├── LogUnavailable         no broker answers
    │   ├── TopicMissing           a topic that is needed and not there
    │   ├── TopicMismatch          a topic whose settings would break a promise
    │   ├── RecordTooLarge         over the topic's max.message.bytes
    │   ├── ProducerFenced         another owner took the transactional id
    │   └── ProducerFailed         records were lost or the outcome is unclear: start again from the log
    │       ├── ShardUnclear       of one shard's transaction: that shard alone starts again
    │       └── TransactionAborted a record was refused and nothing of the transaction became visible: it may be written again
    ├── AccessRefused              who asks may not
    │   ├── NotAuthenticated       no key, or one that does not hold good
    │   └── NotAllowed             known, and not allowed to do this
    ├── MalformedRecord            a record that can't be understood: becomes a dead letter
    ├── NoAnswer                   a command is on the log, and nobody answered in time
    ├── ShardStopped               a shard that must not go on: a torn or foreign log
    ├── StoreFailed                an engine's local store can't be opened or written
    ├── RegistryError              the registry's database refused or failed
    │   └── RegistryUnavailable    it does not answer: it may do so again
    └── IndexFailed                the flow index refused or failed
        ├── IndexUnavailable       it does not answer, or is overloaded
        └── IndexReplaced          a rebuilt one has taken its place

Every message says what was expected, what came, where, and what to do.
Errors of the Amazon States Language (``States.Timeout``, …) are data, see :class:`sfc.asl.Failure`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple


class SfcError(Exception):
    """The root. ``hint`` says what to do, where that is not in the message."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class BadInput(SfcError):
    """The caller can mend it."""


class Problem(NamedTuple):
    """One thing that is wrong in a document."""

    code: str  # stable, kebab-case: "unknown-state"
    pointer: str  # JSON pointer (RFC 6901) of the place: "/States/Pay/Next"
    message: str  # what was expected and what came
    hint: str = ""  # what to write instead
    severity: Literal["error", "warning"] = "error"

    def said(self) -> str:
        """What was expected and what came, and after a full stop what to write instead."""
        if not self.hint:
            return self.message
        return f"{self.message}{'' if self.message.endswith(('.', '!', '?', ':')) else '.'} {self.hint}"


class InvalidDocument(BadInput):
    """A document that can't be accepted; ``problems`` lists everything that is wrong with it."""

    def __init__(self, what: str, problems: list[Problem]) -> None:
        self.problems = problems
        errors = [p for p in problems if p.severity == "error"]
        lines = "\n".join(f"  {p.pointer or '/'}: {p.said()}" for p in errors)
        super().__init__(f"{len(errors)} problem{'s' * (len(errors) != 1)} in {what}:\n{lines}")


class UnknownName(BadInput):
    """No such blueprint, task, flow or topic."""


class NotPossible(BadInput):
    """Understood, but not possible in the present state."""


class LogInUse(NotPossible):
    """The embedded log belongs to one process, and that is another one."""


class AccessRefused(SfcError):
    """Who asks may not."""


class NotAuthenticated(AccessRefused):
    """A request without a key, or with one that does not hold good."""


class NotAllowed(AccessRefused):
    """A request that its key's role does not include, or that comes from where none may come."""


class LogError(SfcError):
    """The log refused or failed."""


class LogUnavailable(LogError):
    """No broker answers."""


class TopicMissing(LogError):
    """A topic that is needed is not there."""


class TopicMismatch(LogError):
    """A topic's partitions or settings would break a promise."""


class RecordTooLarge(LogError):
    """A record is over what its topic takes."""


class ProducerFenced(LogError):
    """Another owner has initialised the same transactional id: what it guards is not ours any more."""


class ProducerFailed(LogError):
    """Records were not delivered, or the outcome of a commit is unclear. The producer is spent; go back to the log."""


class ShardUnclear(ProducerFailed):
    """What became of one shard's transaction is unclear: the shard goes back to the log, and no other."""


class TransactionAborted(ProducerFailed):
    """A transaction that refused a record: it is aborted, nothing of it is visible, and the producer can ``begin`` again.

    ``refused``: topic, key and reason of the records that were not taken (as far as they are known).
    """

    def __init__(self, message: str, refused: tuple[tuple[str, bytes | None, str], ...] = ()) -> None:
        super().__init__(message)
        self.refused = refused


class MalformedRecord(SfcError):
    """A record that can't be understood. Its message is the reason of the dead letter."""


class NoAnswer(SfcError):
    """Something was asked for durably (it is on the log), and no answer came in time: it may be carried out later."""


class ShardStopped(SfcError):
    """A shard that must not go on until an operator has looked at it."""


class StoreFailed(SfcError):
    """An engine's local store can't be opened or written. Nothing is lost: it is a copy of what is in the log."""


class RegistryError(SfcError):
    """The registry's database refused or failed."""


class RegistryUnavailable(RegistryError):
    """The registry's database does not answer."""


class IndexFailed(SfcError):
    """The flow index refused or failed. Flows go on without it."""


class IndexUnavailable(IndexFailed):
    """The flow index does not answer, or is overloaded."""


class IndexReplaced(IndexFailed):
    """A rebuilt flow index has taken the place of the one that was written."""
