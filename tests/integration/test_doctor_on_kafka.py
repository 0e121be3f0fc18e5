"""`sfc doctor` and `sfc topics create` as their users run them, on a real Kafka: wrong settings are named with what mends them."""

from __future__ import annotations

import json
import shlex
import uuid
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from typer.testing import CliRunner

from sfc.cli.app import app
from sfc.engine.rules import RULES
from sfc.engine.shard import ShardState
from sfc.wire.state import encode_shard, interval_headers, shard_key
from tests.integration.installation import installation


def run(kafka: str, namespace: str, *words: str, **more: str) -> Any:
    return CliRunner().invoke(app, list(words), env={"SFC_KAFKA": kafka, "SFC_NAMESPACE": namespace, "SFC_SHARDS": "2", **more})


def examined(kafka: str, namespace: str) -> tuple[int, dict[tuple[str, str], dict[str, Any]]]:
    """Exit code, and findings by code and topic."""
    result = run(kafka, namespace, "doctor", "--json")
    return result.exit_code, {(f["code"], f.get("topic", "")): f for f in json.loads(result.stdout)["findings"]}


def alter(kafka: str, command: str) -> None:
    """Carries out a kafka-configs.sh command as a doctor prints it."""
    words = shlex.split(command)
    topic, change = words[words.index("--entity-name") + 1], words[words.index("--add-config") + 1]
    resource = ConfigResource(ResourceType.TOPIC, topic)
    resource.incremental_configs = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in (x.split("=") for x in change.split(","))
    ]
    client = AdminClient({"bootstrap.servers": kafka})
    for future in client.incremental_alter_configs([resource]).values():
        future.result(10)


def test_topics_are_made_as_they_must_be_or_written_down(kafka: str) -> None:
    namespace = f"make-{uuid.uuid4().hex[:8]}"
    printed = run(kafka, namespace, "topics", "create", "--print", "--replication", "3")
    assert printed.exit_code == 0, printed.stderr
    lines = printed.stdout.splitlines()
    assert len(lines) == 8
    commands = next(line for line in lines if f" {namespace}.commands " in line)
    for expected in (f"--bootstrap-server {kafka}", "--partitions 2", "LogAppendTime", "--replication-factor 3", "min.insync.replicas=2"):
        assert expected in commands
    assert all(line.endswith("--if-not-exists") for line in lines)
    assert {code for code, _ in examined(kafka, namespace)[1]} >= {"topic-missing"}, "nothing was made by that"
    made = run(kafka, namespace, "topics", "create")
    assert made.exit_code == 0, made.stderr
    assert "8 made, 0 were there" in made.stdout
    assert "0 made, 8 were there" in run(kafka, namespace, "topics", "create").stdout
    assert "0 made, 8 were there" in run(kafka, namespace, "topics", "create", SFC_SHARDS="8").stdout, "the topics say how many"
    engine = run(kafka, namespace, "engine", "--shards", "0-9", "--port", "0")
    assert (engine.exit_code, "0-9 was expected within 0-1" in engine.stderr) == (3, True)
    assert not [code for code, _ in examined(kafka, namespace)[1] if code not in ("no-engine-seen", "one-replica", "auto-create")]


def test_wrong_settings_are_found_and_mended_by_the_commands_that_are_shown(kafka: str) -> None:
    namespace = f"sick-{uuid.uuid4().hex[:8]}"
    assert run(kafka, namespace, "topics", "create").exit_code == 0
    planted = {
        ("append-time", "commands"): "message.timestamp.type=CreateTime",
        ("unclean-election", "state"): "unclean.leader.election.enable=true",
        ("cleanup-policy", "definitions"): "cleanup.policy=delete",
        ("message-bytes", "history"): "max.message.bytes=1000000",
        ("retention-bytes", "jobs"): "retention.bytes=1000000",
        ("retention", "control"): "retention.ms=60000",
        ("segments", "dead-letters"): "segment.ms=1000",
        ("min-isr", "replies"): "min.insync.replicas=2",
    }
    for (_, topic), change in planted.items():
        alter(kafka, f"x --entity-name {namespace}.{topic} --add-config {change}")
    code, found = examined(kafka, namespace)
    assert code == 9
    for planted_code, topic in planted:
        finding = found[planted_code, f"{namespace}.{topic}"]
        assert finding["breaks"]
        alter(kafka, finding["mend"])
    _, left = examined(kafka, namespace)
    assert {code for code, _ in left} <= {"no-engine-seen", "one-replica", "auto-create", "segments"}
    shown = run(kafka, namespace, "doctor")
    assert "no-engine-seen" in shown.stdout
    assert "mend:   sfc engine" in shown.stdout


def test_a_running_installation_is_sound_and_a_held_shard_is_not(kafka: str, tmp_path: Path) -> None:
    with installation(kafka, tmp_path, shards=2) as site:
        names = site.site.names
        code, found = examined(kafka, names.namespace)
        assert {code for code, _ in found} <= {"one-replica", "auto-create"}, found
        assert code == 0
        producer = Producer({"bootstrap.servers": kafka, "transactional.id": f"{names.namespace}-service"})
        producer.init_transactions(10)
        producer.begin_transaction()
        producer.produce(names.commands, b"{}", b"somebody", 1)
        producer.flush(10)
        _, found = examined(kafka, names.namespace)
        assert found["shard-held", names.commands]["shard"] == 1
        producer.abort_transaction(10)
        refused = run(kafka, names.namespace, "doctor", "--accept-rules", "0")
        assert refused.exit_code == 5
        assert "error: shard 0 has no record of its own" in refused.stderr


def test_an_older_releases_shard_is_taken_on_an_operators_word(kafka: str, tmp_path: Path) -> None:
    namespace = f"rules-{uuid.uuid4().hex[:8]}"
    with installation(kafka, tmp_path, shards=2, engine=False, namespace=namespace) as site:
        names = site.site.names
        transaction = site.site.log.transaction(names.transactional_id(0))
        transaction.begin()
        state = ShardState(0, interval=1, rules=RULES - 1)
        transaction.send(names.state, encode_shard(state), shard_key(0), interval_headers(1), 0)
        transaction.commit()
        transaction.close()
        _, found = examined(kafka, namespace)
        assert found["rules", ""]["mend"].endswith("sfc doctor --accept-rules 0")
        done = run(kafka, namespace, "doctor", "--accept-rules", "0")
        assert done.exit_code == 0, done.stderr
        assert f"shard 0 has rules number {RULES} now, it had {RULES - 1}" in done.stdout
        assert ("rules", "") not in examined(kafka, namespace)[1]
        again = run(kafka, namespace, "doctor", "--accept-rules", "0", "--json")
        assert again.exit_code == 5


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--skip", "3"), 2, "3@1207"),
        (("--retry", "x@y"), 2, "3@1207"),
        (("--skip", "0@0", "--retry", "0@0"), 2, "one at a time"),
        (("--skip", "0@0"), 5, "no offset 0"),
        (("--retry", "0@0"), 5, "never decided anything"),
    ],
)
def test_what_can_not_be_done_is_said(kafka: str, words: tuple[str, ...], code: int, said: str) -> None:
    namespace = "doctor-refuses"
    run(kafka, namespace, "topics", "create")
    result = run(kafka, namespace, "doctor", *words)
    assert result.exit_code == code, result.output
    assert said in result.stderr
