"""The corpus: memory maps of exactly what the files say, all or nothing."""

import errno
import json
import os
import pickle
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unrolled.errors import DataError
from unrolled.seq2seq import Columns, Corpus, Symbols, read_pairs, train_symbols
from unrolled.seq2seq import _corpus_writer as corpus_writer

WORD = st.text("abcdé😀", min_size=1, max_size=9)


def symbols_of(path):
    source = train_symbols(pair.source for pair in read_pairs(path))
    target = train_symbols((pair.target for pair in read_pairs(path)), "separator")
    return source, target


@pytest.fixture
def tsv(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"w{n}\tp {n % 7} q\n" for n in range(500)), "utf-8")
    return path


def build(tsv, **settings):
    return Corpus.build(tsv, *symbols_of(tsv), cache_dir=tsv.parent / "cache", **settings)


@settings(max_examples=30)
@given(pairs=st.lists(st.tuples(WORD, st.lists(WORD, min_size=1)), min_size=1, max_size=40))
def test_each_pair_is_what_the_file_says(tmp_path_factory, pairs):
    path = tmp_path_factory.mktemp("corpus") / "pairs.tsv"
    path.write_text("".join(f"{s}\t{' '.join(t)}\n" for s, t in pairs), "utf-8")
    source, target = symbols_of(path)
    corpus = Corpus.build(path, source, target, cache_dir=path.parent)
    assert len(corpus) == len(pairs)
    for index, (word, pieces) in enumerate(pairs):
        pair = corpus.pair(index)
        assert pair.source.tolist() == source.encode(word)
        assert pair.target.tolist() == target.encode(" ".join(pieces))
    assert corpus.longest_pair == max(len(word) + len(pieces) + 1 for word, pieces in pairs)


def test_pairs_count_from_both_ends(tsv):
    corpus = build(tsv)
    assert corpus.pair(-1).source.tolist() == corpus.pair(499).source.tolist()
    for index in (500, -501):
        with pytest.raises(IndexError, match=rf"row is {index}; there are 500\."):
            corpus.pair(index)


def test_ids_and_offsets_stay_in_their_files(tsv):
    corpus = build(tsv)
    for side in (corpus.source, corpus.target):
        for array in (side.values, side.offsets):
            assert isinstance(array, np.memmap)
            assert Path(array.filename).parent == corpus.directory
            assert not array.flags.writeable


@pytest.mark.parametrize(
    ("size", "dtype"), [(200, np.uint8), (300, np.uint16), (70_000, np.uint32)]
)
def test_ids_take_no_more_bytes_than_needed(tmp_path, size, dtype):
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"a\t{n}\n" for n in range(size)), "utf-8")
    corpus = build(path)
    assert corpus.source.values.dtype == np.uint8
    assert corpus.target.values.dtype == dtype
    assert corpus.pair(size - 1).target.tolist() == symbols_of(path)[1].encode(str(size - 1))


