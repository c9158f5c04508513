"""What the doctor says of a case, held against what it has to say."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from models.case import seeded
from torch import nn

from models import Case
from unrolled.doctor import Finding, Report, diagnose


@dataclass(frozen=True)
class Judgement:
    """One case and the doctor's report of it."""

    case: Case
    report: Report
    unchanged: bool
    """Whether the model is the same afterwards: weights, buffers, mode, gradients, hooks."""

    @property
    def faults(self) -> list[str]:
        """What the doctor got wrong, one sentence each; none is a pass."""
        said = [f"{f.code} {f.severity} at {f.module!r}" for f in self.report.findings]
        faults = [] if self.unchanged else ["the model was changed"]
        faults += [f"{u.code} failed: {u.why}" for u in self.report.not_run if "it met" in u.why]
        if self.case.code is None:
            alarms = [f for f in self.report.findings if f.severity != "note"]
            return faults + [f"false alarm: {_words(finding)}" for finding in alarms]
        of_code = [f for f in self.report.findings if f.code == self.case.code]
        if not of_code:
            faults.append(f"{self.case.code} was missed; found: {said or 'nothing'}")
        elif all(f.module != self.case.place for f in of_code):
            faults.append(f"{self.case.code} is at {self.case.place!r}; found: {said}")
        elif all(f.severity not in self.case.severities for f in of_code):
            faults.append(f"{self.case.code} has the wrong severity: {said}")
        others = [
            f
            for f in self.report.findings
            if f.severity == "error" and f.code != self.case.code and f.code not in self.case.also
        ]
        return faults + [f"another error: {_words(finding)}" for finding in others]


def _words(finding: Finding) -> str:
    place = finding.module or "the model"
    return f"{finding.code} {finding.severity} at {place}: {finding.evidence.text}"


def judge(case: Case) -> Judgement:
    """Runs the doctor on a case."""
    model = case.build()
    before = _trace(model)
    args, keywords, hints = case.args(), case.keywords(), case.hints()
    report = seeded(lambda: diagnose(model, *args, keywords=keywords, **hints))
    return Judgement(case, report, _same(before, _trace(model)))


def _trace(model: nn.Module) -> dict[str, object]:
    """All that a diagnosis has to leave as it was."""
    trace: dict[str, object] = {"random": torch.get_rng_state().clone()}
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        trace[f"{name} value"] = tensor.detach().clone()
        trace[f"{name} grad"] = None if tensor.grad is None else tensor.grad.clone()
        trace[f"{name} settings"] = (tensor.dtype, tensor.requires_grad)
    for name, module in model.named_modules():
        trace[f"{name} mode"] = module.training
        trace[f"{name} hooks"] = (
            len(module._forward_hooks),
            len(module._forward_pre_hooks),
            len(module._backward_hooks),
        )
        plain = {k: v for k, v in vars(module).items() if not k.startswith("_")}
        trace[f"{name} attributes"] = {k: copy.copy(v) for k, v in plain.items() if not callable(v)}
    return trace


def _same(one: object, other: object) -> bool:
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, tuple | list) and isinstance(other, tuple | list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)
