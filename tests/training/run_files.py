"""What a training run leaves beside its model."""

import csv
from pathlib import Path
from typing import Any

import torch

LAST = Path("checkpoints", "last.ckpt")


def checkpoint(directory: Path) -> dict[str, Any]:
    """What stands in the last checkpoint."""
    content: dict[str, Any] = torch.load(directory / LAST, weights_only=True)
    return content


def lines(directory: Path) -> list[dict[str, str]]:
    """The log but for the time, which is never twice the same."""
    with (directory / "logs" / "metrics.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]
