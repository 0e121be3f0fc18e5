"""/openapi.json: what FastAPI knows of the operations, with bodies, answers, examples, problems and roles.

Schemas come from the very types that the answers are made of, so that they can't drift from them; requests are decoded by hand.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from sfc.ports import DeadLetterDocument, DeadLetterPage, FlowDocument, FlowPage
from sfc.registry import DraftInfo, Edited, HoldEdited, KeyInfo, MadeKey, RolledBack, ScheduleInfo
from sfc.registry.pools import PoolEdited
from sfc.runtime.explain import Explanation
from sfc.wire.problems import KINDS, MEDIA_TYPE
from sfc_gateway import dev
from sfc_gateway import shapes as s
from sfc_gateway.examples import EXAMPLES, PARAMETERS
from sfc_gateway.operations import ADMIN, ANYBODY, HEALTH, ROLES

TAGS = {
    "flows": "Start flows, find them, pause, resume, stop and redrive them.",
    "definitions": "Blueprints and tasks: deploys, versions, differences, rollback.",
    "drafts": "Documents that somebody works on.",
    "holds": "Pauses of blueprints, versions, tasks and groups; statuses of blueprints.",
    "groups": "Business lines.",
    "schedules": "When flows start by the clock.",
    "workers": "Pools of workers.",
    "dead letters": "What could not be understood.",
    "overview": "Numbers.",
    "keys": "API keys and their roles.",
    "development only": "The embedded log's topics, in `sfc dev` alone.",
    "health": "Probes and metrics.",
}
_JSON, _YAML = "application/json", "application/yaml"
_READING, _WRITING = (400, 401, 403, 404, 422, 503), (400, 401, 403, 404, 409, 413, 422, 503, 504)
_TITLES = {422: "The document, or an argument, can't be accepted"} | {
    status: " / ".join(kind.title for kind in KINDS if kind.status == status) for status in (400, 401, 403, 404, 409, 413, 503, 504)
}


class Doc(NamedTuple):
    """``body``: its type, None for no body; ``required``: it must be there. ``answers``: their types by status, None: no content."""

    answers: dict[int, Any]
    body: Any = None
    required: bool = False
    media: tuple[str, ...] = (_JSON,)
    answer_media: str = _JSON


def _saved(body: Any) -> Doc:
    return Doc({200: s.DeployedDocument, 201: s.DeployedDocument}, body, required=True, media=(_JSON, _YAML))


_HOLD = Doc({200: HoldEdited}, s.HoldOptions)
_LIFT = Doc({200: HoldEdited}, s.Reason)
_STATUS = Doc({200: s.StatusEdited}, s.Reason)
_UNKNOWN = Doc({})
_HEALTH = Doc({200: s.Health, 503: s.Health})

DOCS: dict[str, Doc] = {
    "start_flow": Doc({202: s.Started, 200: s.Outcome}, s.AnyJson),
    "find_flows": Doc({200: FlowPage}),
    "get_flow": Doc({200: FlowDocument}),
    "get_history": Doc({200: s.HistoryPage}),
    "get_runs": Doc({200: s.Runs}),
    "explain_flow": Doc({200: Explanation}),
    "pause_flow": Doc({200: s.Verdict}, s.Reason),
    "resume_flow": Doc({200: s.Verdict}, s.Reason),
    "stop_flow": Doc({200: s.Verdict}, s.StopOptions),
    "redrive_flow": Doc({200: s.Verdict}, s.RedriveOptions),
    "signal_flow": Doc({200: s.Verdict}, s.SignalOptions),
    "deploy": Doc({200: s.DeployAnswer}, list[s.SourceDocument], required=True),
    "list_blueprints": Doc({200: s.BlueprintList}),
    "get_blueprint": Doc({200: s.BlueprintAt}),
    "put_blueprint": _saved(s.BlueprintDocument),
    "list_versions": Doc({200: s.VersionPage}),
    "roll_back": Doc({200: RolledBack}, s.RollbackOptions),
    "get_diff": Doc({200: s.DiffShown}),
    "post_diff": Doc({200: s.DiffShown}, s.BlueprintDocument, required=True, media=(_JSON, _YAML)),
    "pause_blueprint": Doc({200: Edited}, s.HoldOptions),
    "resume_blueprint": Doc({200: Edited}, s.Reason),
    "enable_blueprint": Doc({200: Edited}, s.Reason),
    "disable_blueprint": _STATUS,
    "retire_blueprint": _STATUS,
    "pause_version": _HOLD,
    "resume_version": _LIFT,
    "list_tasks": Doc({200: s.TaskList}),
    "get_task": Doc({200: s.TaskAt}),
    "put_task": _saved(s.TaskDocument),
    "pause_task": _HOLD,
    "resume_task": _LIFT,
    "list_holds": Doc({200: s.HoldList}),
    "list_groups": Doc({200: s.GroupList}),
    "get_group": Doc({200: s.GroupShown}),
    "pause_group": _HOLD,
    "resume_group": _LIFT,
    "stop_group": Doc({202: s.GroupStopped}, s.StopOptions),
    "list_drafts": Doc({200: s.DraftPage}),
    "get_draft": Doc({200: DraftInfo}),
    "put_draft": Doc({200: DraftInfo}, s.AnyDocument, required=True, media=(_JSON, _YAML)),
    "delete_draft": Doc({204: None}),
    "validate_draft": Doc({200: s.Checked}),
    "deploy_draft": Doc({200: s.DeployedDocument, 201: s.DeployedDocument}),
    "list_schedules": Doc({200: s.ScheduleList}),
    "get_schedule": Doc({200: ScheduleInfo}),
    "list_workers": Doc({200: s.PoolList}),
    "scale_workers": Doc({200: PoolEdited}, s.PoolNumbers, required=True),
    "drain_workers": Doc({200: PoolEdited}, s.Nothing),
    "undrain_workers": Doc({200: PoolEdited}, s.Nothing),
    "list_dead_letters": Doc({200: DeadLetterPage}),
    "get_dead_letter": Doc({200: DeadLetterDocument}),
    "replay_dead_letter": Doc({200: s.Replayed}, s.Mended),
    "discard_dead_letter": Doc({200: s.Discarded}),
    "get_statistics": Doc({200: s.StatisticsShown}),
    "get_throughput": Doc({200: s.ThroughputShown}),
    "get_cluster": Doc({200: s.Cluster}),
    "list_keys": Doc({200: s.KeyList}),
    "create_key": Doc({201: MadeKey}, s.NewKey, required=True),
    "revoke_key": Doc({200: KeyInfo}),
    "list_topics": Doc({200: s.TopicList}),
    "publish_records": Doc({200: s.Published}, s.Lines, media=(dev.MEDIA_TYPE,)),
    "tail_topic": Doc({200: s.Lines}, answer_media=dev.MEDIA_TYPE),
    "livez": _HEALTH,
    "readyz": _HEALTH,
    "metrics": Doc({200: s.Text}, answer_media="text/plain"),
}


def install(app: FastAPI) -> None:
    """Makes it when it is first asked for."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _described(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _described(app: FastAPI) -> dict[str, Any]:
    tags = [{"name": name, "description": about} for name, about in TAGS.items()]
    api = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes, tags=tags)
    types = list(dict.fromkeys([s.ProblemDocument, *(t for d in DOCS.values() for t in [d.body, *d.answers.values()] if t is not None)]))
    made, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    schemas = dict(zip(types, made, strict=True))
    api["components"] = {
        "schemas": dict(sorted(components.items())),
        "responses": {f"Problem{status}": _problem(schemas, status) for status in _TITLES},
        "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "bearerFormat": "sfc_<id>_<secret>", "description": _KEYS}},
    }
    for methods in api["paths"].values():
        for method, operation in methods.items():
            _describe(operation, method, schemas)
    return api


