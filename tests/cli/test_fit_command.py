"""``unrolled fit``: it trains, resumes, never overwrites unasked, and says what is wrong."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from unrolled.cli import main
from unrolled.cli._fit import parse_fit
from unrolled.seq2seq import TrainingInterruptedError

Run = Callable[..., str]


@pytest.fixture
def refusal(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a fit that is refused; gives its one sentence on standard error."""

    def run(*arguments: str) -> str:
        capsys.readouterr()
        assert main(["fit", *arguments]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("unrolled fit: ")
        assert err.endswith("\n")
        assert err.count("\n") == 1
        return err.removeprefix("unrolled fit: ").rstrip("\n")

    return run


def test_it_leaves_a_model_and_says_how_to_try_it(
    few: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "deep" / "model"
    assert main(["fit", *few, f"--output={directory}"]) == 0
    out, err = capsys.readouterr()
    assert err.startswith("epoch 1.0  step ")
    assert err.count("\n") == 1, "a line for an epoch, and no bar"
    assert out.startswith(f"trained 1.0 epochs; the best model is in {directory}\n")
    assert "development word error rate" in out
    assert out.endswith(f"try it: unrolled predict {directory}\n")
    assert (directory / "model.safetensors").exists()


def test_a_model_or_run_is_never_overwritten_unasked(
    few: list[str], tmp_path: Path, refusal: Run
) -> None:
    directory = tmp_path / "model"
    assert main(["fit", *few, f"--output={directory}"]) == 0
    before = (directory / "model.safetensors").read_bytes()
    words = refusal(*few, f"--output={directory}")
    assert words.startswith(f"{directory} holds a training run already; go on with: unrolled fit ")
    assert "--resume, or start again with --overwrite" in words
    (directory / "checkpoints" / "last.ckpt").unlink()
    (directory / "checkpoints").rmdir()
    words = refusal(*few, f"--output={directory}")
    assert words.startswith(f"{directory} holds a model already; ")
    assert (directory / "model.safetensors").read_bytes() == before
    assert main(["fit", *few, "--seed=2", f"--output={directory}", "--overwrite"]) == 0
    assert (directory / "model.safetensors").read_bytes() != before


@pytest.mark.parametrize(
    ("content", "options", "sentence"),
    [
        (None, [], "train.tsv does not exist"),
        (b"", [], "train.tsv is empty"),
        (b"a\tA\nb B\n", [], "train.tsv:2: "),
        (b"a\tA\n", ["--target_column=3"], "train.tsv:1: "),
        (b"x\ty\na\tA\n", ["--target_column=phones"], "no column named 'phones'"),
        (b"a\tA\n\xff\tB\n", [], "train.tsv:2: "),
        (b"a\tA\n\tB\n", [], "train.tsv:2: the source is empty"),
        (b"a\tA\nb\t \n", [], "train.tsv:2: the target is empty"),
        (b"a\tA\n" + b"a" * 100_000 + b"\tA\n", [], "train.tsv:2: the source has 100"),
        (b"a\tA\n", ["--source_symbols=bpe"], "give --source_vocab_size N"),
        (b"a\tA\n", ["--dev=nowhere.tsv"], "nowhere.tsv does not exist"),
        (b"a\tA\n", ["--bridge_hidden=copy", "--decoder_hidden_size=7"], "bridge"),
        (b"a\tA\n", ["--attention=dot", "--decoder_hidden_size=7"], "use 'general' instead"),
        (b"a\tA\n", ["--resume"], "nothing to resume; start without --resume"),
        (b"a\tA\n", ["--resume", "--overwrite"], "choose one"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_left(
    content: bytes | None, options: list[str], sentence: str, tmp_path: Path, refusal: Run
) -> None:
    train, dev, output = (tmp_path / name for name in ("train.tsv", "dev.tsv", "model"))
    dev.write_text("a\tA\n")
    if content is not None:
        train.write_bytes(content)
    data = [f"--train={train}", f"--dev={dev}", f"--output={output}"]
    assert sentence in refusal(*data, *options)
    assert not output.exists()


def test_resuming_another_architecture_names_what_differs(
    few: list[str], tmp_path: Path, refusal: Run
) -> None:
    output = f"--output={tmp_path / 'model'}"
    assert main(["fit", *few, output]) == 0
    words = refusal(*few, output, "--resume", "--cell=gru")
    assert "cell was 'lstm' and is now 'gru'" in words


def test_stopped_before_anything_was_saved_names_no_way_on(
    few: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stopped(**settings: object) -> None:
        raise TrainingInterruptedError("training was stopped at once.", may_resume=False)

    monkeypatch.setattr("unrolled.seq2seq._fit.fit", stopped)
    assert main(["fit", *few, f"--output={tmp_path / 'model'}"]) == 130
    assert capsys.readouterr() == ("", "unrolled fit: training was stopped at once.\n")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_device_that_is_not_there_is_said(few: list[str], tmp_path: Path, refusal: Run) -> None:
    words = refusal(*few, "--accelerator=gpu", f"--output={tmp_path / 'model'}")
    assert words.startswith("this machine cannot train that way: ")


def test_two_processes_train_one_model_and_say_so_once(few: list[str], tmp_path: Path) -> None:
    directory = tmp_path / "model"
    arguments = [*few, "--devices=2", "--strategy=ddp", f"--output={directory}"]
    done = subprocess.run(
        [sys.executable, "-m", "unrolled", "fit", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(f"trained 1.0 epochs; the best model is in {directory}") == 1
    assert done.stdout.count("try it: ") == 1


@pytest.mark.parametrize("machine", [[], ["--devices=2", "--strategy=ddp"]], ids=["one", "two"])
def test_ctrl_c_saves_and_the_command_it_names_goes_on(
    machine: list[str], few: list[str], tmp_path: Path
) -> None:
    directory = tmp_path / "model"
    arguments = [*few, *machine, "--max_epochs=100000", f"--output={directory}"]
    fit = subprocess.Popen(
        [sys.executable, "-m", "unrolled", "fit", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        deadline = time.monotonic() + 120
        while not (directory / "config.json").exists():
            assert fit.poll() is None, fit.communicate()
            assert time.monotonic() < deadline, "no model after two minutes"
            time.sleep(0.05)
        fit.send_signal(signal.SIGINT)
        out, err = fit.communicate(timeout=60)
    finally:
        fit.kill()
        fit.wait()
    assert (fit.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert err.count(f"everything is saved in {directory}. Go on with: unrolled fit ") == 1
    assert "resume=True" not in err
    go_on = err.rpartition("unrolled fit ")[2].rstrip()
    resumed = parse_fit(shlex.split(go_on))
    assert resumed.resume
    assert resumed.output == str(directory)
    assert (directory / "checkpoints" / "last.ckpt").exists()
