"""The README of a model directory."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ._architecture import Architecture


def model_card(
    name: str, architecture: Architecture, scores: Mapping[str, Any] | None = None
) -> str:
    """What the model is, how good it was when measured, and how to use it, in Markdown.

    Args:
        name: of the model.
        architecture: what it was built from.
        scores: measured scores by name.
    """
    measured = "\n".join(f"| {key} | {_shown(value)} |" for key, value in (scores or {}).items())
    table = f"| score | value |\n|---|---|\n{measured}\n" if measured else "None was measured.\n"
    sizes = "\n".join(
        f"| {key} | {value} |" for key, value in asdict(architecture).items() if value is not None
    )
    return f"""---
library_name: unrolled
tags: [encoder-decoder, recurrent, attention]
---
# {name}

A recurrent encoder-decoder with attention, trained with unrolled.

## Measured

{table}
## Use

In this directory (elsewhere, give its path in place of the dot):

```
unrolled predict . WORD
```

```python
import unrolled

model = unrolled.from_pretrained(".")
print(model.predict(["WORD"])[0][0].text)
```

## Architecture

| setting | value |
|---|---|
{sizes}
"""


def _shown(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)
