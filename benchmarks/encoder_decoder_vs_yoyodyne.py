"""Training, greedy and beam-5 throughput beside yoyodyne 0.5.27, in one process.

Both sides get the same words, the same sizes (two bidirectional LSTM layers of 256, a decoder of
256, embeddings of 128, additive attention, batches of 256 words on average) and the same number
of threads. Rounds alternate A B A B; a round is a fixed number of words, so a rate is words per
second of wall clock, batching included. Both sides optimise with Adam in a bare loop, so neither
side's trainer is timed.

The two models are not the same network (yoyodyne starts its decoder from a learned vector and
attends before the recurrent layer), so their outputs cannot be compared number by number. What is
checked instead: the parameter counts lie within 15 % of each other, both sides see the same words
the same number of times, both reduce their loss, and both write targets of the right length on
average before decoding is timed - an untrained model never emits END, and would time the length
limit rather than the search. The symbol error rates reached by then are given too.

    python benchmarks/encoder_decoder_vs_yoyodyne.py --data words.tsv --output result.json

`--data` is a TSV of word and space-separated phones. yoyodyne is not a dependency of the package:
`make bench-peers` makes an environment that holds both.
"""

import argparse
import json
import random
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from measuring import in_turn, machine
from rapidfuzz.distance import Levenshtein

from unrolled.seq2seq import (
    Architecture,
    Columns,
    Corpus,
    Seq2Seq,
    SequenceLoss,
    Symbols,
    TokenBatches,
    Transducer,
    build,
    train_symbols,
)

SIZES = {"embedding": 128, "hidden": 256, "encoder_layers": 2, "batch_words": 256}


class Ours:
    """Our encoder-decoder, trained from a memory-mapped corpus."""

    def __init__(self, train: Path, workdir: Path, input_feeding: bool) -> None:
        pairs = [line.split("\t") for line in train.read_text("utf-8").splitlines()]
        self.source_symbols: Symbols = train_symbols((w for w, _ in pairs), kind="characters")
        self.target_symbols: Symbols = train_symbols((p for _, p in pairs), kind="separator")
        corpus = Corpus.build(
            train, self.source_symbols, self.target_symbols, columns=Columns(), cache_dir=workdir
        )
        symbols_per_pair = sum(len(w) + len(p.split()) + 1 for w, p in pairs) / len(pairs)
        self.batches = TokenBatches(
            corpus, tokens_per_batch=round(symbols_per_pair * SIZES["batch_words"]), seed=0
        )
        self.architecture = Architecture(
            source_vocab_size=len(self.source_symbols),
            target_vocab_size=len(self.target_symbols),
            cell="lstm",
            embedding_size=SIZES["embedding"],
            encoder_hidden_size=SIZES["hidden"],
            decoder_hidden_size=SIZES["hidden"],
            encoder_layers=SIZES["encoder_layers"],
            decoder_layers=1,
            bidirectional=True,
            attention="additive",
            attention_size=SIZES["hidden"],
            input_feeding=input_feeding,
            bridge_hidden="project",
            dropout=0.2,
        )
        self.model: Seq2Seq = build(self.architecture)
        self.loss = SequenceLoss()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=2e-3)
        self.losses: list[float] = []
        self._stream = self._batches()

    def _batches(self) -> Iterator:
        epoch = 0
        while True:
            self.batches.set_epoch(epoch)
            yield from self.batches
            epoch += 1

    def train(self, words: int) -> int:
        """Train on at least `words` words; return how many there were."""
        self.model.train()
        done = 0
        while done < words:
            batch = next(self._stream)
            decoded = self.model(
                batch.source, batch.source_lengths, batch.target_in, batch.target_lengths
            )
            loss = self.loss(decoded.logits, batch.target_out)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.losses.append(float(loss.detach()))
            done += len(batch.source_lengths)
        return done

    def decode(self, words: list[str], beam_size: int) -> list[str]:
        """Spell `words`; return the phones, space separated."""
        self.model.eval()
        transducer = Transducer(
            self.model, self.architecture, self.source_symbols, self.target_symbols
        )
        return [best[0].text for best in transducer.predict(words, beam_size=beam_size)]


