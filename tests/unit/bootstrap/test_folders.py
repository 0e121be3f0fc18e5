"""A folder of items or results that is wrong ends a worker at its start, and not the first Map that needs it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from sfc.bootstrap.folders import check_folders
from sfc.cli.app import app
from sfc.errors import BadInput
from sfc.settings import Settings


@pytest.mark.parametrize(
    ("setting", "name", "said"),
    [
        ("items_dir", "away", "SFC_ITEMS_DIR: expected a folder with files to read, .*away is not there"),
        ("items_dir", "file", "SFC_ITEMS_DIR: expected a folder with files to read, .*file is no folder"),
        ("results_dir", "file", "SFC_RESULTS_DIR: expected a folder to write files to, .*file is no folder"),
    ],
)
def test_a_folder_that_is_none_is_refused(tmp_path: Path, setting: str, name: str, said: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match=said) as caught:
        check_folders(Settings.model_validate({setting: tmp_path / name}))
    assert "leave the setting out" in caught.value.hint


def test_folders_that_are_there_and_one_for_results_that_is_made_later_are_taken(tmp_path: Path) -> None:
    check_folders(Settings.model_validate({"items_dir": tmp_path, "results_dir": tmp_path / "later"}))
    check_folders(Settings())


def test_who_starts_a_worker_or_dev_is_told_at_once(tmp_path: Path) -> None:
    wrong = {"SFC_ITEMS_DIR": str(tmp_path / "away"), "SFC_DATA": str(tmp_path / "data"), "SFC_KAFKA": ""}
    for words in (["worker", "--kafka", "127.0.0.1:1"], ["dev", "--memory", "--port", "0"]):
        result = CliRunner().invoke(app, words, env=wrong)
        assert (result.exit_code, "SFC_ITEMS_DIR: expected a folder" in result.stderr) == (3, True), result.output
