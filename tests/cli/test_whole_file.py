"""Files appear whole or not at all, and what cannot be written is known before the work."""

import os
import threading
from pathlib import Path

import pytest

from unrolled.cli import main
from unrolled.cli._whole_file import check_place, write_whole
from unrolled.errors import UsageError


def test_a_file_is_written_into_folders_that_are_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.txt"
    check_place(path)
    assert list(path.parent.iterdir()) == []
    write_whole(path, "é\n")
    assert path.read_text("utf-8") == "é\n"
    assert list(path.parent.iterdir()) == [path]


def test_a_fault_leaves_what_stood_there(tmp_path: Path) -> None:
    path = tmp_path / "c.txt"
    path.write_text("old")
    check_place(path)
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "new \ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("act", [check_place, lambda path: write_whole(path, "x")])
def test_a_place_below_a_file(act, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    path = tmp_path / "file" / "c.txt"
    with pytest.raises(UsageError) as caught:
        act(path)
    assert str(caught.value).startswith(f"{path} cannot be written (")
    assert str(caught.value).endswith("); choose another place")
    assert (tmp_path / "file").read_text() == "old"


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a directory; give the name of a file"):
        check_place(tmp_path)


def test_a_pipe_is_written_to_and_stays(tmp_path: Path) -> None:
    pipe, heard = tmp_path / "pipe", []
    os.mkfifo(pipe)
    listener = threading.Thread(target=lambda: heard.append(pipe.read_text()))
    listener.start()
    check_place(pipe)
    write_whole(pipe, "said")
    listener.join(timeout=30)
    assert heard == ["said"]
    assert pipe.is_fifo()


@pytest.mark.parametrize("command", ["evaluate nowhere nowhere.tsv --save", "explain m a --html"])
def test_it_is_refused_before_anything_is_read(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command.split(), str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said.endswith(f"{tmp_path} is a directory; give the name of a file\n")
