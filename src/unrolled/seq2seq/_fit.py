"""Training an encoder-decoder from TSV files."""

import sys
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from rich.console import Console

from ..errors import TrainingError
from ..grid import Cell
from ._architecture import Architecture, AttentionKind, build
from ._budget import Budget
from ._checkpoint import differences, load_checkpoint
from ._columns import Columns
from ._data_module import PairsDataModule, SymbolRule
from ._directory_lock import directory_lock
from ._empty_folders import empty_folders_removed
from ._lightning_module import DivergenceError, TrainingModule
from ._optimization import Optimization
from ._progress import Progress
from ._progress_bar import ProgressBar
from ._schedule import Schedule
from ._symbols import SymbolKind
from ._trainer import make_trainer, quiet_trainer
from ._training_run import (
    MONITORS,
    Monitor,
    TrainingInterruptedError,
    TrainingRun,
    checkpoint_path,
)
from ._transducer import Transducer


@dataclass(frozen=True, slots=True)
class FitResult:
    """What a training run came to.

    Attributes:
        output: the model directory, which holds the best model.
        steps: optimizer steps done.
        epochs: epochs begun and done, in full and in part.
        seconds: spent training.
        scores: of the best model on the development data, as its card has them.
    """

    output: Path
    steps: int
    epochs: float
    seconds: float
    scores: dict[str, Any]


