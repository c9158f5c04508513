"""What happens between training steps: scoring, saving, stopping."""

import math
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, get_args

import lightning
import torch
from torch import distributed

from ..errors import TrainingError
from ._checkpoint import random_state, restore_random_state, save_checkpoint
from ._data_module import PairsDataModule
from ._evaluation import Scores, evaluate
from ._lightning_module import TrainingModule
from ._loss import SequenceLoss
from ._stop_request import StopRequest
from ._training_log import TrainingLog
from ._transducer import Transducer

Monitor = Literal["wer", "loss"]
MONITORS: tuple[Monitor, ...] = get_args(Monitor)

_LOG_STEPS = 50


class TrainingInterruptedError(TrainingError):
    """Training was stopped by the user.

    Args:
        what: a sentence about where it stopped and what is saved.
        may_resume: whether there is a checkpoint to go on from.
    """

    def __init__(self, what: str, *, may_resume: bool) -> None:
        way_on = " The same call with resume=True goes on from there." if may_resume else ""
        super().__init__(what + way_on)
        self.what = what
        self.may_resume = may_resume


class TrainingRun(lightning.Callback):
    """Scores on the development data after each epoch, keeps the best model, and can be stopped.

    All that a later step depends on is in the checkpoint, and a checkpoint is never written between
    the last step of an epoch and its scores: whoever goes on from one does what was to come next.

    Args:
        transducer: the model in training.
        data: what it trains on.
        output: the model directory; log and checkpoint go into it too.
        identity: what a resumption must have in common with the start, for the checkpoint.
        settings: what it may change, for the checkpoint.
        content: the checkpoint to go on from, if any.
        monitor: `"wer"` (free-running) or `"loss"` chooses the best model.
        checkpoint_steps: steps between checkpoints, beside the one at each end of an epoch.
        report: called with a line of text after each epoch.
        scoring: called with the number of development sources scored, and that of all.
    """

    def __init__(
        self,
        transducer: Transducer,
        data: PairsDataModule,
        output: Path,
        identity: Mapping[str, Mapping[str, Any]],
        settings: Mapping[str, Any],
        content: Mapping[str, Any] | None,
        *,
        monitor: Monitor,
        checkpoint_steps: int,
        report: Callable[[str], None],
        scoring: Callable[[int, int], None],
    ) -> None:
        self.transducer = transducer
        self.data = data
        self.output = output
        self.checkpoint = checkpoint_path(output)
        self.identity = identity
        self.settings = settings
        self.monitor = monitor
        self.checkpoint_steps = checkpoint_steps
        self.report = report
        self.scoring = scoring
        self.best_scores: dict[str, Any] = dict(content["best_scores"]) if content else {}
        self.saved_at: int | None = content["progress"]["step"] if content else None
        self.was_stopped = False
        self._content = content
        self._log: TrainingLog | None = None
        self._request = StopRequest(
            lambda: report("stopping after this step; press Ctrl-C again to stop at once"),
            self._stop_at_once,
        )

    def what_is_saved(self) -> str:
        """A sentence about what a run that ends now leaves."""
        if self.saved_at is None:
            return f"No checkpoint had been saved in {self.output} yet."
        best = ", and the best model so far is whole" if self.best_scores else ""
        return f"The checkpoint of step {self.saved_at} is in {self.output}{best}."

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Listen for requests to stop, and learn who listened before Lightning does."""
        self._request.listen()

    def on_train_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Go on from the checkpoint, now that the optimizer exists and nothing else will draw."""
        # Lightning's own handler of SIGTERM, put over ours by now, ends the process unsaved.
        self._request.listen()
        content = self._content
        if content is not None:
            optimizer = trainer.optimizers[0]
            optimizer.load_state_dict(content["optimizer"])
            for group in optimizer.param_groups:
                group["weight_decay"] = pl_module.optimization.weight_decay
            restore_random_state(content["random_states"][trainer.global_rank])
        elif trainer.world_size > 1:
            torch.manual_seed(
                self.data.seed + trainer.global_rank
            )  # other elements dropped on each
        if trainer.is_global_zero:
            self._log = TrainingLog(self.output / "logs", self.saved_at)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Log, save a checkpoint when it is due, and stop when asked to or out of time."""
        module: TrainingModule = pl_module
        progress = module.progress
        stop = self._agree(trainer, module)
        if progress.step % _LOG_STEPS == 0:
            self._write(module)
        if module.is_over or progress.position >= module.batches_per_epoch:
            trainer.should_stop |= module.is_over  # scores come next, and then the checkpoint
            return
        if stop or progress.step % self.checkpoint_steps == 0:
            self._save_checkpoint(trainer, module)
        if stop:
            self.was_stopped = trainer.should_stop = True

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Score on the development data, keep the model if it is the best, save a checkpoint."""
        if self.was_stopped:
            return
        module: TrainingModule = pl_module
        progress = module.progress
        scores, loss = self._scores(), self._dev_loss(module)
        score = loss if self.monitor == "loss" else scores.word_error_rate
        score = self._of_the_first(trainer, module, score)
        epoch = progress.epoch + progress.position / module.batches_per_epoch
        better = math.isfinite(score) and (
            progress.best_score is None or score < progress.best_score
        )
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
        stop = self._agree(trainer, module)
        self._write(
            module,
            epoch=epoch,
            dev_wer=scores.word_error_rate,
            dev_ser=scores.symbol_error_rate,
            dev_loss=loss,
        )
        self._save_checkpoint(trainer, module)
        self.report(
            f"epoch {epoch:.1f}  step {progress.step}  dev WER {scores.word_error_rate:.1f} %  "
            f"PER {scores.symbol_error_rate:.2f} %  loss {loss:.3f}  "
            f"{timedelta(seconds=round(progress.seconds))}" + ("  best" if better else "")
        )
        if module.is_over:
            trainer.should_stop = True
        elif stop:
            self.was_stopped = trainer.should_stop = True

    def teardown(self, trainer: lightning.Trainer, pl_module: Any, stage: str) -> None:
        """Let go of signals and files."""
        self.leave()

    def leave(self) -> None:
        """Let go of signals and files; after a fault too, once Lightning has put back ours."""
        self._request.leave()
        if self._log is not None:
            self._log.close()
            self._log = None

    def _stop_at_once(self) -> None:
        raise TrainingInterruptedError(
            f"training was stopped at once. {self.what_is_saved()}",
            may_resume=self.saved_at is not None,
        )

    def _agree(self, trainer: lightning.Trainer, module: TrainingModule) -> bool:
        """Read the clock and whether to stop; all processes must come to the same answer."""
        module.read_clock()
        if trainer.world_size == 1:
            return self._request.was_made
        told = torch.tensor(
            [module.progress.seconds, float(self._request.was_made)],
            dtype=torch.float64,
            device=module.device,
        )
        distributed.all_reduce(told, distributed.ReduceOp.MAX)
        module.progress.seconds, stop = told.tolist()
        return bool(stop)

    @staticmethod
    def _of_the_first(trainer: lightning.Trainer, module: TrainingModule, score: float) -> float:
        """The first process's score, since a last bit may differ and all must decide alike."""
        if trainer.world_size == 1:
            return score
        told = torch.tensor([score], dtype=torch.float64, device=module.device)
        distributed.broadcast(told, 0)
        return float(told.item())

    def _save_checkpoint(self, trainer: lightning.Trainer, module: TrainingModule) -> None:
        random_states: list[Any] = [random_state()]
        if trainer.world_size > 1:
            random_states = [None] * trainer.world_size
            distributed.all_gather_object(random_states, random_state())
        if trainer.is_global_zero:
            save_checkpoint(
                self.checkpoint,
                architecture=self.identity["architecture"],
                data=self.identity["data"],
                settings=self.settings,
                model=self.transducer.model.state_dict(),
                optimizer=trainer.optimizers[0].state_dict(),
                progress=module.progress.state_dict(),
                best_scores=self.best_scores,
                random_states=random_states,
            )
        self.saved_at = module.progress.step

    def _scores(self) -> Scores:
        scored, total = 0, len(self.data.references)

        def tell(count: int) -> None:
            nonlocal scored
            scored += count
            self.scoring(scored, total)

        return evaluate(self.transducer, self.data.references, progress=tell)

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

    def _write(self, module: TrainingModule, **scores: float) -> None:
        """Log scores, and what came of the steps since the last line."""
        progress = module.progress
        values = {"learning_rate": module.last_rate, "seconds": progress.seconds, **scores}
        if progress.loss_steps:
            values["train_loss"] = progress.loss_sum / progress.loss_steps
        progress.loss_sum, progress.loss_steps = 0.0, 0
        if self._log is not None:
            self._log.write(progress.step, **values)

    @staticmethod
    def _card(scores: Scores, loss: float, epoch: float) -> dict[str, Any]:
        return {
            "development word error rate, % (free-running, greedy)": scores.word_error_rate,
            "development symbol error rate, %": scores.symbol_error_rate,
            "development loss, nats per symbol": loss,
            "development sources": scores.sources,
            "epochs trained until this best model": epoch,
        }


def checkpoint_path(output: Path) -> Path:
    """Where the checkpoint of a run is.

    Args:
        output: the model directory.
    """
    return output / "checkpoints" / "last.ckpt"
