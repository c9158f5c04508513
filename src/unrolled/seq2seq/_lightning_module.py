"""One training step for Lightning's Trainer."""

import math
import time
from typing import cast

import lightning
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import nn

from ..errors import TrainingError
from ._batch import Batch
from ._budget import Budget
from ._loss import SequenceLoss
from ._model import Seq2Seq
from ._optimization import Optimization
from ._progress import Progress
from ._schedule import learning_rate


class DivergenceError(TrainingError):
    """A loss or its gradient is no number; the weights are still those of the step before."""


class TrainingModule(lightning.LightningModule):
    """Teacher-forced training of a `Seq2Seq`.

    The step is written out rather than left to the Trainer: the learning rate is a function of
    `Progress`, which a checkpoint holds, and a loss or gradient that is no number is seen before it
    reaches a weight.

    Args:
        model: what to train.
        optimization: how.
        budget: when it ends.
        progress: where the run stands.
    """

    def __init__(
        self, model: Seq2Seq, optimization: Optimization, budget: Budget, progress: Progress
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.model = model
        self.optimization = optimization
        self.budget = budget
        self.progress = progress
        self.loss = SequenceLoss(optimization.label_smoothing)
        self.last_loss = math.nan
        self.last_rate = 0.0
        self._started = 0.0

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW, which is Adam (Kingma and Ba (2015)) where the decay is 0."""
        return torch.optim.AdamW(
            self.parameters(),
            lr=self.optimization.learning_rate,
            weight_decay=self.optimization.weight_decay,
            fused=True,
        )

    @property
    def batches_per_epoch(self) -> int:
        """Batches that this process has in an epoch."""
        return int(self.trainer.num_training_batches)

    @property
    def used(self) -> float:
        """How much of the budget is used up, from 0 to 1, when the clock was last read."""
        return self.budget.used(self.progress, self.batches_per_epoch)

    @property
    def is_over(self) -> bool:
        """Whether the budget was used up when the clock was last read."""
        return self.budget.is_over(self.progress, self.batches_per_epoch)

    def on_train_start(self) -> None:
        """Start the clock where the checkpoint stopped it."""
        self._started = time.monotonic() - self.progress.seconds

    def read_clock(self) -> None:
        """Bring the seconds of `progress` up to date."""
        self.progress.seconds = time.monotonic() - self._started

    def training_step(self, batch: Batch, batch_index: int) -> None:
        """Train on a batch.

        Args:
            batch: what to train on.
            batch_index: ignored.

        Raises:
            DivergenceError: the loss or its gradient is no number; no weight was changed.
        """
        optimizer, progress = cast("LightningOptimizer", self.optimizers()), self.progress
        self.last_rate = learning_rate(
            self.optimization.learning_rate,
            self.optimization.schedule,
            step=progress.step,
            progress=self.used,
            warmup_steps=self.optimization.warmup_steps,
        )
        for group in optimizer.param_groups:
            group["lr"] = self.last_rate
        logits = self.model(
            batch.source, batch.source_lengths, batch.target_in, batch.target_lengths
        ).logits
        loss = self.loss(logits, batch.target_out)
        optimizer.zero_grad()
        self.manual_backward(loss)
        norm = nn.utils.clip_grad_norm_(self.parameters(), self.optimization.gradient_clip)
        # Both in one transfer, since a GPU has to be waited for.
        self.last_loss, gradient = torch.stack((loss.detach(), norm)).tolist()
        if not math.isfinite(self.last_loss + gradient):
            raise DivergenceError(
                f"the loss is {self.last_loss:g} and its gradient {gradient:g} at step "
                f"{progress.step + 1}, at a learning rate of {self.last_rate:.2g}; no weight was "
                "changed by it."
            )
        optimizer.step()
        progress.step += 1
        progress.position += 1
        progress.loss_sum += self.last_loss
        progress.loss_steps += 1
