"""The model directory: saved whole or not at all, and never loaded when it is not what it was."""

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from untrained_model import untrained

import unrolled
from unrolled.errors import ModelError
from unrolled.seq2seq import FORMAT_VERSION, Transducer, _directory, from_pretrained

FILES = {
    "README.md",
    "config.json",
    "model.safetensors",
    "source.tokenizer.json",
    "target.tokenizer.json",
}
TEXTS = ["abc", "e", "dd", "edcba"]


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def said_by(transducer: Transducer) -> list[tuple[str, float]]:
    return [(best.text, best.score) for [best] in transducer.predict(TEXTS)]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """The directory of an untrained model."""
    directory = tmp_path / "model"
    untrained().save_pretrained(directory)
    return directory


def rewrite(directory: Path, **changes: Any) -> None:
    config = json.loads((directory / "config.json").read_text("utf-8"))
    config.update(changes)
    (directory / "config.json").write_text(json.dumps(config), "utf-8")


def resave_weights(directory: Path, change: Any) -> None:
    weights = load_file(directory / "model.safetensors")
    save_file(change(weights), directory / "model.safetensors")


@pytest.mark.parametrize(
    "choices",
    [
        {},
        {"cell": "gru", "attention": "additive", "input_feeding": True},
        {"cell": "rnn_tanh", "decoder_cell": "lstm", "encoder_layers": 2, "decoder_layers": 2},
        {"embedding_size": 7, "tie_embeddings": True, "bridge_hidden": "learned"},
        {"bidirectional": False, "encoder_hidden_size": 7, "bridge_hidden": "copy"},
    ],
    ids=["plain", "gru", "deep", "tied", "copied"],
)
def test_what_is_loaded_is_what_was_saved(choices: dict[str, Any], tmp_path: Path) -> None:
    transducer = untrained(**choices)
    transducer.save_pretrained(tmp_path / "model", scores={"WER, %": 12.345, "sources": 7})
    loaded = from_pretrained(tmp_path / "model")
    assert names(tmp_path / "model") == FILES
    assert loaded.architecture == transducer.architecture
    assert not loaded.model.training
    for name, parameter in transducer.model.state_dict().items():
        assert torch.equal(parameter, loaded.model.state_dict()[name]), name
    if choices.get("tie_embeddings"):
        decoder = loaded.model.decoder
        assert decoder.vocabulary.weight is decoder.embedding.weight
    assert said_by(loaded) == said_by(transducer)


def test_the_root_and_the_class_load_it_too(saved: Path) -> None:
    expected = said_by(from_pretrained(saved))
    assert said_by(unrolled.from_pretrained(str(saved))) == expected
    assert said_by(Transducer.from_pretrained(saved)) == expected


def test_the_configuration_says_what_the_model_is(saved: Path) -> None:
    config = json.loads((saved / "config.json").read_text("utf-8"))
    assert config["format_version"] == FORMAT_VERSION == 1
    assert config["unrolled_version"] == unrolled.__version__
    assert config["architecture"]["encoder_hidden_size"] == 5
    assert config["bridge"][0].startswith("decoder h[layer=0] ← project(encoder h[layer=0, forward")


def test_the_card_has_the_scores_and_code_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    transducer = untrained()
    monkeypatch.chdir(tmp_path)
    transducer.save_pretrained("mine", scores={"WER, %": 12.345, "sources": 7})
    card = (tmp_path / "mine" / "README.md").read_text("utf-8")
    assert "| WER, % | 12.35 |\n| sources | 7 |\n" in card
    assert "unrolled predict . WORD" in card
    assert "| encoder_hidden_size | 5 |" in card
    code = card.partition("```python\n")[2].partition("```")[0]
    monkeypatch.chdir("mine")
    exec(code.replace("WORD", "abc"), {})
    assert capsys.readouterr().out == transducer.predict(["abc"])[0][0].text + "\n"


def test_a_card_without_scores_says_so(saved: Path) -> None:
    assert "None was measured." in (saved / "README.md").read_text("utf-8")


