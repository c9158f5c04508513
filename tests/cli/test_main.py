"""The front door: help, version, unknown names, and which failures become a sentence."""

import errno
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from types import ModuleType

import pytest

from unrolled.cli import _commands, main
from unrolled.errors import DataError

HEAVY = ("torch", "lightning", "numpy", "tokenizers", "rich", "unrolled.seq2seq", "unrolled.nn")


def _heavy_modules_after(*arguments: str) -> str:
    code = (
        "import sys\n"
        "from unrolled.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        f"print([m for m in {(*HEAVY, 'jsonargparse')!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    assert done.stdout
    return done.stderr.strip()


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_the_top_level_loads_nothing_but_itself(option: str) -> None:
    assert _heavy_modules_after(option) == "[]"


@pytest.mark.parametrize("command", list(_commands.COMMANDS))
def test_the_help_of_a_command_loads_the_parser_only(command: str) -> None:
    assert _heavy_modules_after(command, "--help") == "['jsonargparse']"


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--help"], ["-h"], ["help"]):
        assert main(arguments) == 0
        assert capsys.readouterr().out == _commands.top_level_help()
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"unrolled {version('unrolled')}\n"


def test_help_of_a_command_by_either_name(capsys: pytest.CaptureFixture[str]) -> None:
    texts = []
    for arguments in (["help", "info"], ["info", "--help"]):
        with pytest.raises(SystemExit) as exit_:
            main(arguments)
        assert exit_.value.code == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]


def test_nothing_given_is_answered_by_the_help_on_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([]) == 2
    assert capsys.readouterr() == ("", _commands.top_level_help())


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("fti", "unrolled: there is no command 'fti' (did you mean 'fit'?); the commands are: "),
        ("train", "unrolled: there is no command 'train'; the commands are: fit, "),
        ("--hepl", "unrolled: there is no option '--hepl' (did you mean '--help'?); "),
    ],
)
def test_an_unknown_name_brings_the_nearest(
    given: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([given]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(sentence)
    assert err.count("\n") == 1


def _fail_with(failure: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(arguments: Sequence[str]) -> int:
        raise failure

    module = ModuleType("failing")
    module.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "failing", module)
    monkeypatch.setitem(
        _commands.COMMANDS, "info", _commands.Command("info", "", module="failing", extra="train")
    )


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [
        (DataError("a.tsv:3: no tab\nin it"), "a.tsv:3: no tab in it"),
        (
            FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "a.tsv"),
            "a.tsv: no such file or directory",
        ),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "m"), "m: no space left on device"),
        (
            ModuleNotFoundError("No module named 'torch'", name="torch._C"),
            'this needs torch, which is not installed; install the extra "train": '
            'pip install ".[train]" in a clone of unrolled',
        ),
    ],
)
def test_what_the_user_can_mend_is_one_sentence(
    failure: Exception,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _fail_with(failure, monkeypatch)
    assert main(["info"]) == 2
    assert capsys.readouterr() == ("", f"unrolled info: {sentence}\n")


@pytest.mark.parametrize(
    "defect",
    [
        ValueError("a defect"),
        OSError("without a number"),
        ModuleNotFoundError("No module named 'unrolled.gone'", name="unrolled.gone"),
    ],
)
def test_a_defect_keeps_its_traceback(defect: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    _fail_with(defect, monkeypatch)
    with pytest.raises(type(defect)) as raised:
        main(["info"])
    assert raised.value is defect


@pytest.mark.parametrize(
    ("interrupt", "sentence"),
    [(KeyboardInterrupt(), "interrupted"), (KeyboardInterrupt("go on with: x"), "go on with: x")],
)
def test_an_interrupt_exits_130(
    interrupt: KeyboardInterrupt,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _fail_with(interrupt, monkeypatch)
    assert main(["info"]) == 130
    assert capsys.readouterr() == ("", f"unrolled info: {sentence}\n")


def test_a_reader_that_goes_away_is_no_failure() -> None:
    script = "import sys; from unrolled.cli import main; sys.exit(main(['--help']))"
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-c", script], stdout=writing, stderr=subprocess.PIPE, text=True
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")
