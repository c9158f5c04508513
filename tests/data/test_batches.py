"""Batches: the budget kept, each pair once an epoch, and an order that can be taken up anywhere."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from unrolled.errors import DataError, TrainingError
from unrolled.seq2seq import BEGIN, END, PAD, Batch, Corpus, TokenBatches, train_symbols
from unrolled.seq2seq._batch_plan import BatchPlanner
from unrolled.seq2seq._ragged import Ragged

SIZES = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), min_size=1, max_size=60)
LONGEST = 25  # of such sizes, END included


def corpus_of(sizes):
    """A corpus in memory; the first id of each source is its number."""
    sides = []
    for side in (0, 1):
        rows = [np.arange(4, 4 + size[side]) for size in sizes]
        if side == 0:
            rows = [np.concatenate(([100 + n], row[1:])) for n, row in enumerate(rows)]
        offsets = np.concatenate(([0], np.cumsum([len(row) for row in rows])))
        sides.append(Ragged(np.concatenate(rows), offsets))
    longest = max(source + target + 1 for source, target in sizes)
    return Corpus(Path("nowhere"), *sides, 0, longest)


@pytest.fixture
def corpus(tmp_path):
    chance = np.random.default_rng(5)
    path = tmp_path / "pairs.tsv"
    words = ["abcdefghij"[: chance.integers(1, 10)] for _ in range(700)]
    path.write_text("".join(f"{word}\t{word[::-1]}{n}\n" for n, word in enumerate(words)), "utf-8")
    symbols = train_symbols(["abcdefghij0123456789"])
    return Corpus.build(path, symbols, symbols, cache_dir=tmp_path)


def content(batch):
    return tuple(part.tolist() for part in (batch.source, batch.target_in, batch.target_out))


def targets(batches):
    """The targets of batches, each of which is in the corpus once."""
    return [
        tuple(row[:length].tolist())
        for batch in batches
        for row, length in zip(batch.target_out, batch.target_lengths - 1, strict=True)
    ]


def all_targets(corpus):
    return sorted(tuple(corpus.pair(index).target.tolist()) for index in range(len(corpus)))


# One batch


@given(sizes=SIZES, data=st.data())
def test_a_batch_is_its_pairs_and_padding(sizes, data):
    corpus = corpus_of(sizes)
    rows = data.draw(st.lists(st.integers(0, len(sizes) - 1), min_size=1, max_size=20))
    batch = Batch.of(corpus, np.array(rows))
    assert len(batch) == len(rows)
    for place, row in enumerate(rows):
        source, target = (side.tolist() for side in corpus.pair(row))
        assert batch.source_lengths[place] == len(source)
        assert batch.target_lengths[place] == len(target) + 1
        assert batch.source[place].tolist() == padded(source, batch.source.shape[1])
        assert batch.target_in[place].tolist() == padded([BEGIN, *target], batch.target_in.shape[1])
        assert batch.target_out[place].tolist() == padded([*target, END], batch.target_out.shape[1])
    assert batch.source.shape[1] == batch.source_lengths.max()
    assert batch.target_in.shape[1] == batch.target_out.shape[1] == batch.target_lengths.max()
    assert batch.tokens == batch.source.numel() + batch.target_in.numel()


def padded(ids, width):
    return ids + [PAD] * (width - len(ids))


def test_the_smallest_type_of_row_numbers_can_tell_the_row_after():
    corpus = corpus_of([(1, 1)] * 256)
    batch = Batch.of(corpus, np.array([255, 0], np.uint8))
    assert batch.source[:, 0].tolist() == [355, 100]


def test_a_batch_moves_as_a_whole(corpus):
    batch = Batch.of(corpus, np.arange(3))
    moved = batch.to("meta")
    assert {getattr(moved, name).device.type for name in Batch.__dataclass_fields__} == {"meta"}
    assert content(batch.to("cpu", non_blocking=True)) == content(batch)


def test_sources_alone():
    table, lengths = Batch.of_sources([[4, 5, 6], [7]])
    assert table.tolist() == [[4, 5, 6], [7, PAD, PAD]]
    assert lengths.tolist() == [3, 1]
    assert table.dtype == lengths.dtype == torch.int64


# An epoch


@given(
    sizes=SIZES,
    budget=st.integers(LONGEST, 120),
    pool_size=st.integers(1, 70),
    shuffle=st.booleans(),
    seed=st.integers(0, 9),
    world_size=st.integers(1, 4),
    epoch=st.integers(0, 3),
)
@settings(max_examples=200)
def test_each_pair_once_within_the_budget(
    sizes, budget, pool_size, shuffle, seed, world_size, epoch
):
    corpus = corpus_of(sizes)
    shares = []
    for rank in range(world_size):
        batches = TokenBatches(
            corpus, budget, seed, shuffle, pool_size=pool_size, rank=rank, world_size=world_size
        )
        if len(sizes) % world_size:
            assume(can_be_shared_out(batches))
        batches.set_epoch(epoch)
        shares.append(list(batches))
        assert len(shares[-1]) == len(batches)
    assert len({len(share) for share in shares}) == 1
    numbers = [
        int(number) for share in shares for batch in share for number in batch.source[:, 0] - 100
    ]
    assert sorted(numbers) == list(range(len(sizes)))
    assert all(batch.tokens <= budget for share in shares for batch in share)


def can_be_shared_out(batches):
    try:
        return len(batches) > 0
    except DataError:
        return False


def test_no_pair_is_lost_or_repeated_in_many_epochs(corpus):
    batches = TokenBatches(corpus, 200, seed=3, pool_size=100)
    wanted = all_targets(corpus)
    orders = []
    for epoch in range(6):
        batches.set_epoch(epoch)
        found = list(batches)
        assert len(found) == len(batches)
        assert sorted(targets(found)) == wanted
        orders.append(targets(found))
    assert len({tuple(order) for order in orders}) == 6


def test_an_epoch_with_too_many_batches_is_drawn_again(corpus, monkeypatch):
    planner = BatchPlanner(corpus, 60, 1, True, 40, 1)
    counts = [len(planner._cut_pools(epoch, 0)[1]) for epoch in range(30)]
    assert len(set(counts)) > 1  # chance decides how many batches there are
    monkeypatch.setattr(BatchPlanner, "num_batches", sorted(counts)[15])
    for epoch in range(30):
        plan = planner.plan(epoch)
        assert len(plan) == sorted(counts)[15]
        assert sorted(
            plan.rows[
                np.concatenate(
                    [np.arange(s, e) for s, e in zip(plan.starts, plan.ends, strict=True)]
                )
            ]
        ) == list(range(700))


def test_seed_and_epoch_are_all_the_order_depends_on(corpus):
    def order(seed, epoch):
        batches = TokenBatches(corpus, 300, seed=seed)
        batches.set_epoch(epoch)
        return [content(batch) for batch in batches]

    assert order(1, 0) == order(1, 0)
    assert order(1, 2) == order(1, 2)
    assert order(1, 0) != order(2, 0)
    assert order(1, 0) != order(1, 1)
    assert order(1, 1) != order(2, 0)


def test_without_shuffling_every_epoch_is_the_same_from_short_to_long(corpus):
    batches = TokenBatches(corpus, 300, shuffle=False)
    first, second = list(batches), list(batches)
    assert [content(batch) for batch in first] == [content(batch) for batch in second]
    widths = [batch.source.shape[1] + batch.target_out.shape[1] for batch in first]
    assert widths == sorted(widths)


def test_sorting_saves_padding(corpus):
    def padding(pool_size):
        batches = list(TokenBatches(corpus, 600, pool_size=pool_size))
        real = sum(int((b.source_lengths + b.target_lengths).sum()) for b in batches)
        return 1 - real / sum(batch.tokens for batch in batches)

    assert padding(700) < 0.06
    assert padding(1) == 0
    assert padding(30) > 2 * padding(700)


def test_an_iteration_run_to_its_end_ends_the_epoch(corpus):
    batches = TokenBatches(corpus, 300)
    first = [content(batch) for batch in batches]
    assert (batches.epoch, batches.position) == (0, len(batches))
    second = [content(batch) for batch in batches]
    assert batches.epoch == 1
    assert first != second
    batches.set_epoch(0)
    assert [content(batch) for batch in batches] == first


def test_an_iteration_that_was_left_begins_anew(corpus):
    batches = TokenBatches(corpus, 300)
    first = content(next(iter(batches)))
    assert content(next(iter(batches))) == first
    assert batches.epoch == 0


# Going on


def test_resumed_at_every_cut_it_is_the_same(corpus):
    def batches():
        return TokenBatches(corpus, 300, seed=4, pool_size=150)

    whole, states = batches(), []
    rest = []
    for _ in range(2):
        for batch in whole:
            rest.append(content(batch))
            states.append(whole.state_dict())
    per_epoch = len(whole)
    assert len(states) == 2 * per_epoch
    for done, state in enumerate(states, 1):
        resumed = batches()
        resumed.load_state_dict(state)
        resumed.set_epoch(state["epoch"])  # as a trainer does, and it changes nothing
        found = [content(batch) for batch in resumed]
        # From the end of an epoch it goes on with the next.
        assert resumed.epoch == done // per_epoch
        if done < len(states):
            assert found == rest[done : (done // per_epoch + 1) * per_epoch]


def test_state_is_of_what_was_handed_out_however_far_workers_are(corpus):
    plain = [content(batch) for batch in TokenBatches(corpus, 300, seed=4)]
    ahead = TokenBatches(corpus, 300, seed=4, workers=2)
    stream = iter(ahead)
    found = [content(next(stream)) for _ in range(3)]
    state = ahead.state_dict()
    assert state["position"] == 3
    del stream
    resumed = TokenBatches(corpus, 300, seed=4, workers=1)
    resumed.load_state_dict(state)
    assert found + [content(batch) for batch in resumed] == plain


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(corpus, workers):
    plain = TokenBatches(corpus, 300, seed=4)
    filled = TokenBatches(corpus, 300, seed=4, workers=workers)
    for _ in range(2):
        assert [content(batch) for batch in filled] == [content(batch) for batch in plain]


def test_a_place_that_was_sought(corpus):
    batches = TokenBatches(corpus, 300, seed=4)
    batches.set_epoch(2)
    wanted = [content(batch) for batch in batches]
    batches.seek(2, 5)
    assert batches.position == 5
    iter(batches)  # asking twice, as some trainers do, is no harm
    assert [content(batch) for batch in batches] == wanted[5:]


@pytest.mark.parametrize(("epoch", "position"), [(-1, 0), (0, -1), (0, 9999)])
def test_a_place_that_is_not_there(corpus, epoch, position):
    batches = TokenBatches(corpus, 300)
    message = rf"batch {position} of epoch {epoch} was sought; epochs are counted from 0 and have"
    with pytest.raises(ValueError, match=message):
        batches.seek(epoch, position)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"seed": 2}, "seed was 1 and is 2"),
        ({"tokens_per_batch": 301}, "tokens_per_batch was 300 and is 301"),
        ({"shuffle": False, "seed": 3}, "seed was 1 and is 3; shuffle was True and is False"),
        ({"world_size": 2}, "world_size was 1 and is 2"),
        ({"pool_size": 9}, "pool_size was 50000 and is 9"),
    ],
)
def test_a_state_of_other_settings_is_refused(corpus, other, message):
    state = TokenBatches(corpus, 300, seed=1).state_dict()
    settings = {"tokens_per_batch": 300, "seed": 1, **other}
    with pytest.raises(TrainingError, match=f"cannot go on where they were: {message}. Resume"):
        TokenBatches(corpus, **settings).load_state_dict(state)


def test_a_state_of_another_corpus_is_refused(corpus):
    state = {**TokenBatches(corpus, 300).state_dict(), "pairs": 5}
    with pytest.raises(TrainingError, match="pairs was 5 and is 700"):
        TokenBatches(corpus, 300).load_state_dict(state)


# Several processes


@pytest.mark.parametrize("world_size", [2, 3, 7])
def test_processes_share_an_epoch(corpus, world_size):
    shares = [
        list(TokenBatches(corpus, 200, seed=6, rank=rank, world_size=world_size))
        for rank in range(world_size)
    ]
    assert len({len(share) for share in shares}) == 1
    found = [targets(share) for share in shares]
    for share, others in ((a, b) for a in range(world_size) for b in range(a)):
        assert not set(found[share]) & set(found[others])
    assert sorted(target for share in found for target in share) == all_targets(corpus)
    # Those that step together do about the same work.
    for together in zip(*shares, strict=True):
        widths = [batch.source.shape[1] + batch.target_out.shape[1] for batch in together]
        assert max(widths) <= min(widths) + 3


def test_processes_that_are_resumed_go_on_in_step(corpus):
    for rank in range(2):
        whole = TokenBatches(corpus, 200, seed=6, rank=rank, world_size=2)
        stream = iter(whole)
        for _ in range(4):
            next(stream)
        resumed = TokenBatches(corpus, 200, seed=6, rank=rank, world_size=2)
        resumed.load_state_dict(whole.state_dict())
        assert [content(batch) for batch in resumed] == [content(batch) for batch in stream]


def test_pairs_that_cannot_be_shared_out():
    corpus = corpus_of([(12, 12)] * 5)
    with pytest.raises(DataError, match=r"5 pairs, 5 batches of 25 symbols, cannot be shared out "):
        len(TokenBatches(corpus, 25, rank=0, world_size=2))


# Impossible settings


def test_a_pair_that_no_batch_can_hold(corpus):
    message = rf"tokens_per_batch is 9, but the longest pair needs {corpus.longest_pair} symbols"
    with pytest.raises(DataError, match=message):
        TokenBatches(corpus, 9)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"rank": 2, "world_size": 2},
            "rank is 2 of world_size 2; it must be from 0 to world_size",
        ),
        ({"rank": -1}, "rank is -1 of world_size 1"),
        ({"world_size": 0}, "rank is 0 of world_size 0"),
        ({"pool_size": 0}, "pool_size is 0; it must be at least 1"),
        ({"seed": -1}, "seed is -1; it must be at least 0"),
        ({"workers": -1}, "workers is -1; it must be at least 0"),
    ],
)
def test_impossible_settings(corpus, settings, message):
    with pytest.raises(ValueError, match=message):
        TokenBatches(corpus, 300, **settings)
