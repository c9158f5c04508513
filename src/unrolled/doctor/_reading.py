"""What a model itself says of its arguments: their names, and what it does with them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

if TYPE_CHECKING:
    from ._observation import Observation

_WORDS = re.compile(r"[a-z]+|[A-Z]+(?![a-z])|[A-Z][a-z]+")
_ENDINGS = ("len", "lens", "length", "lengths")
_LENGTHS = {
    *("l", "n", "t", "len", "lens", "length", "lengths", "lng", "size", "sizes", "steps", "count"),
    *("counts", "num", "nums", "valid", "real", "duration", "durations", "frames", "tokens"),
}


@dataclass(frozen=True)
class Reading:
    """How the arguments of a model are to be read."""

    parameters: tuple[str, ...] = ()
    """The names of the positional ones."""
    zero_pads: bool = False
    """Whether one 0 at the end of one sample is padding."""
    no_lengths: frozenset[int] = frozenset()
    """Places of whole numbers that are no lengths, though they could be."""

    @classmethod
    def of(cls, model: nn.Module) -> Reading:
        """As the model's definition has it.

        Args:
            model: any.
        """
        try:
            parameters = list(inspect.signature(model.forward).parameters.values())
        except (TypeError, ValueError):
            parameters = []
        names = [
            one.name
            for one in parameters
            if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
        ]
        tables = (nn.Embedding, nn.EmbeddingBag)
        pads = any(isinstance(m, tables) and m.padding_idx == 0 for m in model.modules())
        return cls(tuple(names), pads)

    def keys(self, args: Sequence[Any], keywords: Mapping[str, Any], is_leaf: Any) -> list[str]:
        """The name of each leaf: its key in a dict, or the parameter that holds it.

        Args:
            args: positional ones.
            keywords: the others.
            is_leaf: what is one leaf, as for `tree_flatten`.
        """
        flat, _ = pytree.tree_flatten_with_path((tuple(args), dict(keywords)), is_leaf=is_leaf)
        return [self._key(path) for path, _ in flat]

    def _key(self, path: Sequence[Any]) -> str:
        for key in reversed(path[1:]):
            name = getattr(key, "key", getattr(key, "name", None))
            if isinstance(name, str):
                return name
        place: int | None = getattr(path[1], "idx", None) if len(path) > 1 else None
        in_args = getattr(path[0], "idx", None) == 0
        if in_args and place is not None and place < len(self.parameters):
            return self.parameters[place]
        return ""

    def after(self, seen: Observation) -> Reading | None:
        """Another reading, where a run shows that this one was wrong; None where it does not.

        Args:
            seen: the model, its arguments read so.
        """
        examples = seen.examples
        doubtful = examples.doubtful_leaf
        if doubtful is not None and not _used_as_lengths(seen, doubtful):
            return replace(self, no_lengths=self.no_lengths | {doubtful})
        if examples.stray_zero and seen.main is not None and not self.zero_pads:
            ids = seen.main.ids()
            marked = list(seen.cut.recorder.operations.symbols_marked(ids))
            marked += list(seen.cut.recorder.operations.symbols_marked(ids.t()))
            if any(_is_zero(symbol) for symbol in marked) or any(run.ragged for run in seen.runs):
                return replace(self, zero_pads=True)
        return None


def says_lengths(name: str) -> bool:
    """Whether a name is one that lengths have.

    Args:
        name: of an argument or a key.
    """
    words = [word.lower() for word in _WORDS.findall(name)]
    return any(word in _LENGTHS or word.endswith(_ENDINGS) for word in words)


def must_be_lengths(name: str) -> bool:
    """Whether a name can be of nothing but lengths, while `n` or `tokens` can be of others.

    Args:
        name: of an argument or a key.
    """
    return bool(words := _WORDS.findall(name)) and words[-1].lower().endswith(_ENDINGS)


def _is_zero(symbol: Any) -> bool:
    return isinstance(symbol, (int, Tensor)) and bool(torch.as_tensor(symbol == 0).all())


def _used_as_lengths(seen: Observation, place: int) -> bool:
    """Whether whole numbers say where samples end: to a pack, a comparison or what is read."""
    numbers = torch.as_tensor(seen.examples.leaves[place]).long()
    if any(_are(torch.tensor(run.lengths), numbers) for run in seen.runs if run.ragged):
        return True
    if any(_are(found, numbers) for found in _compared(seen, len(numbers))):
        return True
    looked_up = [lookup.ids.long().flatten() for lookup in seen.cut.recorder.lookups]
    if any(torch.equal(ids, numbers) for ids in looked_up):
        return False
    main = seen.main
    if main is not None and int(numbers.max()) == main.steps:
        return True
    return len(set(numbers.tolist())) > 1 and _reading_ends(seen, numbers.tolist())


def _are(found: Tensor, numbers: Tensor) -> bool:
    """Whether these are those numbers, in any order, or all one more or less."""
    if found.numel() != numbers.numel():
        return False
    apart = found.flatten().sort().values - numbers.sort().values
    return bool((apart == apart[0]).all()) and abs(int(apart[0])) <= 1


def _compared(seen: Observation, batch: int) -> Iterator[Tensor]:
    """What was compared by size, with one number for each sample."""
    for found in seen.cut.recorder.operations.compared:
        flat = found.squeeze()
        if flat.dim() == 2 and batch in flat.shape:
            rows = flat if flat.shape[0] == batch else flat.t()
            flat = rows[:, 0] if bool((rows == rows[:, :1]).all()) else flat
        if flat.dim() == 1:
            yield flat


def _reading_ends(seen: Observation, numbers: list[int]) -> bool:
    """Whether what a result has read of each sample ends with its number of steps."""
    from ._observation import FAR, significant

    for reader in seen.whole_results:
        if reader.samples != len(numbers) or reader.batch_axis is None:
            continue
        ends = []
        for sample in range(reader.samples):
            amounts = reader.reach(sample).entries.get(seen.main_place or 0)
            read = [] if amounts is None else significant(amounts[sample], FAR)
            ends.append(read[-1] + 1 if read else 0)
        if ends == numbers:
            return True
    return False