def test_saving_here_names_the_card_after_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    untrained().save_pretrained(".")
    assert f"# {tmp_path.name}\n" in (tmp_path / "README.md").read_text("utf-8")


def test_weights_can_be_read_by_whom_the_other_files_can(saved: Path) -> None:
    assert (saved / "model.safetensors").stat().st_mode == (saved / "config.json").stat().st_mode


def test_loading_never_unpickles(saved: Path) -> None:
    code = (
        "import pickle, sys, torch\n"
        "from unrolled.seq2seq import from_pretrained\n"
        "def refuse(*_, **__): raise AssertionError('unpickled')\n"
        "pickle.load = pickle.loads = pickle.Unpickler = pickle._Unpickler = torch.load = refuse\n"
        "sys.addaudithook(lambda event, _: event.startswith('pickle.') and refuse())\n"
        "print(from_pretrained(sys.argv[1]).predict(['abc'])[0][0].text)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(saved)], capture_output=True, text=True, check=False
    )
    assert done.stdout.rstrip("\n") == from_pretrained(saved).predict(["abc"])[0][0].text, (
        done.stderr
    )


def test_predicting_imports_no_trainer(saved: Path) -> None:
    code = (
        "import sys, unrolled\n"
        "unrolled.from_pretrained(sys.argv[1]).predict(['abc'], beam_size=2, attention=True)\n"
        "heavy = {'lightning', 'jsonargparse', 'rapidfuzz', 'tensorboardX', 'rich'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(saved)], capture_output=True, text=True, check=False
    )
    assert done.stdout == "[]\n", done.stderr


# Saving


def test_other_files_in_the_directory_are_left_alone(saved: Path) -> None:
    (saved / "notes.txt").write_text("mine")
    untrained(seed=1).save_pretrained(saved)
    assert (saved / "notes.txt").read_text() == "mine"
    assert names(saved) == FILES | {"notes.txt"}
    assert said_by(from_pretrained(saved)) == said_by(untrained(seed=1))


def save_and_be_killed(transducer: Transducer, directory: Path, last: int) -> int:
    """Save in a process of its own, killed at its `last` + 1st change of the disk."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    calls = 0

    def counted(function: Any) -> Any:
        def call(*arguments: Any, **settings: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls > last:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **settings)

        return call

    try:
        for name in ("replace", "rename", "mkdir", "rmdir", "write_text"):
            setattr(Path, name, counted(getattr(Path, name)))
        os.fsync = counted(os.fsync)
        transducer.save_pretrained(directory)
    finally:
        os._exit(0)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_killed_anywhere_while_saving_the_old_or_the_new_model_is_whole(saved: Path) -> None:
    """The new model is of another architecture, so files of both would never load together."""
    newer = untrained(seed=1, encoder_hidden_size=9)
    old, new = said_by(untrained()), said_by(newer)
    assert old != new
    found = []
    for last in range(100):
        untrained().save_pretrained(saved)
        status = save_and_be_killed(newer, saved, last)
        found.append(said_by(from_pretrained(saved)))
        assert found[-1] in (old, new), f"killed at call {last}"
        if os.WIFEXITED(status):
            break
        assert os.WTERMSIG(status) == signal.SIGKILL
        if found[-1] == new:
            untrained().save_pretrained(saved)
            assert names(saved) == FILES, "the next save moves and removes what the kill left"
            assert said_by(from_pretrained(saved)) == old
    assert found[0] == old
    assert found[-1] == new
    assert found == sorted(found, key=new.__eq__), "once saved, it stays"
    assert 10 < len(found) < 100


@contextmanager
def files_at_most(size: int) -> Iterator[None]:
    """A disk that takes so many bytes of each file, which is what a full one looks like."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("size", [0, 200, 4000])
def test_on_a_full_disk_the_last_model_stays(size: int, saved: Path) -> None:
    transducer = untrained(seed=1)
    before = {path.name: path.read_bytes() for path in saved.iterdir()}
    with files_at_most(size), pytest.raises(ModelError) as caught:
        transducer.save_pretrained(saved)
    assert str(caught.value).startswith(f"the model cannot be saved to {saved} (")
    assert str(caught.value).endswith(
        "what stood there is untouched. Free space or choose another directory."
    )
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before


