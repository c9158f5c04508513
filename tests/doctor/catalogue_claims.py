"""What is true of the right code of each mistake, and false of the wrong code."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

Names = dict[str, Any]


def same(one: Tensor, two: Tensor) -> bool:
    return one.shape == two.shape and torch.allclose(one, two, atol=1e-6)


def permuted(code: Names, *names: str) -> bool:
    """Answers for a permuted batch are the permuted answers."""
    inputs = [code[name] for name in names]
    order = torch.arange(len(inputs[0])).roll(1)
    model = code["model"]
    return same(model(*(tensor[order] for tensor in inputs)), model(*inputs)[order])


def alone(code: Names) -> bool:
    """A sample of five steps gets the same answer alone as beside one of seven."""
    x, lengths, model = code["x"], code["lengths"], code["model"]
    return same(model(x[1:2, :5], lengths[1:2]), model(x, lengths)[1:2])


def reached(answer: Tensor, x: Tensor) -> list[int]:
    """The steps of a sample that reach an answer; x is (step, feature)."""
    (gradient,) = torch.autograd.grad(answer.sum(), x, retain_graph=True)
    return gradient.abs().sum(-1).nonzero().flatten().tolist()


def read_by_half(code: Names, half: slice, *more: Tensor, sample: int = 0) -> list[int]:
    """The steps of a sample that reach its answer through some columns of the head's input."""
    model = code["model"]
    kept = torch.zeros_like(model.head.weight)
    kept[:, half] = model.head.weight.detach()[:, half]
    model.head.weight.data = kept
    samples = [row.clone().requires_grad_() for row in code["x"]]
    return reached(model(torch.stack(samples), *more)[sample], samples[sample])


def given(code: Names, layer: str, *names: str) -> tuple[Any, ...]:
    """What a layer of the model is called with, when the model is."""
    seen: list[tuple[Any, ...]] = []
    module = code["model"].get_submodule(layer)
    hook = module.register_forward_pre_hook(lambda _, inputs: seen.append(inputs))
    code["model"](*(code[name] for name in names))
    hook.remove()
    return seen[0]


def m01(code: Names) -> bool:
    return read_by_half(code, slice(16, 32)) == list(range(7))


def m02(code: Names) -> bool:
    return read_by_half(code, slice(16, 32), code["lengths"], sample=1) == list(range(5))


def m03(code: Names) -> bool:
    return permuted(code, "x")


def m04(code: Names) -> bool:
    return permuted(code, "latent", "y")


def m05(code: Names) -> bool:
    return permuted(code, "x", "y")


def m06(code: Names) -> bool:
    _, h_0 = given(code, "decoder", "x", "y")
    _, h_n = code["model"].encoder(code["x"])
    return same(h_0, torch.stack([h_n[0], h_n[2]]))


def m07(code: Names) -> bool:
    samples = [row.clone().requires_grad_() for row in code["x"]]
    answer = code["model"](torch.stack(samples))
    return permuted(code, "x") and reached(answer[0], samples[0]) == list(range(7))


def m08(code: Names) -> bool:
    return same(given(code, "gru", "x")[0], code["x"].transpose(1, 2))


def m09(code: Names) -> bool:
    return bool(given(code, "lstm", "x")[0].shape[1] == 7)


def m10(code: Names) -> bool:
    ids, lengths, model = code["ids"], code["lengths"], code["model"]
    return same(model(nn.functional.pad(ids, (0, 3)), lengths), model(ids, lengths))


def m11(code: Names) -> bool:
    model, samples = code["model"], code["samples"]
    return same(torch.cat([model([sample]) for sample in samples]), model(samples))


def m12(code: Names) -> bool:
    samples = [row.clone().requires_grad_() for row in code["x"]]
    answers = code["model"](torch.stack(samples), code["lengths"])
    return all(
        reached(answer, x) == list(range(length))
        for answer, x, length in zip(answers, samples, code["lengths"].tolist(), strict=True)
    )


