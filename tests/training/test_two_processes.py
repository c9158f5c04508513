"""Two processes train one model, count its epochs once, and resume like one."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from dying_fits import three_epochs
from test_resume import checkpoint, lines

from unrolled import from_pretrained
from unrolled.seq2seq import evaluate, read_references

HERE = Path(__file__).parent
STEPS = 5  # of an epoch in each process: 10 batches in two
Ends = list[dict[str, Any]]


def two_processes(pairs: Path, output: Path, **order: Any) -> tuple[int, Ends]:
    """The exit code of the first process, and what each left; nothing where it was killed."""
    for word in output.glob("rank-*.json"):
        word.unlink()
    done = subprocess.run(
        [
            *(sys.executable, HERE / "two_processes.py", pairs, output),
            json.dumps({"changes": {}, **order}),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=300,
        check=False,
    )
    words = sorted(output.glob("rank-*.json"))
    assert done.returncode == -signal.SIGKILL or (words and not done.stderr), done.stderr
    return done.returncode, [json.loads(word.read_text()) for word in words]


@pytest.fixture(scope="module")
def whole_run(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ends]:
    """A run of two processes that nothing interrupted, and how they ended."""
    output = tmp_path_factory.mktemp("runs") / "whole"
    code, ends = two_processes(pairs, output)
    assert code == 0
    return output, ends


def test_both_have_the_same_weights_and_count_the_same(whole_run: tuple[Path, Ends]) -> None:
    output, (first, second) = whole_run
    assert first["weights"] == second["weights"] != ""
    assert (first["epochs"], first["steps"]) == (second["epochs"], second["steps"]) == (3.0, 15)
    assert checkpoint(output)["data"]["processes"] == 2
    assert checkpoint(output)["progress"]["epoch"] == 3
    assert [row["epoch"] for row in lines(output) if row["epoch"]] == ["1.0", "2.0", "3.0"]


def test_only_the_first_reports(whole_run: tuple[Path, Ends]) -> None:
    _, (first, second) = whole_run
    assert [line.split()[:4] for line in first["lines"]] == [
        ["epoch", f"{epoch}.0", "step", str(STEPS * epoch)] for epoch in (1, 2, 3)
    ]
    assert second["lines"] == []


def test_the_card_is_of_the_model_that_was_kept(whole_run: tuple[Path, Ends], pairs: Path) -> None:
    output, _ = whole_run
    scores = evaluate(from_pretrained(output), read_references(pairs / "dev.tsv"))
    best = min(
        (row for row in lines(output) if row["dev_wer"]), key=lambda row: float(row["dev_wer"])
    )
    assert scores.word_error_rate == float(best["dev_wer"])
    card = (output / "README.md").read_text("utf-8")
    assert f"| epochs trained until this best model | {float(best['epoch']):.2f} |" in card
    assert f"{scores.symbol_error_rate:.2f}" in card


def test_dropout_draws_other_elements_in_each(whole_run: tuple[Path, Ends]) -> None:
    first, second = checkpoint(whole_run[0])["random_states"]
    assert not torch.equal(first["cpu"], second["cpu"])


def test_killed_stopped_and_resumed_they_end_where_they_would_have(
    whole_run: tuple[Path, Ends], pairs: Path, tmp_path: Path
) -> None:
    output = tmp_path / "model"
    code, _ = two_processes(pairs, output, at=7, signal="SIGKILL", processes=[0, 1])
    assert code == -signal.SIGKILL
    assert checkpoint(output)["progress"]["step"] == 5

    again = {"changes": {"resume": True}}
    code, ends = two_processes(pairs, output, at=13, signal="SIGTERM", processes=[1], **again)
    assert code == 0
    assert [end["error"] for end in ends] == 2 * [
        f"TrainingInterruptedError: training was stopped at step 13, and everything is saved in "
        f"{output}. The same call with resume=True goes on from there."
    ]
    assert checkpoint(output)["progress"]["step"] == 13

    code, ends = two_processes(pairs, output, **again)
    assert (code, ends[0]["epochs"], ends[0]["steps"]) == (0, 3.0, 15)
    assert [end["weights"] for end in ends] == [end["weights"] for end in whole_run[1]]
    found, expected = checkpoint(output), checkpoint(whole_run[0])
    for content in (found, expected):
        content["progress"].pop("seconds")
    assert found["progress"] == expected["progress"]
    for part in ("model", "optimizer", "random_states"):
        torch.testing.assert_close(found[part], expected[part], rtol=0, atol=0)
    for name in ("model.safetensors", "config.json"):
        assert (output / name).read_bytes() == (whole_run[0] / name).read_bytes()
    assert lines(output) == lines(whole_run[0])


def test_a_run_that_was_over_counts_its_epochs_as_they_were(pairs: Path, tmp_path: Path) -> None:
    limit = {"max_steps": 7}
    for changes in (limit, {**limit, "resume": True}):
        code, ends = two_processes(pairs, tmp_path / "model", changes=changes)
        assert (code, ends[0]["steps"], ends[0]["epochs"]) == (0, 7, 1.4)


def test_another_number_of_processes_is_another_run(
    whole_run: tuple[Path, Ends], pairs: Path
) -> None:
    with pytest.raises(Exception, match="its data differs: processes was 2 and is now 1"):
        three_epochs(pairs, whole_run[0], resume=True)


@pytest.mark.parametrize("strategy", ["ddp_spawn", "ddp_fork", "ddp_notebook"])
def test_other_strategies_are_refused_before_any_data_is_read(
    strategy: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=f"strategy is '{strategy}'") as caught:
        three_epochs(tmp_path / "nowhere", tmp_path / "model", strategy=strategy, devices=2)
    assert str(caught.value).endswith("give 'ddp' and run a script, or devices=1.")
    assert not (tmp_path / "model").exists()