_KEYS = "Asked for as soon as a key was made. Roles, each of which may do what those before it may: viewer, operator, editor, admin."


def _describe(operation: dict[str, Any], method: str, schemas: dict[Any, Any]) -> None:
    name = operation["operationId"]
    doc, role = DOCS.get(name, _UNKNOWN), ROLES.get(name, ADMIN)
    operation["security"] = [] if role == ANYBODY else [{"key": []}]
    if role != ANYBODY:
        operation["x-sfc-role"] = role
    for parameter in operation.get("parameters", ()):
        example = PARAMETERS.get(parameter["name"])
        if example is not None:
            parameter["example"] = example
    if doc.body is not None:
        content = {media: {"schema": schemas[doc.body], "example": EXAMPLES[doc.body]} for media in doc.media}
        operation["requestBody"] = {"required": doc.required, "content": content}
    operation["responses"] = {
        **{str(status): _answer(doc, status, schemas) for status in doc.answers},
        **({} if name in HEALTH else _problems(name, method)),
    }


def _answer(doc: Doc, status: int, schemas: dict[Any, Any]) -> dict[str, Any]:
    found = doc.answers[status]
    if found is None:
        return {"description": "Done"}
    about = {200: "Done", 201: "Made", 202: "Accepted", 503: "Not now"}[status]
    return {"description": about, "content": {doc.answer_media: {"schema": schemas[found], "example": EXAMPLES[found]}}}


def _problems(name: str, method: str) -> dict[str, Any]:
    statuses = (401, 403) if name == "metrics" else _READING if method == "get" else _WRITING
    return {str(status): {"$ref": f"#/components/responses/Problem{status}"} for status in statuses}


def _problem(schemas: dict[Any, Any], status: int) -> dict[str, Any]:
    kind = next(kind for kind in KINDS if kind.status == status)
    example = {
        "type": f"urn:sfc:problem:{kind.code}",
        "title": kind.title,
        "status": status,
        "detail": "what was expected, what came, and where",
        "instance": "/v1/…",
    }
    if status == 404:
        example = EXAMPLES[s.ProblemDocument]
    return {"description": _TITLES[status], "content": {MEDIA_TYPE: {"schema": schemas[s.ProblemDocument], "example": example}}}
