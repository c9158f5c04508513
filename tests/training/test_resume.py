"""A run that was killed or stopped ends bit for bit where it would have ended."""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from dying_fits import three_epochs
from run_files import LAST, checkpoint, lines

from unrolled.errors import TrainingError
from unrolled.seq2seq import FitResult

HERE = Path(__file__).parent

# name: where the run is hit, at which call, by what, and the step it goes on from.
DEATHS = {
    "between checkpoints": ("training step", 8, "SIGKILL", 4),
    "just after an epoch": ("training step", 11, "SIGKILL", 10),
    "in the next epoch": ("training step", 14, "SIGKILL", 12),
    "with half a checkpoint written": ("half a checkpoint", 5, "SIGKILL", 12),
    "with half a model written": ("half a model", 2, "SIGKILL", 8),
}
STOPS = {
    "in a step": ("training step", 7, "SIGINT", 7),
    "by SIGTERM": ("training step", 13, "SIGTERM", 13),
    "while scoring": ("scoring", 1, "SIGINT", 10),
}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train.tsv and dev.tsv: small letters to capitals, 10 steps an epoch."""
    folder = tmp_path_factory.mktemp("pairs")
    chance = random.Random(1)
    words = ["".join(chance.choices("abcde", k=chance.randint(1, 5))) for _ in range(200)]
    lines = [f"{word}\t{' '.join(word.upper())}\n" for word in words]
    (folder / "train.tsv").write_text("".join(lines))
    (folder / "dev.tsv").write_text("".join(lines[:20]))
    return folder


@pytest.fixture(scope="module")
def whole_run(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> FitResult:
    """A run that nothing interrupted; do not write into its directory."""
    return three_epochs(pairs, tmp_path_factory.mktemp("runs") / "whole")


@pytest.fixture
def run(pairs: Path, tmp_path: Path) -> Callable[..., FitResult]:
    """The same into a directory of the test's own, with changes."""
    return partial(three_epochs, pairs, tmp_path / "model")