class Yoyodyne:
    """yoyodyne's soft-attention LSTM with its own data module."""

    def __init__(self, train: Path, workdir: Path) -> None:
        from yoyodyne import data, models
        from yoyodyne.models import modules

        self._data = data
        self.batches = data.DataModule(
            model_dir=str(workdir),
            train=str(train),
            target_sep=" ",
            batch_size=SIZES["batch_words"],
        )
        encoder = modules.LSTMEncoder(
            hidden_size=SIZES["hidden"],
            layers=SIZES["encoder_layers"],
            embedding_size=SIZES["embedding"],
            dropout=0.2,
            bidirectional=True,
        )
        self.model = models.SoftAttentionLSTMModel(
            source_encoder=encoder,
            decoder_hidden_size=SIZES["hidden"],
            decoder_layers=1,
            embedding_size=SIZES["embedding"],
            vocab_size=self.batches.vocab_size,
            target_vocab_size=self.batches.target_vocab_size,
            max_target_length=30,
        )
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=2e-3)
        self.losses: list[float] = []
        self._stream = self._batches()

    def _batches(self) -> Iterator:
        loader = self.batches.train_dataloader()
        while True:
            yield from loader

    def train(self, words: int) -> int:
        """Train on at least `words` words; return how many there were."""
        self.model.train()
        done = 0
        while done < words:
            batch = next(self._stream)
            loss = self.model.loss_func(self.model(batch), batch.target.tensor)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.losses.append(float(loss.detach()))
            done += len(batch)
        return done

    @torch.inference_mode()
    def decode(self, words: list[str], beam_size: int) -> list[str]:
        """Spell `words`; return the phones, space separated."""
        from yoyodyne.data import mappers

        self.model.eval()
        self.model.beam_width = beam_size
        mapper = mappers.Mapper(self.batches.index)
        spelled: list[str] = []
        for first in range(0, len(words), SIZES["batch_words"]):
            part = words[first : first + SIZES["batch_words"]]
            source = self._data.PaddedTensor([mapper.encode_source(list(word)) for word in part])
            encoded = self.model.source_encoder(source, self.model.embeddings)
            if self.model.has_source_projection:
                encoded = self.model.source_projection(encoded)
            context = self.model.decoder.get_context(source.tensor, encoded)
            if beam_size == 1:
                logits = self.model.greedy_decode_predict_test(context, source.mask)
                best = logits.argmax(dim=1)
            else:
                predictions, _ = self.model.beam_decode(context, source.mask)
                best = predictions[:, 0, :]
            spelled.extend(" ".join(mapper.decode_target(row)) for row in best.tolist())
        return spelled


def symbol_error_rate(
    words: list[str], spelled: list[str], references: dict[str, set[str]]
) -> float:
    """Edits to the nearest reference, over the length of that reference, in percent."""
    edits = length = 0
    for word, phones in zip(words, spelled, strict=True):
        distance, size = min(
            (Levenshtein.distance(phones.split(), reference.split()), len(reference.split()))
            for reference in references[word]
        )
        edits, length = edits + distance, length + size
    return 100 * edits / length


def _refuse_odd_lengths(
    what: str, words: list[str], spelled: list[str], references: dict[str, set[str]]
) -> None:
    written = sum(len(phones.split()) for phones in spelled)
    right = sum(min(len(phones.split()) for phones in references[word]) for word in words)
    if not 0.7 < written / right < 1.4:
        raise SystemExit(
            f"{what} writes {written} phones where {right} are right: it does not stop where it "
            "should, so its time would mean nothing; give more --warmup_words"
        )


