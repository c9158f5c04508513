"""One training step for Lightning's Trainer."""

import time
from dataclasses import dataclass
from typing import cast

import lightning
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn

from ..errors import TrainingError
from ._batch import Batch
from ._loss import SequenceLoss
from ._model import Seq2Seq
from ._progress import Progress
from ._schedule import Schedule, learning_rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimization:
    """How the weights are trained.

    Attributes:
        learning_rate: its peak.
        schedule: how it falls.
        warmup_steps: steps until the peak.
        weight_decay: of AdamW; 0 is plain Adam.
        label_smoothing: probability spread over all symbols.
        gradient_clip: largest norm of the gradient of all weights together.
        max_epochs: at which training ends.
        max_minutes: at which it ends, where time is limited.
    """

    learning_rate: float = 2e-3
    schedule: Schedule = "linear"
    warmup_steps: int = 200
    weight_decay: float = 0.0
    label_smoothing: float = 0.1
    gradient_clip: float = 1.0
    max_epochs: int = 20
    max_minutes: float | None = None


class TrainingModule(lightning.LightningModule):
    """Teacher-forced training of a `Seq2Seq`.

    The step is written out rather than left to the Trainer: the learning rate is a function of
    `Progress`, which a checkpoint holds, and a loss or gradient that is no number is seen before it
    reaches a weight.

    Args:
        model: what to train.
        optimization: how.
        batches_per_epoch: of the training data.
        progress: where the run stands.
    """

    def __init__(
        self,
        model: Seq2Seq,
        optimization: Optimization,
        batches_per_epoch: int,
        progress: Progress,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.model = model
        self.optimization = optimization
        self.batches_per_epoch = batches_per_epoch
        self.progress = progress
        self.loss = SequenceLoss(optimization.label_smoothing)
        self.last_loss: Tensor | None = None
        self._started = 0.0
        self._seconds_before = 0.0

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW, which is Adam (Kingma and Ba (2015)) where the decay is 0."""
        return torch.optim.AdamW(
            self.parameters(),
            lr=self.optimization.learning_rate,
            weight_decay=self.optimization.weight_decay,
            fused=True,
        )

    @property
    def optimizer(self) -> LightningOptimizer:
        """The one optimizer."""
        return cast("LightningOptimizer", self.optimizers())

    def on_train_start(self) -> None:
        """Start the clock."""
        self._started = time.monotonic()
        self._seconds_before = self.progress.seconds

    def done(self) -> float:
        """How much of training is done, from 0 to 1."""
        self.progress.seconds = self._seconds_before + time.monotonic() - self._started
        return self.progress.done(
            batches=self.batches_per_epoch,
            max_epochs=self.optimization.max_epochs,
            max_minutes=self.optimization.max_minutes,
        )

    def training_step(self, batch: Batch, batch_index: int) -> None:
        """Train on a batch.

        Args:
            batch: what to train on.
            batch_index: ignored.

        Raises:
            TrainingError: the loss or its gradient is no number; no weight was changed.
        """
        optimizer = self.optimizer
        rate = self._learning_rate()
        for group in optimizer.param_groups:
            group["lr"] = rate
        decoded = self.model(
            batch.source, batch.source_lengths, batch.target_in, batch.target_lengths
        )
        loss = self.loss(decoded.logits, batch.target_out)
        optimizer.zero_grad()
        self.manual_backward(loss)
        norm = nn.utils.clip_grad_norm_(self.parameters(), self.optimization.gradient_clip)
        self.last_loss = loss.detach()
        if not bool(torch.isfinite(self.last_loss + norm)):
            raise TrainingError(
                f"the loss is {float(self.last_loss):g} and its gradient {float(norm):g} at step "
                f"{self.progress.step + 1}, at a learning rate of {rate:.2g}; no weight was changed"
                " by it, and the saved model and checkpoint are whole. Go on from them with a "
                "lower learning_rate."
            )
        optimizer.step()
        self.progress.step += 1
        self.progress.position += 1

    def _learning_rate(self) -> float:
        return learning_rate(
            self.optimization.learning_rate,
            self.optimization.schedule,
            step=self.progress.step,
            progress=self.done(),
            warmup_steps=self.optimization.warmup_steps,
        )