def test_on_a_full_disk_a_new_directory_is_not_left_half_made(tmp_path: Path) -> None:
    with files_at_most(200), pytest.raises(ModelError, match="cannot be saved"):
        untrained().save_pretrained(tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may mount a tiny disk"
)
def test_a_real_disk_without_room(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("this container may not mount")
    try:
        untrained().save_pretrained(disk / "model")
        with pytest.raises(ModelError, match="No space left on device"):
            untrained(encoder_hidden_size=64).save_pretrained(disk / "model")
        assert names(disk / "model") == FILES
        assert said_by(from_pretrained(disk / "model")) == said_by(untrained())
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_file_where_the_directory_should_be(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("mine")
    with pytest.raises(ModelError, match=r"cannot be saved to .*model \(File exists\)"):
        untrained().save_pretrained(tmp_path / "model")
    assert (tmp_path / "model").read_text() == "mine"


def test_a_model_saved_while_another_is_read_is_read_instead(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = _directory._read_weights
    saves = iter([untrained(seed=1, encoder_hidden_size=9)])

    def overtaken(path: Path, model: Any) -> Any:
        for transducer in saves:
            transducer.save_pretrained(saved)
        return real(path, model)

    monkeypatch.setattr(_directory, "_read_weights", overtaken)
    assert said_by(from_pretrained(saved)) == said_by(untrained(seed=1, encoder_hidden_size=9))


def test_what_is_complete_counts_even_where_it_cannot_be_moved(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace

    def fail(self: Path, target: Path) -> Path:
        raise OSError("no more")

    monkeypatch.setattr(Path, "replace", fail)
    untrained(seed=1).save_pretrained(saved)
    assert names(saved) == FILES | {".saved"}
    assert said_by(from_pretrained(saved)) == said_by(untrained(seed=1))
    monkeypatch.setattr(Path, "replace", replace)
    untrained(seed=2).save_pretrained(saved)
    assert names(saved) == FILES
    assert said_by(from_pretrained(saved)) == said_by(untrained(seed=2))


# Loading what is not what it was


def refusal(directory: Path) -> str:
    with pytest.raises(ModelError) as caught:
        from_pretrained(directory)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_no_such_directory(tmp_path: Path) -> None:
    assert (
        refusal(tmp_path / "none") == f"{tmp_path / 'none'} is no model directory; check the path."
    )


@pytest.mark.parametrize("name", sorted(FILES - {"README.md"}))
def test_a_missing_file(name: str, saved: Path) -> None:
    (saved / name).unlink()
    assert refusal(saved).startswith(f"{saved / name} is missing; ")


@pytest.mark.parametrize("name", sorted(FILES - {"README.md"}))
@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_truncated_file(name: str, share: float, saved: Path) -> None:
    content = (saved / name).read_bytes()
    (saved / name).write_bytes(content[: int(len(content) * share)])
    assert str(saved / name) in refusal(saved)


@pytest.mark.parametrize("name", ["model.safetensors", "target.tokenizer.json"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_flipped_bit(name: str, share: float, saved: Path) -> None:
    content = bytearray((saved / name).read_bytes())
    content[int(len(content) * share)] ^= 1
    (saved / name).write_bytes(content)
    words = refusal(saved)
    assert name in words
    assert "restore" in words


def test_a_changed_symbol_file_that_could_be_read(saved: Path) -> None:
    path = saved / "target.tokenizer.json"
    path.write_text(path.read_text("utf-8").replace('"A"', '"Z"'), "utf-8")
    assert refusal(saved) == (
        f"{path} is not the file that was saved, its digest differs from that in config.json; "
        "restore it from a copy of the model."
    )


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"a": 1}', "\udcff"])
def test_a_configuration_that_is_none(text: str, saved: Path) -> None:
    (saved / "config.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert refusal(saved).startswith(str(saved / "config.json"))


def test_a_newer_format(saved: Path) -> None:
    rewrite(saved, format_version=FORMAT_VERSION + 1, something="new")
    assert refusal(saved) == (
        f"{saved / 'config.json'} is of format 2, but this version of unrolled reads formats up "
        "to 1; upgrade unrolled."
    )


@pytest.mark.parametrize("version", [None, "1", 0, True, 1.0])
def test_a_format_that_is_none(version: Any, saved: Path) -> None:
    rewrite(saved, format_version=version)
    assert "has no format_version, a whole number of 1 or more" in refusal(saved)


def test_unknown_and_missing_keys_are_all_named(saved: Path) -> None:
    config = json.loads((saved / "config.json").read_text("utf-8"))
    del config["bridge"]
    (saved / "config.json").write_text(json.dumps({**config, "x": 1, "y": 2}), "utf-8")
    assert refusal(saved) == (
        f"{saved / 'config.json'} lacks bridge and has the unknown x, y; restore it from a copy "
        "of the model."
    )


def test_an_unknown_key_of_the_architecture(saved: Path) -> None:
    config = json.loads((saved / "config.json").read_text("utf-8"))
    rewrite(saved, architecture={**config["architecture"], "heads": 8})
    assert "has the unknown heads in architecture" in refusal(saved)
    rewrite(saved, architecture=[1])
    assert "has [1] in architecture, expected keys with values" in refusal(saved)
    rewrite(saved, architecture=config["architecture"], sha256={})
    assert "lacks model.safetensors, source.tokenizer.json, target.tokenizer.json in sha256" in (
        refusal(saved)
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [("embedding_size", "6"), ("dropout", "high"), ("bidirectional", "yes"), ("cell", "lstn")],
)
@pytest.mark.usefixtures("as_users_call")
def test_a_value_of_the_architecture_that_cannot_be(key: str, value: str, saved: Path) -> None:
    config = json.loads((saved / "config.json").read_text("utf-8"))
    rewrite(saved, architecture={**config["architecture"], key: value})
    words = refusal(saved)
    assert words.startswith(f"{saved / 'config.json'}: ")
    assert f"{key} is {value!r}" in words


def test_weights_of_another_architecture(saved: Path, tmp_path: Path) -> None:
    untrained(encoder_hidden_size=9).save_pretrained(tmp_path / "other")
    (tmp_path / "other" / "model.safetensors").replace(saved / "model.safetensors")
    words = refusal(saved)
    assert words.startswith(
        f"{saved / 'model.safetensors'} is of another architecture than config.json says: bridge."
    )
    assert "restore both from a copy of the model" in words


def test_weights_that_are_missing_or_too_many(saved: Path) -> None:
    name = "encoder.embedding.weight"
    resave_weights(saved, lambda weights: {k: v for k, v in weights.items() if k != name})
    assert f"{name} is missing, expected float32[9, 6]" in refusal(saved)
    untrained().save_pretrained(saved)
    resave_weights(saved, lambda weights: {**weights, "extra": torch.zeros(2)})
    assert "extra is float32[2], expected missing" in refusal(saved)


def test_weights_of_one_other_type_are_taken_as_they_are(tmp_path: Path) -> None:
    transducer = untrained()
    transducer.model.double()
    transducer.save_pretrained(tmp_path / "model")
    loaded = from_pretrained(tmp_path / "model")
    assert {weight.dtype for weight in loaded.model.parameters()} == {torch.float64}
    assert said_by(loaded) == said_by(transducer)


def test_weights_of_several_types(saved: Path) -> None:
    name = "encoder.embedding.weight"
    resave_weights(saved, lambda weights: {**weights, name: weights[name].double()})
    assert f"{name} is float64" in refusal(saved)
    assert "expected float32" in refusal(saved)


def test_symbols_of_another_model(saved: Path) -> None:
    (saved / "source.tokenizer.json").write_bytes((saved / "target.tokenizer.json").read_bytes())
    assert f"{saved / 'source.tokenizer.json'} is not the file that was saved" in refusal(saved)
