"""Marking functions as tasks, and finding them in modules."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from sfc_workers import load_modules, task
from sfc_workers.tasks import chosen

from sfc.errors import BadInput


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    return tmp_path


def test_modules_of_the_working_directory_are_found(module: Path) -> None:
    (module / "shop_one.py").write_text(
        "from sfc_workers import task\n@task('pick')\nasync def pick(job): ...\n@task('pack', blocking=False)\ndef pack(job): ...\n"
    )
    found = load_modules(["shop_one"])
    assert {n: (h.is_async, h.blocking) for n, h in found.items()} == {"pick": (True, False), "pack": (False, False)}


def test_a_function_may_be_called_as_before() -> None:
    @task("add")
    def add(a: int, b: int) -> int:
        return a + b

    assert add(1, 2) == 3


def test_a_function_that_two_modules_show_is_one(module: Path) -> None:
    (module / "shop_base.py").write_text("from sfc_workers import task\n@task('pick')\ndef pick(job): ...\n")
    (module / "shop_more.py").write_text("from shop_base import pick\n")
    assert list(load_modules(["shop_base", "shop_more"])) == ["pick"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("shop_missing", None, "there is no module shop_missing"),
        ("shop_missing.workers", None, "nothing called shop_missing was found"),
        ("shop_needs", "import not_installed_anywhere", "needs not_installed_anywhere"),
        ("shop_empty", "x = 1", "module shop_empty has no tasks"),
        ("", None, "is no module's name"),
        ("shop_torn", "x = (", "module shop_torn does not compile: .*shop_torn.py, line 1: "),
        ("make_orders.py", None, "make_orders.py is a file"),
    ],
)
def test_a_module_that_is_of_no_use_is_refused_with_the_reason(module: Path, name: str, content: str | None, message: str) -> None:
    if content is not None:
        (module / f"{name}.py").write_text(content)
    with pytest.raises(BadInput, match=message):
        load_modules([name])


def test_a_module_that_only_lies_in_the_checkout_is_not_taken_for_one_of_the_working_directory(
    module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = module / "checkout"
    for folder in ("sfc", "elsewhere"):
        (checkout / folder).mkdir(parents=True)
    (checkout / "pyproject.toml").touch()
    (checkout / "shop_greet.py").write_text("from sfc_workers import task\n@task('hello')\ndef hello(job): ...\n")
    monkeypatch.setattr("sfc.__file__", str(checkout / "sfc" / "__init__.py"))
    sys.path.append(str(checkout))
    monkeypatch.chdir(checkout / "elsewhere")
    with pytest.raises(BadInput, match=r"there is no module shop_greet in .*elsewhere"):
        load_modules(["shop_greet"])
    monkeypatch.chdir(checkout)
    assert list(load_modules(["shop_greet"])) == ["hello"]


def test_a_task_that_two_functions_claim_is_refused(module: Path) -> None:
    for name in ("shop_a", "shop_b"):
        (module / f"{name}.py").write_text("from sfc_workers import task\n@task('twice')\ndef work(job): ...\n")
    with pytest.raises(BadInput, match=r"shop_a\.work, shop_b\.work"):
        load_modules(["shop_a", "shop_b"])


@pytest.mark.parametrize("name", ["", "Order", "order_split", "-x", "x" * 64])
def test_a_name_that_no_task_can_have_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="can't be a task's name"):
        task(name)


def test_a_worker_may_do_some_tasks_of_its_modules_only(module: Path) -> None:
    lines = [f"@task({name!r})\ndef {name}(job): ..." for name in ("pick", "pack", "send")]
    (module / "shop_house.py").write_text("\n".join(("from sfc_workers import task", *lines)))
    found = load_modules(["shop_house"])
    assert chosen(found, []) == found
    assert sorted(chosen(found, ["send", "pick"])) == ["pick", "send"]
    with pytest.raises(BadInput, match="no module does the task split") as refused:
        chosen(found, ["split", "pick"])
    assert refused.value.hint == "these are done: pack, pick, send"
