"""What a corpus of five million pairs costs in memory and time until training starts.

Writes a TSV of made-up words, learns the symbols, builds the memory-mapped corpus and hands out
training batches; then again from the cache, as a second run would. Resident memory is told apart as
the system does: *anonymous* is what the process holds for itself, *file* is pages of mapped files
that the system may drop at any time.

    python benchmarks/corpus_memory.py --output benchmarks/results/corpus_memory.json

Linux only. The last line is JSON.
"""

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Self

import numpy as np
import torch
from measuring import machine

from unrolled.seq2seq import Corpus, TokenBatches, read_pairs, train_symbols

LETTERS = "etaoinshrdlcumwfgypbvkjxqz'"
PHONES = [
    f"{vowel}{number}" for vowel in ("AA", "EH", "IY", "OW", "UH") for number in "012"
] + list("BDFGKLMNPRSTVZ")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=5_000_000)
    parser.add_argument("--tokens_per_batch", type=int, default=4096)
    parser.add_argument("--batches", type=int, default=2000, help="batches handed out and timed")
    parser.add_argument("--output", type=Path, help="write the JSON here as well")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder, MemoryWatch() as memory:
        tsv = Path(folder, "pairs.tsv")
        write_tsv(tsv, options.pairs)
        clock = time.perf_counter
        memory.mark("imported")

        start = clock()
        source_symbols = train_symbols(pair.source for pair in read_pairs(tsv))
        target_symbols = train_symbols((pair.target for pair in read_pairs(tsv)), "separator")
        symbols_seconds = clock() - start
        memory.mark("symbols learnt")

        start = clock()
        corpus = Corpus.build(tsv, source_symbols, target_symbols, cache_dir=folder)
        build_seconds = clock() - start
        memory.mark("corpus built")

        start = clock()
        corpus = Corpus.build(tsv, source_symbols, target_symbols, cache_dir=folder)
        reuse_seconds = clock() - start

        start = clock()
        stream = iter(TokenBatches(corpus, options.tokens_per_batch, seed=1))
        first = next(stream)
        first_batch_seconds = clock() - start
        memory.mark("first batch")

        symbols = real = seen = 0
        start = clock()
        for batch, _ in zip(stream, range(options.batches), strict=False):
            seen += 1
            symbols += batch.tokens
            real += int(batch.source_lengths.sum() + batch.target_lengths.sum())
            if batch.tokens > options.tokens_per_batch:
                raise RuntimeError(f"a batch has {batch.tokens} symbols")
        batches_seconds = clock() - start
        memory.mark(f"{seen} batches")

        check(corpus, tsv, source_symbols.encode, target_symbols.encode)
        files = sum(path.stat().st_size for path in corpus.directory.iterdir())
        figures = {
            "pairs": len(corpus),
            "tsv_mb": mb(tsv.stat().st_size),
            "corpus_mb": mb(files),
            "seconds_symbols": round(symbols_seconds, 2),
            "seconds_build": round(build_seconds, 2),
            "seconds_reuse": round(reuse_seconds, 2),
            "seconds_to_first_batch": round(first_batch_seconds, 2),
            "batches_per_second": round(seen / batches_seconds, 1),
            "symbols_per_second": round(symbols / batches_seconds),
            "pairs_in_first_batch": len(first),
            "share_not_padding": round(real / symbols, 3),
            "resident_mb": memory.marks,
            "peak_anonymous_mb": mb(memory.peak),
            "peak_anonymous_above_imports_mb": round(
                mb(memory.peak) - memory.marks["imported"]["anonymous"], 1
            ),
        }
    for name, figure in figures.items():
        print(f"{name:32} {figure}", file=sys.stderr)
    text = json.dumps({"machine": machine(), **figures})
    if options.output:
        options.output.write_text(text + "\n", "utf-8")
    print(text)


def write_tsv(path: Path, pairs: int) -> None:
    """Write made-up words and pronunciations."""
    chance = random.Random(0)
    with path.open("w", encoding="utf-8") as file:
        for _ in range(pairs):
            size = 2 + min(int(chance.expovariate(0.17)), 26)
            word = "".join(chance.choices(LETTERS, k=size))
            phones = " ".join(chance.choices(PHONES, k=max(size - chance.randrange(3), 1)))
            file.write(f"{word}\t{phones}\n")


def check(corpus: Corpus, tsv: Path, encode_source: object, encode_target: object) -> None:
    """See that what is mapped is what the TSV says."""
    if not isinstance(corpus.source.values, np.memmap):
        raise RuntimeError("the corpus is not memory-mapped")
    for index, pair in enumerate(read_pairs(tsv)):
        if index % 50_000 == 0:
            encoded = corpus.pair(index)
            wanted = encode_source(pair.source), encode_target(pair.target)  # type: ignore[operator]
            if (encoded.source.tolist(), encoded.target.tolist()) != wanted:
                raise RuntimeError(f"pair {index} differs from the TSV")


class MemoryWatch:
    """Resident memory of this process: at marks, and the peak of what is anonymous."""

    def __init__(self) -> None:
        self.marks: dict[str, dict[str, float]] = {}
        self.peak = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def mark(self, name: str) -> None:
        """Remember what is resident now."""
        anonymous, file = resident()
        self.marks[name] = {"anonymous": mb(anonymous), "file": mb(file)}

    def _watch(self) -> None:
        while not self._ended.wait(0.02):
            self.peak = max(self.peak, resident()[0])


def resident() -> tuple[int, int]:
    """Bytes of anonymous memory and of mapped files."""
    lines = Path("/proc/self/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines if line.startswith("Rss"))
    anonymous, file = (int(fields[name].split()[0]) * 1024 for name in ("RssAnon", "RssFile"))
    return anonymous, file


def mb(size: int) -> float:
    """Bytes as megabytes."""
    return round(size / 1e6, 1)


if __name__ == "__main__":
    main()
