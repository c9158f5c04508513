"""What happens between training steps: scoring, saving, stopping."""

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import lightning
import torch

from ._checkpoint import save_checkpoint
from ._data_module import PairsDataModule
from ._evaluation import Scores, evaluate
from ._lightning_module import TrainingModule
from ._loss import SequenceLoss
from ._transducer import Transducer

Monitor = Literal["wer", "loss"]
CHECKPOINT = Path("checkpoints") / "last.ckpt"


class TrainingRun(lightning.Callback):
    """Scores on the development data after each epoch, keeps the best model, and can be stopped.

    Args:
        transducer: the model in training.
        data: what it trains on.
        output: the model directory; the checkpoint goes into it too.
        settings: of the run, for the checkpoint.
        monitor: `"wer"` (free-running) or `"loss"` chooses the best model.
        patience: epochs without a better score after which training stops; `None` never stops it.
        checkpoint_steps: steps between checkpoints, beside the one at each end of an epoch.
        report: called with a line of text after each epoch.
    """

    def __init__(
        self,
        transducer: Transducer,
        data: PairsDataModule,
        output: Path,
        settings: dict[str, Any],
        *,
        monitor: Monitor,
        patience: int | None,
        checkpoint_steps: int,
        report: Callable[[str], None],
    ) -> None:
        self.transducer = transducer
        self.data = data
        self.output = output
        self.settings = settings
        self.monitor = monitor
        self.patience = patience
        self.checkpoint_steps = checkpoint_steps
        self.report = report
        self.best_scores: dict[str, Any] = {}
        self.interrupted = False
        self._previous_handler: Any = None

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Take over Ctrl-C, so that a step is never left half done."""
        if threading.current_thread() is threading.main_thread():
            self._previous_handler = signal.signal(signal.SIGINT, self._interrupt)

    def teardown(self, trainer: lightning.Trainer, pl_module: Any, stage: str) -> None:
        """Give Ctrl-C back."""
        if self._previous_handler is not None:
            signal.signal(signal.SIGINT, self._previous_handler)
            self._previous_handler = None

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Log, save a checkpoint when it is due, and stop when asked to or out of time."""
        module: TrainingModule = pl_module
        progress, limit = module.progress, module.optimization.max_minutes
        if progress.step % 50 == 0 and module.last_loss is not None:
            rate = module.optimizer.param_groups[0]["lr"]
            self._log(trainer, module, train_loss=float(module.last_loss), learning_rate=rate)
        out_of_time = limit is not None and module.done() >= 1
        if self.interrupted or progress.step % self.checkpoint_steps == 0:
            self._save_checkpoint(trainer, module)
        if self.interrupted or out_of_time:
            trainer.should_stop = True

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Score on the development data, keep the model if it is the best, save a checkpoint."""
        module: TrainingModule = pl_module
        if self.interrupted:
            return
        progress = module.progress
        scores = evaluate(self.transducer, self.data.references)
        loss = self._dev_loss(module)
        measured = {
            "dev_wer": scores.word_error_rate,
            "dev_ser": scores.symbol_error_rate,
            "dev_loss": loss,
        }
        self._log(trainer, module, **measured)
        score = loss if self.monitor == "loss" else scores.word_error_rate
        better = progress.best_score is None or score < progress.best_score
        epoch = progress.epoch + progress.position / module.batches_per_epoch
        if better:
            progress.best_score, progress.bad_epochs = score, 0
            self.best_scores = self._card(scores, loss, epoch)
            if trainer.is_global_zero:
                self.transducer.save_pretrained(self.output, scores=self.best_scores)
        else:
            progress.bad_epochs += 1
        if progress.position >= module.batches_per_epoch:
            progress.epoch, progress.position = progress.epoch + 1, 0
            self.data.batches.set_epoch(progress.epoch)
        self._save_checkpoint(trainer, module)
        self.report(
            f"epoch {epoch:.1f}  step {progress.step}  dev WER {scores.word_error_rate:.1f} %  "
            f"PER {scores.symbol_error_rate:.2f} %  loss {loss:.3f}"
            + ("  best so far" if better else "")
        )
        tired = self.patience is not None and progress.bad_epochs >= self.patience
        if tired or progress.epoch >= module.optimization.max_epochs:
            trainer.should_stop = True

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True
        self.report("stopping after this step; press Ctrl-C again to stop at once")

    def _save_checkpoint(self, trainer: lightning.Trainer, module: TrainingModule) -> None:
        if not trainer.is_global_zero:
            return
        module.done()
        save_checkpoint(
            self.output / CHECKPOINT,
            architecture=self.transducer.architecture,
            settings=self.settings,
            model=self.transducer.model.state_dict(),
            optimizer=trainer.optimizers[0].state_dict(),
            progress=module.progress.state_dict(),
            best_model=self.best_scores,
        )

    @torch.inference_mode()
    def _dev_loss(self, module: TrainingModule) -> float:
        module.model.eval()
        loss = SequenceLoss()
        total = symbols = 0.0
        for batch in self.data.dev_batches():
            batch = batch.to(module.device)
            logits = module.model(
                batch.source, batch.source_lengths, batch.target_in, batch.target_lengths
            ).logits
            count = float(batch.target_lengths.sum())
            total += float(loss(logits, batch.target_out)) * count
            symbols += count
        module.model.train()
        return total / symbols

    def _log(self, trainer: lightning.Trainer, module: TrainingModule, **values: float) -> None:
        for logger in trainer.loggers:
            logger.log_metrics(values, step=module.progress.step)

    @staticmethod
    def _card(scores: Scores, loss: float, epoch: float) -> dict[str, Any]:
        return {
            "development word error rate, % (free-running, greedy)": scores.word_error_rate,
            "development symbol error rate, %": scores.symbol_error_rate,
            "development loss, nats per symbol": loss,
            "development sources": scores.sources,
            "epochs trained": epoch,
        }
