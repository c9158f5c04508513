"""``unrolled predict``: words, files, pipes and a terminal; a line for a line, whatever comes."""

import gzip
import json
import os
import pty
import select
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from unrolled.cli import main

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def words(tmp_path: Path) -> Path:
    return tmp_path / "words.txt"


def _predict(capsys: Capture, model: Path, *arguments: str, code: int = 0) -> tuple[str, str]:
    capsys.readouterr()
    assert main(["predict", str(model), *arguments]) == code
    out, err = capsys.readouterr()
    return out, err


def test_words_come_back_with_their_predictions(model: Path, capsys: Capture) -> None:
    out, err = _predict(capsys, model, "bad", "cab")
    assert (out, err) == ("bad\tB A D\ncab\tC A B\n", "")


def test_n_best_come_with_rank_and_score_best_first(model: Path, capsys: Capture) -> None:
    out, _ = _predict(capsys, model, "bad", "--n_best=3", "--beam_size=4", "--scores")
    rows = [line.split("\t") for line in out.splitlines()]
    assert [(row[0], row[2]) for row in rows] == [("bad", "1"), ("bad", "2"), ("bad", "3")]
    assert rows[0][1] == "B A D"
    scores = [float(row[3]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] < 0


def test_more_predictions_than_the_beam_keeps_are_refused(model: Path, capsys: Capture) -> None:
    _, err = _predict(capsys, model, "bad", "--n_best=3", "--beam_size=2", code=2)
    assert "--n_best 3 is more than --beam_size 2 keeps; give --beam_size 3 or more" in err


def test_json_holds_the_attention(model: Path, capsys: Capture) -> None:
    out, _ = _predict(capsys, model, "bad", "--json", "--attention")
    (found,) = map(json.loads, out.splitlines())
    (prediction,) = found["predictions"]
    assert (found["source"], found["line"], prediction["text"]) == ("bad", 1, "B A D")
    assert prediction["source_pieces"] == ["b", "a", "d"]
    assert prediction["target_pieces"] == ["B", "A", "D"]
    assert len(prediction["attention"]) == 3
    for row in prediction["attention"]:
        assert len(row) == 3
        assert sum(row) == pytest.approx(1, abs=1e-4)


def test_attention_is_drawn_below_the_prediction(model: Path, capsys: Capture) -> None:
    out, _ = _predict(capsys, model, "bad", "--attention")
    first, head, *rows = out.splitlines()
    assert first == "bad\tB A D"
    assert head.split() == ["b", "a", "d"]
    assert [row.split()[0] for row in rows] == ["B", "A", "D"]


def test_a_file_plain_or_gz_is_read_line_by_line(model: Path, words: Path, capsys: Capture) -> None:
    words.write_text("bad\r\ncab\n")
    assert _predict(capsys, model, f"--file={words}")[0] == "bad\tB A D\ncab\tC A B\n"
    packed = words.with_suffix(".txt.gz")
    packed.write_bytes(gzip.compress(words.read_bytes()))
    assert _predict(capsys, model, f"--file={packed}")[0] == "bad\tB A D\ncab\tC A B\n"


def test_a_column_of_a_tsv_is_read(model: Path, words: Path, capsys: Capture) -> None:
    words.write_text("1\tbad\n2\tcab\n")
    options = (f"--file={words}", "--source_column=2")
    assert _predict(capsys, model, *options)[0] == "bad\tB A D\ncab\tC A B\n"
    words.write_text("1\tbad\n2\n")
    _, err = _predict(capsys, model, *options, code=2)
    assert "words.txt:2: there is no column 2, the line has 1; change --source_column" in err


def test_an_unseen_symbol_is_named_and_the_rest_goes_on(
    model: Path, words: Path, capsys: Capture
) -> None:
    words.write_text("bad\nb#d\ncab\n")
    out, err = _predict(capsys, model, f"--file={words}")
    assert [line.split("\t")[0] for line in out.splitlines()] == ["bad", "b#d", "cab"]
    assert err.startswith(f"{words}:2: '#' in 'b#d' was not seen in training; ")
    assert err.count("\n") == 1


def test_an_empty_line_stays_an_empty_line(model: Path, words: Path, capsys: Capture) -> None:
    words.write_text("bad\n\ncab\n")
    out, err = _predict(capsys, model, f"--file={words}")
    assert out == "bad\tB A D\n\ncab\tC A B\n"
    assert err == f"{words}:2: the text is empty; nothing is predicted for it\n"


def test_a_text_beyond_the_limit_is_passed_over_and_told(
    model: Path, words: Path, capsys: Capture
) -> None:
    words.write_text(f"bad\n{'a' * 100_000}\ncab\n")
    out, err = _predict(capsys, model, f"--file={words}", code=2)
    assert out == "bad\tB A D\n\ncab\tC A B\n"
    assert f"{words}:2: the text has 100000 symbols, more than --max_length 1000; " in err
    assert "unrolled predict: 1 of the texts had no prediction" in err


def test_a_file_that_is_no_utf8_is_named_after_what_came_before(
    model: Path, words: Path, capsys: Capture
) -> None:
    words.write_bytes(b"bad\nc\xe9b\n")
    out, err = _predict(capsys, model, f"--file={words}", code=2)
    assert out == "bad\tB A D\n"
    assert f"{words}:2: " in err
    assert err.count("\n") == 1


def test_a_missing_file_and_words_beside_a_file_are_refused(model: Path, capsys: Capture) -> None:
    assert "nowhere.txt does not exist" in _predict(capsys, model, "--file=nowhere.txt", code=2)[1]
    _, err = _predict(capsys, model, "bad", "--file=nowhere.txt", code=2)
    assert "words were given and --file too; give one of the two" in err


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "source.tokenizer.json"])
@pytest.mark.parametrize("harm", ["missing", "cut", "overwritten"])
def test_a_harmed_model_is_one_sentence_with_the_file(
    model: Path, name: str, harm: str, tmp_path: Path, capsys: Capture
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(model, copy)
    file = copy / name
    if harm == "missing":
        file.unlink()
    elif harm == "cut":
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    else:
        file.write_bytes(b"\x80not a model\n" * 20)
    out, err = _predict(capsys, copy, "bad", code=2)
    assert out == ""
    assert err.startswith("unrolled predict: ")
    assert name in err
    assert err.count("\n") == 1


def test_a_model_that_is_not_there_is_named(tmp_path: Path, capsys: Capture) -> None:
    _, err = _predict(capsys, tmp_path / "nowhere", "bad", code=2)
    assert str(tmp_path / "nowhere") in err


def _start(model: Path, *arguments: str, **streams: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "unrolled", "predict", str(model), *arguments],
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        **streams,  # type: ignore[arg-type]
    )


PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


def test_a_line_piped_in_is_answered_before_the_next(model: Path) -> None:
    with _start(model, **PIPES) as process:
        assert process.stdin
        assert process.stdout
        for word, answer in (("bad", "bad\tB A D\n"), ("cab", "cab\tC A B\n")):
            process.stdin.write(f"{word}\n")
            process.stdin.flush()
            assert process.stdout.readline() == answer
        process.stdin.close()
        assert process.wait(timeout=60) == 0


def test_a_reader_that_has_enough_ends_it_without_a_word(model: Path) -> None:
    with _start(model, **PIPES) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write("bad\n")
        process.stdin.flush()
        assert process.stdout.readline() == "bad\tB A D\n"
        process.stdout.close()
        # Standard input stays open, as it does behind a producer that never ends.
        process.stdin.write("cab\n" * 10)
        process.stdin.flush()
        assert process.wait(timeout=60) == 141
        assert process.stderr.read() == ""


def test_piped_bytes_that_are_no_utf8_are_named(model: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "unrolled", "predict", str(model)],
        input=b"bad\nc\xe9b\n",
        capture_output=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert (done.returncode, done.stdout) == (2, b"bad\tB A D\n")
    assert b"standard input:2: byte 2 of the line, 0xe9, is not UTF-8" in done.stderr
    assert b"Traceback" not in done.stderr


def test_on_a_terminal_it_asks_and_answers(model: Path) -> None:
    ours, theirs = pty.openpty()
    process = _start(model, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen = ""

    def await_(text: str) -> None:
        nonlocal seen
        deadline = time.monotonic() + 120
        while text not in seen:
            assert time.monotonic() < deadline, seen
            if select.select([ours], [], [], 1)[0]:
                seen += os.read(ours, 4096).decode()

    try:
        await_("Ctrl-D ends.")
        await_("> ")
        os.write(ours, b"bad\n")
        await_("bad\tB A D")
        os.write(ours, b"b#d\n")
        await_("'#' in 'b#d' was not seen in training")
        os.write(ours, b"\n")
        for _ in range(300):  # Ctrl-D between two prompts is lost; a person presses it again
            os.write(ours, b"\x04")
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.2)
                break
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