@pytest.fixture(scope="module")
def dead_runs(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """For each name above the directory of its run, and how its process ended."""
    folder = tmp_path_factory.mktemp("dead")
    fits = [
        {"output": str(folder / name), "at": at, "call": call, "signal": hit}
        for name, (at, call, hit, _) in (DEATHS | STOPS).items()
    ]
    done = subprocess.run(
        [sys.executable, HERE / "dying_fits.py"],
        input=json.dumps({"pairs": str(pairs), "fits": fits}),
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    ends = json.loads(done.stdout)
    return {fit["output"].rpartition("/")[2]: end for fit, end in zip(fits, ends, strict=True)} | {
        "folder": folder
    }


def assert_same_end(resumed: FitResult, whole: FitResult) -> None:
    """Weights, optimizer, random numbers, best model, scores and log, all to the last bit."""
    found, expected = checkpoint(resumed.output), checkpoint(whole.output)
    assert found["progress"].pop("seconds") > 0
    expected["progress"].pop("seconds")
    assert found["progress"] == expected["progress"]
    torch.testing.assert_close(found["model"], expected["model"], rtol=0, atol=0)
    torch.testing.assert_close(found["optimizer"], expected["optimizer"], rtol=0, atol=0)
    assert torch.equal(found["random_states"][0]["cpu"], expected["random_states"][0]["cpu"])
    for name in ("model.safetensors", "config.json"):
        assert (resumed.output / name).read_bytes() == (whole.output / name).read_bytes()
    assert (resumed.scores, resumed.steps, resumed.epochs) == (
        whole.scores,
        whole.steps,
        whole.epochs,
    )
    assert lines(resumed.output) == lines(whole.output)


@pytest.mark.parametrize("name", DEATHS)
def test_a_killed_run_ends_where_it_would_have(
    name: str, dead_runs: dict[str, Any], pairs: Path, whole_run: FitResult
) -> None:
    assert dead_runs[name] == {"signal": signal.SIGKILL, "said": ""}
    output = dead_runs["folder"] / name
    assert checkpoint(output)["progress"]["step"] == DEATHS[name][3]
    assert_same_end(three_epochs(pairs, output, resume=True), whole_run)
    assert not list(output.rglob(".*")), "what the kill left half done is gone"


@pytest.mark.parametrize("name", STOPS)
def test_a_stopped_run_saves_says_how_to_go_on_and_does(
    name: str, dead_runs: dict[str, Any], pairs: Path, whole_run: FitResult
) -> None:
    output, step = dead_runs["folder"] / name, STOPS[name][3]
    assert dead_runs[name] == {
        "signal": 0,
        "said": f"TrainingInterruptedError: training was stopped at step {step}, and everything is "
        f"saved in {output}. The same call with resume=True goes on from there.",
    }
    assert checkpoint(output)["progress"]["step"] == step
    assert_same_end(three_epochs(pairs, output, resume=True), whole_run)


def test_the_whole_run_is_worth_comparing(whole_run: FitResult) -> None:
    """Dropout drew, the weights moved, and another seed gives other weights."""
    content = checkpoint(whole_run.output)
    assert content["progress"]["step"] == whole_run.steps == 30
    assert content["architecture"]["dropout"] == 0.3
    first = torch.Generator().manual_seed(1).get_state()
    assert not torch.equal(content["random_states"][0]["cpu"], first)


def test_another_seed_is_another_run(run: Callable[..., FitResult], whole_run: FitResult) -> None:
    other = checkpoint(run(seed=2).output)["model"]
    mine = checkpoint(whole_run.output)["model"]
    assert any(not torch.equal(other[name], mine[name]) for name in mine)


def test_a_finished_run_is_only_told_again(run: Callable[..., FitResult]) -> None:
    first = run(max_epochs=1)
    stamp = (first.output / LAST).stat().st_mtime_ns
    assert run(max_epochs=1, resume=True) == first
    assert (first.output / LAST).stat().st_mtime_ns == stamp


def test_limits_may_be_raised_and_the_change_is_said(run: Callable[..., FitResult]) -> None:
    run(max_epochs=1, schedule="constant")
    said: list[str] = []
    result = run(max_epochs=2, schedule="constant", resume=True, report=said.append)
    assert (result.steps, result.epochs) == (20, 2.0)
    assert said[0] == "going on with another setting: max_epochs was 1 and is now 2"


def test_what_a_run_ended_within_an_epoch_left_is_taken_up(
    run: Callable[..., FitResult], tmp_path: Path, pairs: Path
) -> None:
    whole = three_epochs(pairs, tmp_path / "whole", schedule="constant", max_epochs=2)
    half = run(schedule="constant", max_epochs=2, max_steps=13)
    assert (half.steps, half.epochs) == (13, 1.3)
    result = run(schedule="constant", max_epochs=2, resume=True)
    found, expected = checkpoint(result.output), checkpoint(whole.output)
    torch.testing.assert_close(found["model"], expected["model"], rtol=0, atol=0)


@pytest.mark.parametrize(
    ("changes", "phrase"),
    [
        ({"cell": "gru"}, "its architecture differs: cell was 'lstm' and is now 'gru'"),
        (
            {"decoder_hidden_size": 10, "attention": "additive"},
            "its architecture differs: attention was 'general' and is now 'additive'; "
            "decoder_hidden_size was 12 and is now 10",
        ),
        ({"seed": 3}, "its data differs: seed was 1 and is now 3"),
        ({"tokens_per_batch": 256}, "its data differs: tokens_per_batch was 160 and is now 256"),
        ({"monitor": "loss"}, "its data differs: monitor was 'wer' and is now 'loss'"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused_by_key(
    changes: dict[str, Any], phrase: str, pairs: Path, whole_run: FitResult
) -> None:
    path = whole_run.output / LAST
    before = path.read_bytes()
    with pytest.raises(TrainingError) as caught:
        three_epochs(pairs, whole_run.output, resume=True, **changes)
    assert str(caught.value) == (
        f"{path} is of another run, {phrase}. Resume with what it was started with, or train into "
        "another directory."
    )
    assert path.read_bytes() == before


def test_other_pairs_are_another_run(
    run: Callable[..., FitResult], pairs: Path, tmp_path: Path
) -> None:
    run(max_epochs=1)
    other = tmp_path / "other.tsv"
    other.write_text((pairs / "train.tsv").read_text() + "a\tB\n")
    with pytest.raises(TrainingError, match=r"its data differs: training pairs was .* and is now"):
        run(train=other, max_epochs=1, resume=True)


def test_without_a_checkpoint_there_is_nothing_to_resume(
    run: Callable[..., FitResult], tmp_path: Path
) -> None:
    with pytest.raises(TrainingError) as caught:
        run(resume=True, train=tmp_path / "nowhere.tsv")
    assert str(caught.value) == (
        f"{tmp_path / 'model' / LAST} does not exist, so there is nothing to resume; start without "
        "resume."
    )


def test_signals_are_given_back_however_a_run_ends(run: Callable[..., FitResult]) -> None:
    def handler(number: int, frame: object) -> None:
        raise AssertionError("no signal is sent")

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, handler) for number in numbers]
    try:
        run(max_epochs=1)
        assert [signal.getsignal(number) for number in numbers] == [handler, handler]
        with pytest.raises(TrainingError, match="the loss is"):
            run(learning_rate=1e38, warmup_steps=0)
        assert [signal.getsignal(number) for number in numbers] == [handler, handler]
    finally:
        for number, one in zip(numbers, before, strict=True):
            signal.signal(number, one)
