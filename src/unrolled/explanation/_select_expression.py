"""What a selection such as `output[:, -1]` gives, read with Python's grammar and never run."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import UsageError
from . import _select_words as words
from . import _tensor_moves as moves
from ._address_tensor import AddressTensor
from ._select_words import Extremes
from ._selection_fault import SelectionFault

MOST_CHARACTERS = 1000
_LARGEST = 2**31


def read_selection(expression: str, names: Mapping[str, Any]) -> AddressTensor:
    """The tensor of addresses that an expression gives.

    Args:
        expression: indexing and PyTorch's operations on tensors, as one writes them in Python.
        names: what the names in it stand for: tensors, tuples of them, integers, integer arrays.

    Raises:
        UsageError: it is no such expression; the message names the column, counted from 1.
    """
    if len(expression) > MOST_CHARACTERS:
        raise UsageError(
            f"the selection has {len(expression)} characters; at most {MOST_CHARACTERS} are read"
        )
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except SyntaxError as fault:
        column = fault.offset or 1
        raise UsageError(
            f"{_where(expression, column)}: this is no Python expression ({fault.msg}); "
            f"write one such as output[:, -1]"
        ) from None
    except ValueError as fault:  # a NUL, until Python 3.11.4
        raise UsageError(
            f"{_where(expression, 1)}: this is no Python expression ({fault}); "
            f"write one such as output[:, -1]"
        ) from None
    except (MemoryError, RecursionError) as fault:
        raise UsageError(
            f"{_where(expression, 1)}: this can't be read ({type(fault).__name__}); "
            "write one expression such as output[:, -1]"
        ) from None
    try:
        found = _Reader(expression.strip(), names).value(tree.body)
    except RecursionError:
        raise UsageError(f"{_where(expression, 1)}: this is nested too deeply") from None
    wrong = _no_tensor(found)
    if wrong:
        raise UsageError(f"{_where(expression, 1)}: {wrong}")
    return found  # type: ignore[no-any-return]


def _where(expression: str, column: int) -> str:
    shown = expression.strip()
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in shown)
    shown = shown if len(shown) <= 60 else f"{shown[:59]}…"
    return f"column {column} of {shown!r}"


def _no_tensor(found: Any) -> str:
    """What is wrong with a result that is no tensor; empty for a tensor."""
    if isinstance(found, AddressTensor):
        return ""
    if isinstance(found, Extremes):
        return "max and min over a dim give values and their places; take the values with .values"
    if isinstance(found, tuple | list):
        return f"this gives {len(found)} tensors or numbers; take one of them, such as [0]"
    return "this gives numbers and no states"


class _Reader:
    """Reads one expression; each method reads one kind of node."""

    def __init__(self, text: str, names: Mapping[str, Any]) -> None:
        self.text = text
        self.names = names

    def fault(self, node: ast.expr, message: str) -> UsageError:
        return UsageError(f"{_where(self.text, self.column(node))}: {message}")

    def column(self, node: ast.expr) -> int:
        """Where what went wrong is written: the name of a method, what stands in brackets."""
        match node:
            case ast.Call(func=function):
                return self.column(function)
            case ast.Subscript(slice=item):
                return self.column(item)
            case ast.Attribute(attr=name):
                # Python's parser counts bytes from the beginning of a line.
                line, end = node.end_lineno or 1, (node.end_col_offset or 0) - len(name.encode())
            case _:
                line, end = node.lineno, node.col_offset
        lines = self.text.split("\n")
        before = sum(len(one) + 1 for one in lines[: line - 1])
        return before + len(lines[line - 1].encode()[:end].decode()) + 1

    def tensors(self) -> str:
        kinds = (AddressTensor, tuple)
        return ", ".join(name for name, held in self.names.items() if isinstance(held, kinds))

    def numbers(self) -> str:
        kinds = (int, np.ndarray)
        return ", ".join(name for name, held in self.names.items() if isinstance(held, kinds))

    def value(self, node: ast.expr) -> Any:
        try:
            return self._value(node)
        except SelectionFault as fault:
            raise self.fault(node, f"{fault}.") from None

    def _value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=held) if held is None or held is Ellipsis:
                return held
            case ast.Constant(value=bool() | int() as number):
                if number > _LARGEST:
                    raise SelectionFault("this number is larger than any tensor")
                return number
            case ast.Name(id=name):
                return self.named(node, name)
            case ast.Tuple(elts=items):
                return tuple(self.value(item) for item in items)
            case ast.List(elts=items):
                return [self.value(item) for item in items]
            case ast.Slice(lower=lower, upper=upper, step=step):
                bounds = (lower, upper, step)
                return slice(*(None if bound is None else self.value(bound) for bound in bounds))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self.arithmetic(0, self.value(operand), "-")
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() | ast.FloorDiv() as op):
                sign = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.FloorDiv: "//"}[type(op)]
                return self.arithmetic(self.value(left), self.value(node.right), sign)
            case ast.Subscript(value=held, slice=item):
                return self.indexed(self.value(held), self.value(item))
            case ast.Attribute(value=held, attr=name):
                return self.attribute(node, self.value(held), name)
            case ast.Call():
                return self.call(node)
        raise self.fault(
            node,
            "this is not allowed in a selection; allowed are the names "
            f"{self.tensors()}, {self.numbers()}, whole numbers, indexing, + - * //, and "
            f"{', '.join(words.FUNCTIONS)}.",
        )

    def named(self, node: ast.expr, name: str) -> Any:
        if name in self.names:
            return self.names[name]
        raise self.fault(
            node,
            f"there is no {name!r} here; the tensors are {self.tensors()}, "
            f"and the numbers {self.numbers()}.",
        )

    def arithmetic(self, left: Any, right: Any, sign: str) -> Any:
        if isinstance(left, AddressTensor) and isinstance(right, AddressTensor) and sign == "+":
            return left.added(right)
        numbers = (left, right)
        if any(isinstance(one, bool) or not isinstance(one, int | np.ndarray) for one in numbers):
            raise SelectionFault(
                "of states only sums can be followed, tensor + tensor; + - * // are for numbers"
            )
        if sign == "//" and np.any(np.equal(right, 0)):
            raise SelectionFault("this divides by 0")
        operation = {"+": np.add, "-": np.subtract, "*": np.multiply, "//": np.floor_divide}[sign]
        try:
            found = operation(np.asarray(left, np.int64), np.asarray(right, np.int64))
        except (ValueError, OverflowError):
            raise SelectionFault("these numbers do not fit each other") from None
        if np.any(np.abs(found) > _LARGEST):
            raise SelectionFault("this number is larger than any tensor")
        plain = not any(isinstance(one, np.ndarray) for one in numbers)
        return int(found) if plain else found

    def indexed(self, held: Any, item: Any) -> Any:
        if isinstance(held, AddressTensor):
            return held.moved(moves.index(held.places, item))
        if isinstance(held, np.ndarray):
            return moves.index(held, item)
        if isinstance(held, Extremes):
            if item == 0:
                return held.values
            raise SelectionFault("of max and min only the values, [0], are states")
        if isinstance(held, tuple | list):
            place = item if isinstance(item, slice) else moves.integer(item, "an index")
            if isinstance(place, int) and not -len(held) <= place < len(held):
                raise SelectionFault(f"there are {len(held)} of them, no number {place}")
            return held[place]
        raise SelectionFault("this can't be indexed")

    def attribute(self, node: ast.expr, held: Any, name: str) -> Any:
        if isinstance(held, Extremes) and name == "values":
            return held.values
        if isinstance(held, AddressTensor | np.ndarray) and name == "shape":
            return tuple(int(size) for size in held.shape)
        raise self.fault(node, f".{name} is not known; {self.methods()}")

    def methods(self) -> str:
        return f"the methods of a tensor here are {', '.join((*words.METHODS, 'shape'))}."

    def call(self, node: ast.Call) -> Any:
        if any(keyword.arg is None for keyword in node.keywords):
            raise self.fault(node, "** is not allowed in a selection.")
        match node.func:
            case ast.Name(id=name) | ast.Attribute(value=ast.Name(id="torch"), attr=name):
                if not words.known(name, function=True):
                    functions = ", ".join(words.FUNCTIONS)
                    raise self.fault(node, f"there is no function {name!r}; there are {functions}.")
                first = []
            case ast.Attribute(value=held, attr=name):
                first = [self.value(held)]
                if name == "size" and isinstance(first[0], AddressTensor) and len(node.args) == 1:
                    shape = first[0].shape
                    if not shape:
                        raise SelectionFault("this is a single number, which has no axes")
                    return shape[moves.axis_of(self.value(node.args[0]), len(shape))]
                if not words.known(name, function=False):
                    raise self.fault(node, f"there is no method {name!r}; {self.methods()}")
            case _:
                raise self.fault(node, "this can't be called.")
        given = [self.value(argument) for argument in node.args]
        named = {str(keyword.arg): self.value(keyword.value) for keyword in node.keywords}
        return words.apply(name, [*first, *given], named)
