"""Training from outside: it learns, keeps the best, logs, and ends when it should."""

import csv
import json
import math
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboardX.proto.event_pb2 import Event

from unrolled import from_pretrained
from unrolled.errors import TrainingError
from unrolled.seq2seq import FitResult, evaluate, read_references
from unrolled.seq2seq._lightning_module import TrainingModule

Fit = Callable[..., FitResult]


def log(result: FitResult) -> list[dict[str, str]]:
    with (result.output / "logs" / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def scored(result: FitResult, column: str) -> list[float]:
    """A column of the lines that follow an epoch."""
    return [float(row[column]) for row in log(result) if row["dev_wer"]]


def events(folder: Path) -> list[Any]:
    """Records of TensorBoard's files: a length, its checksum, an event, its checksum."""
    found = []
    for path in sorted(folder.glob("events*")):
        data, start = path.read_bytes(), 0
        while start < len(data):
            size = int.from_bytes(data[start : start + 8], "little")
            event = Event()
            event.ParseFromString(data[start + 12 : start + 12 + size])
            found.append(event)
            start += 16 + size
    return found


def test_it_learns_and_what_it_leaves_is_what_it_says(small_fit: Fit, pairs: Path) -> None:
    result = small_fit(max_epochs=25, encoder_hidden_size=24, decoder_hidden_size=24, dropout=0.0)
    references = read_references(pairs / "dev.tsv")
    model = from_pretrained(result.output)
    scores = evaluate(model, references)
    assert scores.word_error_rate < 40
    assert scores.word_error_rate == min(scored(result, "dev_wer"))
    card = (result.output / "README.md").read_text("utf-8")
    assert f"{scores.word_error_rate:.2f}" in card
    assert result.epochs == 25


def test_the_log_is_a_table_and_for_tensorboard(small_fit: Fit) -> None:
    result = small_fit(max_epochs=3)
    rows = log(result)
    steps = [int(row["step"]) for row in rows]
    assert steps == sorted(steps)
    assert steps[-1] == result.steps
    assert len(scored(result, "dev_loss")) == 3
    assert float(rows[-1]["train_loss"]) < float(rows[0]["train_loss"])
    drawn = [
        (event.step, value.tag, value.simple_value)
        for event in events(result.output / "logs")
        for value in event.summary.value
    ]
    for row in rows:
        for tag in ("train_loss", "learning_rate", "dev_wer"):
            if row[tag]:
                [value] = [v for step, name, v in drawn if (step, name) == (int(row["step"]), tag)]
                assert value == pytest.approx(float(row[tag]), rel=1e-6)


def test_a_new_run_replaces_the_log_of_the_old(small_fit: Fit) -> None:
    small_fit(max_epochs=3)
    result = small_fit(max_epochs=1)
    assert len(scored(result, "dev_wer")) == 1
    assert len(list((result.output / "logs").glob("events*"))) == 1


@pytest.mark.parametrize("monitor", ["wer", "loss"])
def test_the_best_by_what_is_monitored_is_kept(monitor: str, small_fit: Fit) -> None:
    # A rate this high makes later epochs worse by either measure.
    result = small_fit(max_epochs=6, monitor=monitor, learning_rate=0.2, schedule="constant")
    column = {"wer": "dev_wer", "loss": "dev_loss"}[monitor]
    best = min(scored(result, column))
    kept = {
        "wer": "development word error rate, % (free-running, greedy)",
        "loss": "development loss, nats per symbol",
    }[monitor]
    assert result.scores[kept] == pytest.approx(best)
    assert scored(result, column)[-1] >= best


def test_patience_ends_it_after_so_many_epochs_without_a_better_score(small_fit: Fit) -> None:
    # A learning rate that moves nothing: the first score is never bettered.
    result = small_fit(max_epochs=50, patience=2, learning_rate=1e-12)
    assert result.epochs == 3


@pytest.mark.parametrize(
    ("limit", "steps"), [({"max_steps": 7}, 7), ({"max_minutes": 1e-6}, 1)], ids=["steps", "clock"]
)
def test_limits_end_it_within_an_epoch_and_a_model_is_left(
    limit: dict[str, float], steps: int, small_fit: Fit
) -> None:
    result = small_fit(**limit)
    assert result.steps == steps
    assert 0 < result.epochs < 1
    assert from_pretrained(result.output).predict(["abc"])


def test_it_logs_a_plain_line_for_each_epoch_where_there_is_no_terminal(
    small_fit: Fit, capfd: pytest.CaptureFixture[str]
) -> None:
    result = small_fit(max_epochs=2)
    out, err = capfd.readouterr()
    assert out == ""
    found = re.findall(
        r"^epoch (\d\.\d)  step (\d+)  dev WER ([\d.]+) %  PER ([\d.]+) %  loss ([\d.]+)  "
        r"\d:\d\d:\d\d(?:  best)?\n",
        err,
        flags=re.MULTILINE,
    )
    assert len(found) == err.count("\n") == 2
    epochs, steps, *scores = zip(*found, strict=True)
    assert epochs == ("1.0", "2.0")
    assert int(steps[-1]) == result.steps
    for column, values in zip(("dev_wer", "dev_ser", "dev_loss"), scores, strict=True):
        assert [float(value) for value in values] == pytest.approx(scored(result, column), abs=0.05)


def test_a_log_that_nobody_reads_any_more_does_not_end_it(
    small_fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", buffering=1) as gone:
        monkeypatch.setattr(sys, "stderr", gone)
        assert small_fit(max_epochs=2).epochs == 2
        monkeypatch.undo()
        with pytest.raises(BrokenPipeError):
            gone.flush()
        with open(os.devnull, "w") as null:
            os.dup2(null.fileno(), writer)  # or closing it would fail again


def test_without_progress_it_is_quiet_on_a_terminal_too(
    small_fit: Fit, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    small_fit(max_epochs=1, progress=False)
    assert capfd.readouterr() == ("", "")


def test_it_reports_each_epoch_to_whom_it_is_told_to(small_fit: Fit) -> None:
    lines: list[str] = []
    result = small_fit(max_epochs=2, report=lines.append)
    assert [line.split()[:2] for line in lines] == [["epoch", "1.0"], ["epoch", "2.0"]]
    assert lines[0].endswith("  best")
    assert f"dev WER {scored(result, 'dev_wer')[0]:.1f} %" in lines[0]


def test_gradients_are_clipped(small_fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []

    original = torch.nn.utils.clip_grad_norm_

    def clip(parameters: Any, most: float) -> torch.Tensor:
        kept = list(parameters)
        before = original(kept, most)
        seen.append(float(torch.stack([p.grad.norm() for p in kept if p.grad is not None]).norm()))
        return before

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", clip)
    small_fit(max_epochs=1, gradient_clip=0.01)
    assert seen
    assert max(seen) <= 0.01 * (1 + 1e-4)


@pytest.mark.parametrize("epoch", [0, 1], ids=["before any model", "after one"])
def test_a_loss_that_is_no_number_ends_it_with_the_last_good_model(
    epoch: int, small_fit: Fit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    original = TrainingModule.training_step
    bad_step: list[int] = []

    def poisoned(self: TrainingModule, batch: Any, batch_index: int) -> None:
        if self.progress.epoch == epoch and batch_index == 3:
            bad_step.append(self.progress.step + 1)
            self.loss.register_forward_hook(lambda loss, given, found: found * math.nan)
        original(self, batch, batch_index)

    monkeypatch.setattr(TrainingModule, "training_step", poisoned)
    with pytest.raises(TrainingError) as caught:
        small_fit(max_epochs=3)
    said = str(caught.value)
    assert said.startswith(f"the loss is nan and its gradient nan at step {bad_step[0]}")
    assert "lower learning_rate" in said
    model = tmp_path / "model"
    if epoch == 0:
        assert f"No checkpoint had been saved in {model} yet." in said
        assert not (model / "config.json").exists()
        return
    assert f"The checkpoint of step {bad_step[0] - 4} is in {model}" in said
    assert all(torch.isfinite(weight).all() for weight in from_pretrained(model).model.parameters())
    monkeypatch.setattr(TrainingModule, "training_step", original)
    assert small_fit(max_epochs=3, resume=True, learning_rate=0.001).epochs == 3


@pytest.mark.parametrize("damage", ["truncated", "emptied", "changed", "not a checkpoint"])
def test_a_damaged_checkpoint_is_refused_and_left_alone(
    damage: str, small_fit: Fit, tmp_path: Path
) -> None:
    small_fit(max_epochs=1)
    path = tmp_path / "model" / "checkpoints" / "last.ckpt"
    data = bytearray(path.read_bytes())
    if damage == "changed":
        data[len(data) // 2] ^= 0xFF
    damaged = {
        "truncated": bytes(data[: len(data) // 2]),
        "emptied": b"",
        "changed": bytes(data),
        "not a checkpoint": json.dumps({"step": 1}).encode(),
    }[damage]
    path.write_bytes(damaged)
    with pytest.raises(TrainingError) as caught:
        small_fit(max_epochs=2, resume=True)
    assert str(caught.value).startswith(f"{path} is damaged or cut short (")
    assert str(caught.value).endswith("restore it from a copy or start again without resume.")
    assert path.read_bytes() == damaged
    assert from_pretrained(tmp_path / "model").predict(["abc"]), "the model is untouched"


def test_a_checkpoint_without_what_it_must_hold(small_fit: Fit, tmp_path: Path) -> None:
    small_fit(max_epochs=1)
    path = tmp_path / "model" / "checkpoints" / "last.ckpt"
    content = torch.load(path, weights_only=True)
    torch.save({**content, "version": 99}, path)
    with pytest.raises(TrainingError, match="is no checkpoint that this version of unrolled can"):
        small_fit(max_epochs=2, resume=True)
    del content["optimizer"]
    torch.save(content, path)
    with pytest.raises(TrainingError, match="lacks optimizer and has nothing besides"):
        small_fit(max_epochs=2, resume=True)


def test_on_a_full_disk_the_last_checkpoint_and_model_stay(
    small_fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_fit(max_epochs=1)
    model = tmp_path / "model"
    kept = {
        path: path.read_bytes()
        for path in (model / "checkpoints" / "last.ckpt", model / "config.json")
    }

    def full(content: Any, file: Any) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(TrainingError) as caught:
        small_fit(max_epochs=2, resume=True, checkpoint_steps=1)
    assert str(caught.value) == (
        f"the checkpoint cannot be saved to {model / 'checkpoints' / 'last.ckpt'} (No space left "
        "on device); the last one is untouched. Free space and go on with resume."
    )
    assert {path: path.read_bytes() for path in kept} == kept
    assert not list(model.rglob(".*"))


def test_two_runs_do_not_train_into_one_directory(small_fit: Fit, tmp_path: Path) -> None:
    model = tmp_path / "model"
    refused: list[str] = []

    def start_another(line: str) -> None:
        if not refused:
            kept = (model / "checkpoints" / "last.ckpt").read_bytes()
            with pytest.raises(TrainingError) as caught:
                small_fit(max_epochs=1)
            refused.append(str(caught.value))
            assert (model / "checkpoints" / "last.ckpt").read_bytes() == kept

    assert small_fit(max_epochs=2, report=start_another).epochs == 2
    assert refused == [
        f"another run is training into {model}; wait until it is over, or train into another "
        "directory."
    ]
    assert small_fit(max_epochs=1).epochs == 1, "the directory is free again"


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_that_cannot_be_is_refused_before_any_data_is_read(
    seed: int, small_fit: Fit, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=f"seed is {seed}; it must be 0 or more and below"):
        small_fit(seed=seed)
    assert not (tmp_path / "model").exists()