def rates_in_turn(
    rounds: int, ours: Callable[[], int], theirs: Callable[[], int]
) -> dict[str, dict[str, float]]:
    """Words per second of both sides, and how many times faster we are, round by round."""
    words: dict[str, int] = {}

    def timed(side: str, work: Callable[[], int]) -> float:
        start = time.perf_counter()
        words[side] = work()
        return (time.perf_counter() - start) / words[side]

    seconds = in_turn(
        rounds,
        {"ours": lambda: timed("ours", ours), "yoyodyne": lambda: timed("yoyodyne", theirs)},
    )
    rates = {side: [1 / second for second in seconds[side]] for side in ("ours", "yoyodyne")}
    summary = {
        f"{side}_words_per_second": {
            "median": round(statistics.median(values), 1),
            "min": round(min(values), 1),
            "max": round(max(values), 1),
        }
        for side, values in rates.items()
    }
    return {**summary, "ratio": seconds["ratio"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="TSV: word, phones")
    parser.add_argument("--output", type=Path, help="write the JSON here as well")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=4, help="A B rounds of each measurement")
    parser.add_argument("--round_words", type=int, default=1280, help="words in a training round")
    parser.add_argument("--warmup_words", type=int, default=61440, help="words before decoding")
    parser.add_argument("--decode_words", type=int, default=512)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)

    lines = options.data.read_text("utf-8").splitlines()
    references: dict[str, set[str]] = {}
    for line in lines:
        word, phones = line.split("\t")
        references.setdefault(word, set()).add(phones)
    words = sorted(references)
    random.Random(0).shuffle(words)
    held_out = words[: options.decode_words]
    with tempfile.TemporaryDirectory() as folder:
        train = Path(folder, "train.tsv")
        kept = set(words[options.decode_words :])
        train.write_text(
            "".join(f"{line}\n" for line in lines if line.split("\t")[0] in kept), "utf-8"
        )
        ours = Ours(train, Path(folder, "ours"), input_feeding=False)
        feeding = Ours(train, Path(folder, "feeding"), input_feeding=True)
        theirs = Yoyodyne(train, Path(folder, "yoyodyne"))

        count = {
            name: sum(p.numel() for p in side.model.parameters())
            for name, side in (("ours", ours), ("input_feeding", feeding), ("yoyodyne", theirs))
        }
        for name in ("ours", "input_feeding"):
            if abs(count[name] / count["yoyodyne"] - 1) > 0.15:
                raise SystemExit(f"not the same size: {count}")

        result: dict[str, object] = {"machine": machine(), "sizes": SIZES, "parameters": count}
        for side in (ours, feeding, theirs):
            side.train(options.round_words)
        size = options.round_words
        result["training"] = rates_in_turn(
            options.rounds, lambda: ours.train(size), lambda: theirs.train(size)
        )
        result["training_input_feeding"] = rates_in_turn(
            options.rounds, lambda: feeding.train(size), lambda: theirs.train(size)
        )
        for name, side in (("ours", ours), ("yoyodyne", theirs)):
            side.train(options.warmup_words)
            if not side.losses[-1] < side.losses[0]:
                raise SystemExit(f"{name} did not learn: {side.losses[0]} -> {side.losses[-1]}")

        errors: dict[str, float] = {}
        for beam_size, key in ((1, "greedy"), (5, "beam_5")):

            def decode(side: Ours | Yoyodyne, beam: int = beam_size) -> int:
                return len(side.decode(held_out, beam))

            for name, side in (("ours", ours), ("yoyodyne", theirs)):
                spelled = side.decode(held_out, beam_size)
                _refuse_odd_lengths(f"{name} {key}", held_out, spelled, references)
                errors[f"{name}_{key}"] = round(symbol_error_rate(held_out, spelled, references), 1)
            result[key] = rates_in_turn(
                3 if beam_size > 1 else options.rounds,
                lambda: decode(ours),
                lambda: decode(theirs),
            )
        result["symbol_error_rate_percent"] = errors

    text = json.dumps(result)
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(text + "\n", "utf-8")
    print(text)


if __name__ == "__main__":
    main()