def test_a_build_holds_none_of_the_corpus(tmp_path):
    path = tmp_path / "pairs.tsv"
    with path.open("w") as file:
        file.writelines(f"{'ab' * 40}{n % 9}\t{'c ' * 80}\n" for n in range(60_000))
    source, target = train_symbols(["ab012345678"]), train_symbols(["c"], "separator")
    tracemalloc.start()
    corpus = Corpus.build(path, source, target, cache_dir=tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    files = sum(file.stat().st_size for file in corpus.directory.iterdir())
    assert files > 10_000_000
    assert path.stat().st_size > 14_000_000
    # One chunk of pairs as text, pieces and ids; as much for a hundred times the pairs.
    assert peak < 40_000_000


def test_memory_does_not_grow_with_the_file(tmp_path):
    source, target = train_symbols(["ab"]), train_symbols(["c"], "separator")
    peaks = []
    for pairs in (100_000, 400_000):
        path = tmp_path / f"{pairs}.tsv"
        path.write_bytes(b"abab\tc c c\n" * pairs)
        tracemalloc.start()
        Corpus.build(path, source, target, cache_dir=tmp_path)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


def test_several_files_follow_each_other(tmp_path):
    first, second = tmp_path / "1.tsv", tmp_path / "2.tsv"
    first.write_text("a\tx\nb\ty\n", "utf-8")
    second.write_text("c\tz\n", "utf-8")
    source, target = train_symbols(["abc"]), train_symbols(["xyz"])
    corpus = Corpus.build([first, second], source, target, cache_dir=tmp_path / "cache")
    assert [source.decode(corpus.pair(n).source) for n in range(3)] == ["a", "b", "c"]


def count_writes(monkeypatch):
    writes = []
    write = corpus_writer.CorpusWriter.write
    monkeypatch.setattr(
        corpus_writer.CorpusWriter,
        "write",
        lambda self, *args: (writes.append(self.directory), write(self, *args)),
    )
    return writes


def test_a_second_run_takes_what_is_there(tsv, monkeypatch):
    first = build(tsv)
    writes = count_writes(monkeypatch)
    second = build(tsv)
    assert second.directory == first.directory
    assert not writes


@pytest.mark.parametrize(
    "change",
    [
        lambda tsv: build(tsv, max_length=77),
        lambda tsv: build(tsv, skip_longer=True),
        lambda tsv: build(tsv, columns=Columns(2, 1)),
        lambda tsv: (tsv.write_text(tsv.read_text() + "w0\tp\n"), build(tsv)),
        lambda tsv: (os.utime(tsv, (1, 1)), build(tsv)),
        lambda tsv: Corpus.build(
            tsv, *[train_symbols(["wpq 0123456789"])] * 2, cache_dir=tsv.parent / "cache"
        ),
    ],
    ids=["limit", "rule", "columns", "content", "time", "symbols"],
)
def test_what_has_changed_is_built_anew(tsv, monkeypatch, change):
    build(tsv)
    writes = count_writes(monkeypatch)
    change(tsv)
    assert len(writes) == 1


def flip_a_byte(path):
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: flip_a_byte(folder / "source.ids.npy"),
        lambda folder: flip_a_byte(folder / "target.offsets.npy"),
        lambda folder: os.truncate(folder / "target.ids.npy", 200),
        lambda folder: os.truncate(folder / "source.ids.npy", 0),
        lambda folder: (folder / "source.offsets.npy").unlink(),
        lambda folder: (folder / "corpus.json").write_text("{"),
        lambda folder: (folder / "corpus.json").write_text("[]"),
        lambda folder: (folder / "corpus.json").unlink(),
        lambda folder: (folder / "corpus.json").write_text('{"description": {"format": 99}}'),
    ],
)
def test_a_damaged_corpus_is_told_and_built_again(tsv, monkeypatch, damage):
    corpus = build(tsv)
    wanted = [corpus.pair(n).target.tolist() for n in range(500)]
    damage(corpus.directory)
    with pytest.raises(DataError, match=r"the corpus in .* (is damaged|has format)|no corpus"):
        Corpus.open(corpus.directory)
    writes = count_writes(monkeypatch)
    again = build(tsv)
    assert len(writes) == 1
    assert [again.pair(n).target.tolist() for n in range(500)] == wanted


def test_a_folder_without_a_corpus(tmp_path):
    with pytest.raises(DataError, match=r"there is no corpus in .*; make one with Corpus\.build"):
        Corpus.open(tmp_path)


def test_a_worker_maps_the_files_itself(tsv):
    corpus = build(tsv)
    packed = pickle.dumps(corpus)
    assert len(packed) < 1000
    copy = pickle.loads(packed)
    assert isinstance(copy.source.values, np.memmap)
    assert copy.pair(7).target.tolist() == corpus.pair(7).target.tolist()


def test_progress_is_told_in_pairs(tsv, monkeypatch):
    monkeypatch.setattr(corpus_writer, "_CHUNK", 200)
    seen = []
    build(tsv, progress=seen.append)
    assert seen == [200, 400, 500]