def fit(
    train: str | Path,
    dev: str | Path,
    output: str | Path,
    *,
    source_column: int | str = 1,
    target_column: int | str = 2,
    delimiter: str = "\t",
    header: bool | None = None,
    max_length: int = 1000,
    source_symbols: SymbolKind = "characters",
    source_separator: str = " ",
    source_vocab_size: int | None = None,
    source_lowercase: bool = False,
    target_symbols: SymbolKind = "characters",
    target_separator: str = " ",
    target_vocab_size: int | None = None,
    target_lowercase: bool = False,
    cell: Cell = "lstm",
    decoder_cell: Cell | None = None,
    embedding_size: int = 128,
    encoder_hidden_size: int = 256,
    decoder_hidden_size: int = 256,
    encoder_layers: int = 1,
    decoder_layers: int = 1,
    bidirectional: bool = True,
    attention: AttentionKind = "general",
    attention_size: int | None = None,
    input_feeding: bool = False,
    bridge_hidden: str = "project",
    bridge_layers: str = "top",
    bridge_cell: str | None = None,
    dropout: float = 0.1,
    tie_embeddings: bool = False,
    max_epochs: int = 20,
    max_steps: int | None = None,
    max_minutes: float | None = None,
    tokens_per_batch: int = 2048,
    learning_rate: float = 2e-3,
    schedule: Schedule = "linear",
    warmup_steps: int = 200,
    weight_decay: float = 0.0,
    label_smoothing: float = 0.1,
    gradient_clip: float = 1.0,
    monitor: Monitor = "wer",
    patience: int | None = None,
    checkpoint_steps: int = 500,
    seed: int = 1,
    resume: bool = False,
    accelerator: str = "auto",
    devices: int | str = "auto",
    num_nodes: int = 1,
    strategy: str = "auto",
    progress: bool | None = None,
    report: Callable[[str], None] | None = None,
) -> FitResult:
    """Train an encoder-decoder and leave the best model in a model directory.

    After each epoch the model decodes the development sources freely, and is saved if it is the
    best so far. What stands in `output` is replaced by a new run's first save, and taken up with
    `resume`: on a CPU, on the same machine, a run that was killed then ends bit for bit where it
    would have ended. One that `max_minutes` ends follows the clock, so it is not the same twice; it
    goes on with the minutes that were left.

    Args:
        train: TSV of pairs to learn from; `.gz` is unpacked on the way.
        dev: TSV of pairs to choose the model by.
        output: the model directory; `checkpoints/`, `logs/` and `corpus/` go into it too.
        source_column: number (1 first) or header name of the sources' column.
        target_column: likewise of the targets'.
        delimiter: what stands between columns.
        header: whether the first line names the columns; by default where a column is a name.
        max_length: most symbols of a source or a target.
        source_symbols: `"characters"`, `"separator"` or `"bpe"`.
        source_separator: what stands between the pieces of a source.
        source_vocab_size: most source symbols.
        source_lowercase: whether sources are lower-cased.
        target_symbols: as for the source.
        target_separator: as for the source.
        target_vocab_size: as for the source.
        target_lowercase: as for the source.
        cell: see `Architecture`, as all down to `tie_embeddings`.
        decoder_cell: cell of the decoder.
        embedding_size: features of an embedded symbol.
        encoder_hidden_size: units of an encoder layer and direction.
        decoder_hidden_size: units of a decoder layer.
        encoder_layers: layers of the encoder.
        decoder_layers: layers of the decoder.
        bidirectional: whether the encoder also runs in reverse.
        attention: how the memory is scored.
        attention_size: inner features of additive and concat attention.
        input_feeding: whether the decoder reads its last attentional vector.
        bridge_hidden: how final states become initial states.
        bridge_layers: which encoder layer starts which decoder layer.
        bridge_cell: what starts an LSTM decoder's cell states.
        dropout: probability of zeroing an element.
        tie_embeddings: whether the target embedding also scores the symbols.
        max_epochs: passes over the training pairs.
        max_steps: optimizer steps.
        max_minutes: time for training, all resumptions together. Training ends with whichever of
            the three is used up first, and the learning rate falls with it.
        tokens_per_batch: symbols in a batch, source and target and padding together.
        learning_rate: its peak.
        schedule: `"linear"`, `"cosine"`, `"inverse_sqrt"` or `"constant"`.
        warmup_steps: steps until the peak.
        weight_decay: of AdamW.
        label_smoothing: probability spread over all symbols.
        gradient_clip: largest norm of the gradient.
        monitor: `"wer"` or `"loss"` of the development data chooses the best model.
        patience: epochs without a better score after which training stops.
        checkpoint_steps: steps between checkpoints.
        seed: of all chance.
        resume: whether to go on from the checkpoint in `output`. Architecture, data and seed must
            be those of the start; limits and what belongs to the optimizer may be changed.
        accelerator: Lightning's: `"auto"`, `"cpu"`, `"gpu"`, ...
        devices: how many of them.
        num_nodes: machines.
        strategy: how they work together: `"ddp"`, or `"auto"`, which is the same where there are
            several. Each starts the calling program anew, so call `fit` from one that can be.
        progress: whether to draw a bar on standard error; by default where that is a terminal.
            `False` also leaves out the lines that are printed for want of a `report`.
        report: called with a line of text after each epoch; by default it is printed, above the
            bar where there is one.

    Raises:
        DataError: a file cannot be read or used.
        ModelError: the architecture cannot be built, or the model cannot be saved.
        TrainingError: training cannot start or go on; `TrainingInterruptedError` when the user
            stopped it with Ctrl-C or SIGTERM. What was saved stays.
        ValueError: an argument is not possible; all are looked at before any data is read.
    """
    output = Path(output)
    optimization = Optimization(
        learning_rate=learning_rate,
        schedule=schedule,
        warmup_steps=warmup_steps,
        weight_decay=weight_decay,
        label_smoothing=label_smoothing,
        gradient_clip=gradient_clip,
    )
    budget = Budget(
        max_epochs=max_epochs, max_steps=max_steps, max_minutes=max_minutes, patience=patience
    )
    _check_choices(monitor, checkpoint_steps, seed)
    architecture_of = _architecture_builder(
        cell=cell,
        decoder_cell=decoder_cell,
        embedding_size=embedding_size,
        encoder_hidden_size=encoder_hidden_size,
        decoder_hidden_size=decoder_hidden_size,
        encoder_layers=encoder_layers,
        decoder_layers=decoder_layers,
        bidirectional=bidirectional,
        attention=attention,
        attention_size=attention_size,
        input_feeding=input_feeding,
        bridge_hidden=bridge_hidden,
        bridge_layers=bridge_layers,
        bridge_cell=bridge_cell,
        dropout=dropout,
        tie_embeddings=tie_embeddings,
    )
    build(architecture_of(4, 4))  # what cannot be built is refused before any data is read
    if resume and not checkpoint_path(output).exists():
        raise TrainingError(
            f"{checkpoint_path(output)} does not exist, so there is nothing to resume; start "
            "without resume."
        )
    trainer = make_trainer(
        accelerator=accelerator, devices=devices, num_nodes=num_nodes, strategy=strategy
    )
    is_first = trainer.is_global_zero
    draws = is_first and (sys.stderr.isatty() if progress is None else progress)
    bar = ProgressBar(Console(stderr=True))
    say: Callable[[str], None] = _say_nothing
    if is_first and report is not None:
        say = report
    elif is_first and progress is not False:
        say = bar.console.print if draws else _log
    cache_dir = output / "corpus"
    # Held from before the checkpoint is read, or another run might still write a newer one.
    lock = directory_lock(output) if is_first else nullcontext()
    with empty_folders_removed(cache_dir), lock:
        data = PairsDataModule(
            train,
            dev,
            cache_dir=cache_dir,
            columns=Columns(source_column, target_column, delimiter, header),
            source_rule=SymbolRule(
                source_symbols, source_separator, source_vocab_size, source_lowercase
            ),
            target_rule=SymbolRule(
                target_symbols, target_separator, target_vocab_size, target_lowercase
            ),
            tokens_per_batch=tokens_per_batch,
            max_length=max_length,
            seed=seed,
            processes=trainer.num_devices * trainer.num_nodes,
            watch=bar.reading if draws else None,
        )
        try:
            data.prepare()
        finally:
            bar.done_reading()
        architecture = architecture_of(len(data.source_symbols), len(data.target_symbols))
        identity = _identity(architecture, data, monitor)
        settings = {**asdict(optimization), **asdict(budget)}
        state = Progress()
        content = None
        if resume:
            content = load_checkpoint(checkpoint_path(output), **identity)
            state.load_state_dict(content["progress"])
            data.start = (state.epoch, state.position)
            for change in differences(content["settings"], settings):
                say(f"going on with another setting: {change}")
        torch.manual_seed(seed)
        transducer = Transducer(
            build(architecture), architecture, data.source_symbols, data.target_symbols
        )
        if content is not None:
            transducer.model.load_state_dict(content["model"])
        run = TrainingRun(
            transducer,
            data,
            output,
            identity,
            settings,
            content,
            monitor=monitor,
            checkpoint_steps=checkpoint_steps,
            report=say,
            scoring=bar.scoring,
        )
        trainer.callbacks[:0] = [run, bar] if draws else [run]  # type: ignore[attr-defined]
        if not budget.is_over(state, len(data.batches)):
            module = TrainingModule(transducer.model, optimization, budget, state)
            _train(trainer, module, data, run)
        if run.was_stopped:
            raise TrainingInterruptedError(
                f"training was stopped at step {state.step}, and everything is saved in {output}.",
                may_resume=True,
            )
        epochs = state.epoch + state.position / len(data.batches)
        return FitResult(output, state.step, epochs, state.seconds, run.best_scores)


