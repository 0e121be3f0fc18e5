"""Reading blueprints and tasks from files."""

import json
from pathlib import Path

import pytest

from sfc.errors import BadInput
from sfc.registry.blueprint_document import check_blueprint
from sfc.registry.documents import canonical, content_hash
from sfc.registry.files import load_documents, parse_document
from sfc.registry.task_document import check_task


def test_yaml_is_read_as_json_means_it() -> None:
    document = parse_document(
        "a: no\nb: 2026-01-31\nc: 0x1f\nd: true\ne: ~\nf: 1.5\ng: 12\nh:\ni: 'no'\nj: 12345678901234567890123", "x.yaml"
    )
    assert document == {
        "a": "no", "b": "2026-01-31", "c": "0x1f", "d": True, "e": None, "f": 1.5, "g": 12, "h": None, "i": "no",
        "j": 12345678901234567890123,
    }  # fmt: skip


def test_anchors_and_merges_work() -> None:
    assert parse_document("a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}", "x.yaml")["b"] == {"p": 1, "q": 3}


@pytest.mark.parametrize(
    ("name", "text", "where"),
    [
        ("x.yaml", "a: 1\nb: [1, 2\nc: 3\n", "x.yaml:3:2: expected a YAML document"),
        ("x.yaml", "a: 1\nb: 2\na: 3\n", "x.yaml:3:1: expected each name once, came 'a' again"),
        ("x.yaml", "1: a\n", "x.yaml:1:1: expected a name (a text), came 1. Put it in quotes."),
        ("x.yaml", "a: 1e999\n", "x.yaml:1:4: expected a number that a double can hold, came 1e999. Write it as text, in quotes."),
        (
            "x.yaml",
            "a: !!python/object:os.system {}\n",
            "x.yaml:1:4: expected a value that JSON has, came one of !!python/object:os.system",
        ),
        ("x.yaml", "a: \tb\x01", "x.yaml:1:6: expected a YAML document"),
        ("x.json", '{"a": 1,\n "b": }', "x.json:2:7: expected a JSON document"),
        ("x.json", '{"a": 1, "a": 2}', "x.json:1:10: expected each name once, came 'a' again"),
        ("x.json", '{"a": NaN}', "x.json:1:7: expected a value that JSON has, came NaN"),
        ("x.json", "[" * 200_000, "x.json:1:1: expected a few levels of objects and lists in one another"),
    ],
)
def test_what_cannot_be_read_is_refused_with_file_and_line(name: str, text: str, where: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_document(text, name)
    assert caught.value.message.startswith(where)


def test_a_folder_gives_its_blueprints_and_tasks_and_no_records(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "order.yaml").write_text("StartAt: A\nStates: {}\n")
    (tmp_path / "tasks" / "split.json").write_text('{"Name": "split"}')
    (tmp_path / "expected.json").write_text('{"SUCCEEDED": 3}')
    (tmp_path / "list.json").write_text("[1, 2]")
    (tmp_path / "orders.jsonl").write_text('{"Name": "a record"}')
    assert load_documents(tmp_path) == [
        (str(tmp_path / "order.yaml"), {"StartAt": "A", "States": {}}),
        (str(tmp_path / "tasks" / "split.json"), {"Name": "split"}),
    ]


def test_a_single_file_must_hold_an_object(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("- 1\n")
    with pytest.raises(BadInput, match=r"a.yaml:1:1: expected a blueprint or a task \(an object\), came a list"):
        load_documents(file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(BadInput, match="expected UTF-8 text, came the byte 0xff"):
        load_documents(file)


def test_a_missing_path_and_an_empty_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is not there"):
        load_documents(tmp_path / "nothing")
    with pytest.raises(BadInput, match="has no blueprint and no task"):
        load_documents(tmp_path)


def test_the_content_hash_does_not_depend_on_the_order_of_keys() -> None:
    assert content_hash(canonical({"b": 1, "a": "ü"})) == content_hash(canonical({"a": "ü", "b": 1}))
    assert content_hash(canonical({"a": 1})) != content_hash(canonical({"a": 1.5}))


def test_half_of_a_surrogate_pair_is_refused_in_a_task_and_in_a_blueprint_s_own_section() -> None:
    half = json.loads('"\\ud800"')
    task = check_task({"Name": "a", "Comment": half})
    blueprint = check_blueprint({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}, "Sfc": {"Name": "b", "Resources": {half: "x"}}}, {})
    assert [(p.code, p.pointer) for p in [*task, *blueprint]] == [("not-json", "/Comment"), ("not-json", "/Sfc/Resources")]
