"""Lightning's Trainer, as `fit` uses it."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import lightning
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy
from lightning.pytorch.strategies.launchers import _MultiProcessingLauncher


def make_trainer(
    *, accelerator: str, devices: int | str, num_nodes: int, strategy: str
) -> lightning.Trainer:
    """A Trainer that runs the loop and leaves logs, checkpoints and limits to us.

    Args:
        accelerator: as in `fit`, likewise the others.
        devices: how many of them.
        num_nodes: machines.
        strategy: how they work together.

    Raises:
        ValueError: the processes would be forked or spawned, or share out the weights, and so train
            apart from the state that `fit` reports and saves.
    """
    with quiet_trainer():
        trainer = lightning.Trainer(
            accelerator=accelerator,
            devices=devices,
            num_nodes=num_nodes,
            strategy=strategy,
            max_epochs=-1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        )
    known = isinstance(trainer.strategy, DDPStrategy | SingleDeviceStrategy)
    if not known or isinstance(trainer.strategy.launcher, _MultiProcessingLauncher):
        raise ValueError(
            f"strategy is {strategy!r}, which comes to {type(trainer.strategy).__name__} here; "
            "give 'ddp' and run a script, or devices=1."
        )
    return trainer


@contextmanager
def quiet_trainer() -> Iterator[None]:
    """Leave talking to us: what Lightning says of devices is not for the user of `fit`."""
    loggers = [logging.getLogger(f"lightning.{part}") for part in ("fabric", "pytorch")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            # Raised by Lightning about its own use of PyTorch's tree functions.
            warnings.filterwarnings("ignore", message=".*LeafSpec.* is deprecated")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