def _architecture_builder(**settings: Any) -> Callable[[int, int], Architecture]:
    def architecture(source_vocab_size: int, target_vocab_size: int) -> Architecture:
        return Architecture(
            source_vocab_size=source_vocab_size, target_vocab_size=target_vocab_size, **settings
        )

    return architecture


def _check_choices(monitor: str, checkpoint_steps: int, seed: int) -> None:
    if monitor not in MONITORS:
        raise ValueError(f"monitor is {monitor!r}; it must be one of {', '.join(MONITORS)}.")
    if checkpoint_steps < 1:
        raise ValueError(f"checkpoint_steps is {checkpoint_steps}; it must be 1 or more.")
    if not 0 <= seed < 2**63:
        raise ValueError(f"seed is {seed}; it must be 0 or more and below 2**63.")


def _identity(
    architecture: Architecture, data: PairsDataModule, monitor: Monitor
) -> dict[str, dict[str, Any]]:
    """What a run that goes on from a checkpoint must have in common with the one that wrote it."""
    return {
        "architecture": asdict(architecture),
        "data": {
            "training pairs": data.train_corpus.checksums,
            "development pairs": data.dev_corpus.checksums,
            "source symbols": data.source_symbols.fingerprint,
            "target symbols": data.target_symbols.fingerprint,
            "tokens_per_batch": data.tokens_per_batch,
            "seed": data.seed,
            "monitor": monitor,
            "processes": data.processes,
        },
    }


def _train(
    trainer: lightning.Trainer, module: TrainingModule, data: PairsDataModule, run: TrainingRun
) -> None:
    try:
        with quiet_trainer():
            trainer.fit(module, datamodule=data)
    except DivergenceError as error:
        way_out = "Start again with a lower learning_rate."
        if run.saved_at is not None:
            way_out = (
                "Go on from there with resume and a lower learning_rate, or start again with one."
            )
        raise TrainingError(f"{error} {run.what_is_saved()} {way_out}") from error
    finally:
        run.leave()


def _log(line: str) -> None:
    # Ctrl-C ends what reads a pipe too: it must not take the training along before it is saved; nor
    # must a file that is closed, of which a ValueError tells.
    with suppress(OSError, ValueError):
        print(line, file=sys.stderr)


def _say_nothing(line: str) -> None:
    """Another process says it, or nobody wants to hear it."""
