"""Every code that a problem of a document may have, with what it means: for SARIF, and for docs/reference/problems.md."""

from __future__ import annotations

CODES = {
    # The text of the file.
    "syntax": "The file is no YAML or JSON, or no UTF-8 text.",
    "duplicate-key": "An object has the same name twice.",
    "bad-key": "A name is a number or a truth value: put it in quotes.",
    "not-json": "The document holds what JSON does not have.",
    "too-deep": "More objects and lists stand in one another than can be read.",
    "too-large": "A document or an input is larger than allowed.",
    "unknown-kind": "The document is neither a blueprint nor a task.",
    # Fields and values.
    "unknown-field": "A field that does not belong here, or is misspelt.",
    "missing-field": "A field that is needed is missing.",
    "wrong-type": "A value has the wrong type: a text where a number is expected.",
    "bad-value": "A value is none of the words that are allowed.",
    "wrong-value": "A value is none of those that are allowed.",
    "out-of-range": "A number is too small or too large.",
    "mutually-exclusive": "Two fields are given of which one at most may be.",
    "one-of": "Two things are given of which one at most may be.",
    "duplicate-field": "A template gives a field twice, with .$ and without.",
    "bad-name": "A name has characters or a length that are not allowed.",
    "bad-timestamp": "A time is no RFC 3339 timestamp with Z or an offset.",
    "bad-duration": "A duration is not one of ISO 8601, as P14D.",
    "bad-expression": "A condition, a template or a text with places can't be understood.",
    "bad-url": "A URL can't be understood.",
    "bad-topic": "A topic's name has characters that Kafka does not allow.",
    "bad-module": "A name is none of a Python module.",
    "bad-schedule": "A cron expression can't be understood.",
    "bad-time-zone": "A time zone is unknown.",
    "twice": "A name is given twice where each must be its own.",
    "not-yet": "The language or SFC knows it, this release does not yet.",
    "old-dialect": "A word of the blueprints before SFC 0.1.",
    # States and transitions.
    "unknown-type": "A state has a type that is none.",
    "unknown-state": "A transition leads to a state that is not there.",
    "duplicate-state": "Two states of the machine have the same name.",
    "crosses-branches": "A transition leads out of its branch, or into one.",
    "missing-transition": "A state has neither Next nor End.",
    "no-terminal-state": "No state of the machine or branch is the last.",
    "unreachable-state": "No way leads from StartAt to the state.",
    "bad-path": "A path or an intrinsic function can't be understood.",
    "literal-path": "A text looks like a path or a function, but its field's name does not end in .$: it stays as it is.",
    # JSONata and variables.
    "bad-jsonata": "An expression makes no sense, or sees what its place does not have.",
    "unknown-function": "An expression calls a function that JSONata does not have.",
    "variable-of-outer-scope": "A state assigns a variable that a scope around it assigns.",
    # Errors, retries, times.
    "states-all-alone": "States.ALL stands with other names.",
    "states-all-last": "States.ALL stands in an entry that is not the last.",
    "unknown-error": "An error name is none of the language's, but looks like one of them.",
    "never-raised": "An error name that the language reserves and that no state fails with.",
    "never-matches": "A retrier or catcher whose errors are all taken by entries before it.",
    "repeated-error": "A retrier or catcher names an error that an entry before it takes.",
    "long-timeout": "A timeout beyond the days for which a job is kept.",
    "timeout-beyond-machine": "A state may last longer than the whole machine.",
    "wait-of-zero": "A Wait that waits for nothing.",
    # Choice.
    "bad-rule": "A choice rule has no comparison, or several.",
    "choice-without-default": "A Choice without Default: what no rule takes fails the flow.",
    # Detached branches.
    "bad-join": "A Join names no detached Parallel of its branch.",
    "never-joined": "A detached Parallel that no Join names: nobody hears of its branches' failures.",
    # Map.
    "needs-distributed": "A field of a distributed Map in one whose Mode is INLINE.",
    "no-effect": "A field that means nothing here.",
    # Resources and the registry.
    "unknown-resource": "Nothing is known that runs the Resource.",
    "unknown-task": "There is no task of this name.",
    "unknown-blueprint": "There is no blueprint of this name.",
    "own-blueprint": "A blueprint starts itself, in the version that is to be saved.",
    "cycle": "Blueprints that are deployed together start one another in a ring.",
    "unknown-version": "The task or blueprint has no such version.",
    "two-by-key": "Two branches would wait for replies on one topic that nothing tells apart.",
    "same-topic": "Jobs and replies share a topic.",
    "retired": "The blueprint is retired.",
    "other-kind": "A draft is of another kind than its name says.",
    "other-name": "A draft's document has another name than the draft.",
}
WARNINGS = frozenset(
    {
        "unreachable-state", "literal-path", "unknown-error", "never-raised", "never-matches", "repeated-error", "long-timeout",
        "timeout-beyond-machine", "wait-of-zero", "choice-without-default", "no-effect", "never-joined",
    }
)  # fmt: skip
"""Codes of warnings: what is right by the language and yet hardly what was meant. All others are errors."""
