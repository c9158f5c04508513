"""Attention reads what its papers say, and padding never."""

import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from unrolled.nn import AdditiveAttention, ConcatAttention, DotAttention, GeneralAttention

KINDS = ("additive", "concat", "general", "dot")
LENGTHS = (5, 1, 3)


def make(kind: str) -> nn.Module:
    torch.manual_seed(0)
    if kind == "dot":
        return DotAttention()
    if kind == "general":
        return GeneralAttention(4, 6).double()
    if kind == "additive":
        return AdditiveAttention(4, 6, 3).double()
    return ConcatAttention(4, 6, 3).double()


def inputs(kind: str) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    size = 4 if kind == "dot" else 6
    query = torch.randn(3, 2, 4, dtype=torch.float64)
    memory = torch.randn(3, 5, size, dtype=torch.float64)
    return query, memory, torch.arange(5)[None, :] < torch.tensor(LENGTHS)[:, None]


def plain_score(module: nn.Module, q: Tensor, m: Tensor) -> Tensor:
    """One score, as the equation stands in the paper."""
    if isinstance(module, DotAttention):
        return q @ m
    if isinstance(module, GeneralAttention):
        return q @ (module.key.weight @ m)
    if isinstance(module, AdditiveAttention):
        inner = module.query.weight @ q + module.key.weight @ m
        return module.energy.weight[0] @ torch.tanh(inner)
    assert isinstance(module, ConcatAttention)
    inner = module.both.weight @ torch.cat([q, m]) + module.both.bias
    return module.energy.weight[0] @ torch.tanh(inner)


@pytest.mark.parametrize("kind", KINDS)
def test_equals_its_equations(kind: str) -> None:
    module = make(kind)
    query, memory, mask = inputs(kind)
    context, weights = module(query, memory, mask)
    for sample, length in enumerate(LENGTHS):
        for step in range(2):
            real = memory[sample, :length]
            scores = torch.stack([plain_score(module, query[sample, step], m) for m in real])
            expected = scores.exp() / scores.exp().sum()
            torch.testing.assert_close(
                weights[sample, step, :length], expected, rtol=1e-12, atol=1e-12
            )
            read = sum(w * m for w, m in zip(expected, real, strict=True))
            torch.testing.assert_close(context[sample, step], read, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_masked_steps_weigh_exactly_nothing(kind: str) -> None:
    query, memory, mask = inputs(kind)
    weights = make(kind)(query, memory, mask).weights
    assert bool((weights.masked_select(~mask[:, None]) == 0).all())
    assert bool((weights.masked_select(mask[:, None]) > 0).all())


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_to_read_gives_zeros(kind: str) -> None:
    module = make(kind)
    query, memory, mask = inputs(kind)
    mask[1] = False
    memory.requires_grad_()
    context, weights = module(query, memory, mask)
    assert bool((context[1] == 0).all() and (weights[1] == 0).all())
    context.sum().backward()
    assert memory.grad is not None
    assert bool(memory.grad.isfinite().all() and (memory.grad[1] == 0).all())


@pytest.mark.parametrize("keys_given", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_nan_in_padding_reaches_nothing(kind: str, keys_given: bool) -> None:
    module = make(kind)
    query, memory, mask = inputs(kind)
    spoilt = memory.masked_fill(~mask[..., None], torch.nan)
    query.requires_grad_()
    found = []
    for given in (memory, spoilt):
        given = given.clone().requires_grad_()
        keys = module.project(memory) if keys_given else None
        if keys is not None and given.isnan().any():
            keys = keys.masked_fill(~mask[..., None], torch.nan)
        context, weights = module(query, given, mask, keys)
        leaves = [query, given, *module.parameters()]
        gradients = torch.autograd.grad(context.sin().sum(), leaves, allow_unused=True)
        found.append([context, weights, *(g for g in gradients if g is not None)])
    for clean, dirty in zip(*found, strict=True):
        assert torch.equal(clean, dirty)


@pytest.mark.parametrize("kind", KINDS)
def test_keys_given_are_keys_computed(kind: str) -> None:
    module = make(kind)
    query, memory, mask = inputs(kind)
    with_keys = module(query, memory, mask, module.project(memory))
    without = module(query, memory, mask)
    torch.testing.assert_close(with_keys, without, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients(kind: str) -> None:
    module = make(kind)
    query, memory, mask = inputs(kind)
    names = [name for name, _ in module.named_parameters()]

    def run(query: Tensor, memory: Tensor, *weights: Tensor) -> tuple[Tensor, Tensor]:
        given = dict(zip(names, weights, strict=True))
        return tuple(torch.func.functional_call(module, given, (query, memory, mask)))

    leaves = [query, memory, *(p.detach() for p in module.parameters())]
    assert torch.autograd.gradcheck(run, [leaf.clone().requires_grad_() for leaf in leaves])


def test_attention_size_is_the_query_s_unless_told() -> None:
    assert AdditiveAttention(4, 6).energy.in_features == 4
    assert ConcatAttention(4, 6).energy.in_features == 4


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: GeneralAttention(0, 3), ValueError, "query_size is 0; it must be 1 or more."),
        (lambda: AdditiveAttention(2, -1), ValueError, "memory_size is -1; it must be 1 or more."),
        (lambda: ConcatAttention(2, 3, 0), ValueError, "attention_size is 0; it must be 1 or more"),
        (lambda: GeneralAttention(2, 3.5), TypeError, "memory_size is 3.5, of type float; it must"),
    ],
)
def test_sizes_that_cannot_be(
    build: Callable[[], nn.Module], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        build()


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("query", "query has shape (3, 2, 5); this attention takes (batch, step, 4)."),
        ("memory", "memory has shape (3, 5, 7); this attention takes (batch, step, 6)."),
        (
            "mask",
            "query (3, 2, 4), memory (3, 5, 6) and mask (3, 4) do not belong together; they must "
            "be (batch, target_step, query), (batch, source_step, memory or key) and (batch, "
            "source_step).",
        ),
        (
            "mask_type",
            "mask is of torch.int64; it must be of torch.bool, True where a source step is real.",
        ),
        (
            "keys",
            "query (3, 2, 4), memory (3, 5, 6), keys (3, 4, SIZE) and mask (3, 5) do not belong "
            "together; they must be (batch, target_step, query), (batch, source_step, memory or "
            "key) and (batch, source_step).",
        ),
    ],
)
@pytest.mark.parametrize("kind", ["additive", "concat", "general"])
def test_refusals(kind: str, change: str, message: str) -> None:
    query, memory, mask = inputs(kind)
    keys = None
    if change == "query":
        query = torch.zeros(3, 2, 5).double()
    elif change == "memory":
        memory = torch.zeros(3, 5, 7).double()
    elif change == "mask":
        mask = mask[:, :4]
    elif change == "mask_type":
        mask = mask.long()
    else:
        keys = make(kind).project(memory)[:, :4]
        message = message.replace("SIZE", str(keys.shape[2]))
    with pytest.raises(TypeError if change == "mask_type" else ValueError) as refused:
        make(kind)(query, memory, mask, keys)
    assert str(refused.value) == message


@pytest.mark.usefixtures("as_users_call")
def test_dot_refuses_another_width() -> None:
    query, _, mask = inputs("dot")
    with pytest.raises(
        ValueError,
        match=r"shape \(3, 2, 4\); this attention takes \(batch, step, 6\)",
    ):
        DotAttention()(query, torch.zeros(3, 5, 6).double(), mask)