def m13(code: Names) -> bool:
    return permuted(code, "x", "lengths")


def m15(code: Names) -> bool:
    return bool(code["logits"].shape[:2] == code["x"].shape[:2])


def m16(code: Names) -> bool:
    _, (h_0, c_0) = given(code, "decoder", "x", "y")
    _, (h_n, c_n) = code["model"].encoder(code["x"])
    return same(h_0, h_n) and same(c_0, c_n)


def m17(code: Names) -> bool:
    y = code["y"][0].clone().requires_grad_()
    return reached(code["model"](code["state"][:1], y[None])[0, 3], y) == [0, 1, 2, 3]


def m18(code: Names) -> bool:
    other = code["ids"].clone()
    other[:, -1] = (other[:, -1] + 1) % 20
    return same(code["model"](other)[:, :-1], code["model"](code["ids"])[:, :-1])


def m19(code: Names) -> bool:
    model = code["model"].eval()
    return same(model(code["x"]), model(code["x"]))


def m21(code: Names) -> bool:
    code["model"](code["x"])
    return not code["model"].state.requires_grad


def m22(code: Names) -> bool:
    """A mean with weights lies among what it is a mean of."""
    memory, _ = code["model"].gru(code["x"])
    (summary,) = given(code, "head", "x")
    return bool(
        (summary <= memory.amax(1) + 1e-6).all() and (summary >= memory.amin(1) - 1e-6).all()
    )


def m24(code: Names) -> bool:
    model = code["model"]
    model.head.weight.data[:, :16] = 0
    x = code["x"][0].clone().requires_grad_()
    return reached(model(x[None])[0, 2], x) == [2, 3, 4, 5, 6]


def m25(code: Names) -> bool:
    """The equations of Keras's GRU with reset_after, written out."""
    state, states = torch.zeros(4, 16), []
    for x in code["x"].unbind(1):
        xs = (x @ code["kernel"] + code["bias"][0]).chunk(3, -1)
        hs = (state @ code["recurrent_kernel"] + code["bias"][1]).chunk(3, -1)
        z, r = (xs[0] + hs[0]).sigmoid(), (xs[1] + hs[1]).sigmoid()
        state = z * state + (1 - z) * (xs[2] + r * hs[2]).tanh()
        states.append(state)
    return torch.allclose(code["output"], torch.stack(states, 1), atol=1e-4)


def m27(code: Names) -> bool:
    """In training something is dropped, in evaluation nothing."""
    model, x = code["model"], code["x"]
    dropped = not same(model.train()(x), model(x))
    return dropped and same(model.eval()(x), model(x))


def m29(code: Names) -> bool:
    model, other = code["model"], code["ids"].clone()
    model.head.weight.data[:, :16] = 0
    other[:, 0] += 1
    return bool((model(other) - model(code["ids"])).abs().amax(1).gt(1e-6).all())


def m30(code: Names) -> bool:
    inputs = given(code, "decoder", "x", "y")
    return len(inputs) == 2 and same(inputs[1], code["model"].encoder(code["x"])[1])


CLAIMS: dict[str, Callable[[Names], bool]] = {
    "M01": m01,
    "M02": m02,
    "M03": m03,
    "M04": m04,
    "M05": m05,
    "M06": m06,
    "M07": m07,
    "M08": m08,
    "M09": m09,
    "M10": m10,
    "M11": m11,
    "M12": m12,
    "M13": m13,
    "M14": m13,
    "M15": m15,
    "M16": m16,
    "M17": m17,
    "M18": m18,
    "M19": m19,
    "M20": m19,
    "M21": m21,
    "M22": m22,
    "M23": alone,
    "M24": m24,
    "M25": m25,
    "M26": m04,
    "M27": m27,
    "M28": alone,
    "M29": m29,
    "M30": m30,
}