def test_a_long_pair_is_a_fault_with_its_line(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text(f"a\tb\n{'x' * 100_000}\tb\n", "utf-8")
    message = (
        r"pairs\.tsv:2: the source has 100000 symbols, more than max_length, 1000; shorten it, "
        r"delete the line or raise max_length\."
    )
    with pytest.raises(DataError, match=message):
        build(path)
    path.write_text(f"a\tb\nb\tb\na\t{'y ' * 4}\n", "utf-8")
    with pytest.raises(DataError, match=r"tsv:3: the target has 4 symbols, more than max_length"):
        build(path, max_length=3)
    assert len(build(path, max_length=4)) == 3
    assert not list((tmp_path / "cache").glob("*.building"))


def test_long_pairs_can_be_left_out(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("a\tb\nabcd\tb\nb\tb b b b\nc\td e f\n", "utf-8")
    corpus = build(path, max_length=3, skip_longer=True)
    source, target = symbols_of(path)
    assert (len(corpus), corpus.skipped, corpus.longest_pair) == (2, 2, 5)
    assert source.decode(corpus.pair(1).source) == "c"
    assert target.decode(corpus.pair(1).target) == "d e f"


def test_not_all_pairs_can_be_left_out(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("abc\tb\nabcd\tb\n", "utf-8")
    with pytest.raises(DataError, match=r"all 2 pairs of .* have more than 2 symbols; raise max_l"):
        build(path, max_length=2, skip_longer=True)


def test_a_side_of_separators_only(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("a\tb;c\nb\t;;\n", "utf-8")
    target = train_symbols(["b;c"], "separator", ";")
    with pytest.raises(DataError, match=r"tsv:2: the target has no symbol, only separators; fill"):
        Corpus.build(path, train_symbols(["ab"]), target, cache_dir=tmp_path)


@pytest.mark.parametrize("max_length", [0, -5])
def test_an_impossible_limit(tsv, max_length):
    with pytest.raises(ValueError, match=rf"max_length is {max_length}; it must be at least 1\."):
        build(tsv, max_length=max_length)


def test_no_files(tmp_path):
    symbols = train_symbols(["a"])
    with pytest.raises(DataError, match="there are no files to build a corpus of"):
        Corpus.build([], symbols, symbols, cache_dir=tmp_path)


def test_files_that_are_none(tmp_path):
    symbols = train_symbols(["a"])
    with pytest.raises(DataError, match=r"none\.tsv does not exist; check the path"):
        Corpus.build(tmp_path / "none.tsv", symbols, symbols, cache_dir=tmp_path)
    with pytest.raises(DataError, match="is a directory; give a file"):
        Corpus.build(tmp_path, symbols, symbols, cache_dir=tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="is a pipe or a device, but a corpus is read more than on"):
        Corpus.build(tmp_path / "pipe", symbols, symbols, cache_dir=tmp_path)
    loop = tmp_path / "loop.tsv"
    loop.symlink_to(loop)
    with pytest.raises(DataError, match=r"loop\.tsv cannot be read: "):
        Corpus.build(loop, symbols, symbols, cache_dir=tmp_path)


def test_a_file_that_changes_while_being_read(tsv):
    def touch(read):
        with tsv.open("a") as file:
            file.write("w1\tp 1 q\n")

    with pytest.raises(DataError, match=r"pairs\.tsv changed while being read; start again when"):
        build(tsv, progress=touch)
    assert not list((tsv.parent / "cache").iterdir())


def test_a_full_disk_is_told_and_nothing_stays(tsv, monkeypatch):
    def full(self, values):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(corpus_writer.ArrayFile, "append", full)
    with pytest.raises(DataError, match=r"the disk of .*cache is full; free some space or choose"):
        build(tsv)
    assert not list((tsv.parent / "cache").iterdir())


FILL = """
import resource, signal, sys
from unrolled.errors import DataError
from unrolled.seq2seq import Corpus, train_symbols
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
symbols = train_symbols(["ab"])
try:
    Corpus.build(sys.argv[1], symbols, symbols, cache_dir=sys.argv[2])
except DataError as error:
    print(error)
"""


def test_a_disk_that_takes_no_more_in_mid_write(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_bytes(b"abababab\tab\n" * 40_000)
    command = [sys.executable, "-c", FILL, str(path), str(tmp_path / "cache")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment())
    assert "the corpus cannot be written to" in done.stdout
    assert "File too large; choose another folder." in done.stdout
    assert not list((tmp_path / "cache").iterdir())


def test_a_cache_folder_that_cannot_be(tsv):
    (tsv.parent / "cache").write_text("a file")
    with pytest.raises(
        DataError, match=r"the corpus cannot be written to .*: .+; choose another f"
    ):
        build(tsv)


KILLED = """
import sys, time
from unrolled.seq2seq import Corpus, Symbols
source, target = map(Symbols.load, sys.argv[2:4])

def wait(pairs):
    print(pairs, flush=True)
    time.sleep(60)

Corpus.build(sys.argv[1], source, target, cache_dir=sys.argv[4], progress=wait)
"""


def test_a_killed_build_leaves_no_corpus_and_the_next_one_is_right(tsv):
    cache = tsv.parent / "cache"
    files = [tsv.parent / "source.json", tsv.parent / "target.json"]
    for symbols, file in zip(symbols_of(tsv), files, strict=True):
        symbols.save(file)
    command = [sys.executable, "-c", KILLED, str(tsv), *map(str, files), str(cache)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment()) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"500\n"
        process.send_signal(signal.SIGKILL)
    [left] = cache.iterdir()
    assert left.suffix == ".building"

    corpus = Corpus.build(tsv, *map(Symbols.load, files), cache_dir=cache)
    assert len(corpus) == 500
    assert left.exists()  # it could be another build that is going on

    old = time.time() - 7200
    for entry in (*left.iterdir(), left):
        os.utime(entry, (old, old))
    build(tsv, max_length=50)
    assert not left.exists()
    assert corpus.directory.exists()


def environment():
    source = Path(corpus_writer.__file__).parents[2]
    return {**os.environ, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}


def test_two_builds_at_once_give_one_corpus(tsv):
    inner = []

    def build_too(pairs):
        if not inner:
            inner.append(None)
            inner[0] = build(tsv)

    outer = build(tsv, progress=build_too)
    assert outer.directory == inner[0].directory
    assert [path.name for path in outer.directory.parent.iterdir()] == [outer.directory.name]
    assert outer.pair(3).target.tolist() == inner[0].pair(3).target.tolist()


def test_the_index_says_what_it_is_of(tsv):
    corpus = build(tsv)
    index = json.loads((corpus.directory / "corpus.json").read_text())
    assert index["pairs"] == 500
    assert index["description"]["files"][0][0] == str(tsv.resolve())
    assert repr(corpus) == f"Corpus(500 pairs in {corpus.directory})"
