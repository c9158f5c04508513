"""TSV files in, batches out, for a trainer."""

import pytest

from unrolled.errors import DataError
from unrolled.seq2seq import Columns, PairsDataModule, SymbolRule


@pytest.fixture
def files(tmp_path):
    train, dev = tmp_path / "train.tsv", tmp_path / "dev.tsv"
    train.write_text("".join(f"P Q{n % 9}\tword{n}\n" for n in range(300)), "utf-8")
    dev.write_text("P Q1\tword1\nP Q1\tword2\nP Q2\tword3\n", "utf-8")
    return train, dev


def module(files, **settings):
    return PairsDataModule(
        *files,
        cache_dir=files[0].parent / "cache",
        columns=Columns(2, 1),
        target_rule=SymbolRule("separator"),
        **{"tokens_per_batch": 200, **settings},
    )


def test_symbols_are_those_of_the_training_file(files):
    data = module(files)
    data.prepare()
    assert data.source_symbols.kind == "characters"
    assert data.target_symbols.pieces("P Q1") == ["P", "Q1"]
    assert data.target_symbols.unknown("P Q9") == ["Q9"]
    assert data.references["word1"] == ("P Q1",)


def test_batches_are_of_the_training_pairs(files):
    data = module(files)
    batches = data.train_dataloader()
    assert sum(len(batch) for batch in batches) == 300
    assert all(batch.tokens <= 200 for batch in batches)
    assert sum(len(batch) for batch in data.dev_batches()) == 3


def test_workers_give_the_same_batches(files):
    plain = [batch.source.tolist() for batch in module(files).train_dataloader()]
    filled = [batch.source.tolist() for batch in module(files, workers=1).train_dataloader()]
    assert filled == plain


def test_it_is_prepared_once(files):
    data = module(files)
    data.prepare()
    corpus = data.train_corpus
    data.prepare()
    assert data.train_corpus is corpus


def test_batches_before_the_data(files):
    with pytest.raises(RuntimeError, match=r"call prepare\(\) before asking for batches"):
        _ = module(files).batches


@pytest.mark.parametrize("missing", [0, 1])
def test_a_missing_file_is_told_before_any_is_read(files, missing):
    files[1 - missing].write_text("no tab", "utf-8")
    files[missing].unlink()
    with pytest.raises(DataError, match=rf"{files[missing].name} does not exist; check the path"):
        module(files).prepare()


@pytest.mark.parametrize("long", [0, 1])
def test_a_pair_that_does_not_fit_is_told_before_training(files, long):
    with files[long].open("a") as file:
        file.write(f"P Q1\t{'w' * 900}\n")
    with pytest.raises(DataError, match=r"tokens_per_batch is \d+, but the longest pair needs 903"):
        module(files).prepare()
