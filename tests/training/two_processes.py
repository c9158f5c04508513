"""A fit in two processes; a script, since Lightning starts the second by running it again.

Arguments: a folder with train.tsv and dev.tsv, the model directory, and JSON: `at`, the training
step at which a signal arrives, `signal`, its name, `processes`, the numbers of those it reaches,
and `changes`, settings of the fit. Each process leaves how it ended in `rank-N.json` of the
directory: the checksum of its weights, its result, what it was told, the error it raised.
"""

import hashlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch
from dying_fits import three_epochs

from unrolled.errors import TrainingError
from unrolled.seq2seq._lightning_module import TrainingModule
from unrolled.seq2seq._training_run import TrainingRun


def _checksum(weights: dict[str, torch.Tensor]) -> str:
    digest = hashlib.sha256()
    for name, weight in weights.items():
        digest.update(name.encode() + weight.numpy().tobytes())
    return digest.hexdigest()


def main() -> None:
    """Fit, and leave word of it."""
    pairs, output, order = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
    rank = int(os.environ.get("LOCAL_RANK", "0"))
    torch.set_num_threads(1)
    end: dict[str, Any] = {"weights": "", "epochs": 0.0, "steps": 0, "lines": [], "error": ""}
    step, leave = TrainingModule.training_step, TrainingRun.leave

    def hit_step(self: TrainingModule, batch: Any, batch_index: int) -> None:
        if self.progress.step + 1 == order.get("at") and rank in order["processes"]:
            os.kill(os.getpid(), signal.Signals[order["signal"]])
        step(self, batch, batch_index)

    def told_leave(self: TrainingRun) -> None:
        end["weights"] = _checksum(self.transducer.model.state_dict())
        leave(self)

    TrainingModule.training_step = hit_step  # type: ignore[method-assign]
    TrainingRun.leave = told_leave  # type: ignore[method-assign]
    settings = {"devices": 2, "strategy": "ddp", "report": end["lines"].append}
    try:
        result = three_epochs(pairs, output, **settings, **order["changes"])
        end |= {"epochs": result.epochs, "steps": result.steps}
    except TrainingError as error:
        end["error"] = f"{type(error).__name__}: {error}"
    (output / f"rank-{rank}.json").write_text(json.dumps(end))


if __name__ == "__main__":
    main()
