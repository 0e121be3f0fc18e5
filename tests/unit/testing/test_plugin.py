from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sfc.testing import Outcome

Run = Callable[..., Outcome]
SUITE = """
def test_a_blueprint_beside_the_test(sfc_run):
    outcome = sfc_run("shop.yaml", {"n": 1}, mocks={"A": [{"return": 2}]})
    assert (outcome.status, outcome.output) == ("SUCCEEDED", 2)
"""
SHOP = 'StartAt: A\nStates:\n  A: {Type: Task, Resource: "task:a", End: true}\n'

pytest_plugins = ["pytester"]


def test_the_plugin_comes_with_the_package_and_finds_files_beside_the_test(pytester: pytest.Pytester) -> None:
    pytester.mkpydir("shop")
    (pytester.path / "shop" / "shop.yaml").write_text(SHOP)
    (pytester.path / "shop" / "test_shop.py").write_text(SUITE)
    pytester.runpytest_inprocess("shop").assert_outcomes(passed=1)


def test_a_file_of_the_working_directory_and_a_document_are_taken_too(
    sfc_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere.yaml").write_text(SHOP)
    monkeypatch.chdir(tmp_path)
    mocks: dict[str, Any] = {"A": {"return": 3}}
    assert sfc_run("elsewhere.yaml", mocks=mocks).output == sfc_run(tmp_path / "elsewhere.yaml", mocks=mocks).output == 3
    assert sfc_run(SHOP, mocks=mocks).output == 3
