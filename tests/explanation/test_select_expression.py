"""The addresses of a selection are those of the same selection on a real layer's tensors."""

import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from selected_run import expressions, run_of, sizes

from unrolled.errors import UsageError
from unrolled.explanation import SelectionPart, explain_selection
from unrolled.grid import StackShape


@given(st.data(), sizes)
def test_a_selection_of_addresses_is_the_selection_of_the_states(data, sizes):
    run = run_of(sizes)
    expression = data.draw(expressions(run))
    try:
        real = run.real(expression)
    except (RuntimeError, IndexError):
        assume(False)
    part = run.named(expression)
    assert part.sizes == tuple(real.shape)
    for value, sources, making in zip(real.flatten().tolist(), part, _makings(part), strict=True):
        states = [run.value(source) for source in sources]
        if not making:
            assert states == [pytest.approx(value, abs=1e-12)]
        elif set(making) <= {"max", "min"}:
            near = pytest.approx(value, abs=1e-12)
            assert any(state == near for state in states)
            if len(making) == 1:
                assert (max if making == ("max",) else min)(states) == near
        assert sources
        assert len(sources) == len(set(sources))


def _makings(part: SelectionPart) -> list[tuple[str, ...]]:
    return [piece.by for piece in part.pieces for _ in range(piece.count)]


@given(sizes, st.sampled_from(["sum", "mean"]), st.sampled_from([0, 1, (0, 1), (0, 2)]))
def test_a_sum_and_a_mean_are_of_their_sources(sizes, how, dim):
    run = run_of(sizes)
    expression = f"output.{how}({dim})"
    real, part = run.real(expression), run.named(expression)
    axes = [dim] if isinstance(dim, int) else list(dim)
    together = int(np.prod([run.names["output"].shape[axis] for axis in axes]))
    for value, sources in zip(real.flatten().tolist(), part, strict=True):
        total = sum(run.value(source) for source in sources)
        assert value == pytest.approx(total / (together if how == "mean" else 1), abs=1e-12)


@given(st.data(), sizes)
def test_what_pytorch_refuses_is_refused(data, sizes):
    """And what it accepts is accepted."""
    run = run_of(sizes)
    number = st.integers(-5, 5)
    text = data.draw(st.sampled_from(["output", "h_n"])) + data.draw(
        st.one_of(
            number.map(lambda n: f"[{n}]"),
            st.tuples(number, number).map(lambda n: f"[{n[0]}, :, {n[1]}]"),
            number.map(lambda n: f"[..., {n}, :, None]"),
            st.lists(number, min_size=1, max_size=3).map(lambda n: f"[:, {n}]"),
            st.tuples(number, number).map(lambda n: f".transpose{n}"),
            st.tuples(number, number, number).map(lambda n: f".permute{n}"),
            st.lists(number, min_size=1, max_size=4).map(lambda n: f".reshape({n})"),
            st.lists(number, min_size=1, max_size=4).map(lambda n: f".expand({n})"),
            number.map(lambda n: f".squeeze({n})"),
            number.map(lambda n: f".unsqueeze({n})"),
            number.map(lambda n: f".sum({n})"),
            st.tuples(number, number).map(lambda n: f".flip{n}"),
            st.tuples(number, number).map(lambda n: f".flatten{n}"),
            st.tuples(number, number).map(lambda n: f".split{n}[0]"),
            st.tuples(number, number).map(lambda n: f".chunk{n}[0]"),
            st.lists(number, min_size=2, max_size=2).map(lambda n: f".split({n}, -1)[0]"),
            st.tuples(number, number).map(
                lambda n: f".gather({n[0]}, arange({abs(n[1])}).view(1, 1, -1))"
            ),
        )
    )
    try:
        shape = tuple(run.real(text).shape)
    except (RuntimeError, IndexError, ValueError):
        shape = None
    try:
        found = run.named(text).sizes
    except UsageError:
        found = None
    assert found == shape, text


@pytest.mark.parametrize(
    "operation",
    [
        *(".transpose(0, -1)", ".permute([])", ".flip([])", ".squeeze([])", ".squeeze(0)"),
        *(".unsqueeze(-1)", ".view(-1)", ".view(())", ".view(1, 1)", ".reshape(())", ".expand(3)"),
        *(".expand(())", ".flatten()", ".sum(())", ".mean([])", ".max(0)[0]", ".contiguous()"),
        *(".split(1)[0]", ".chunk(2)[0]", ".gather(0, arange(1)[0])", "[...]", "[None]", "[0]"),
        *("[..., ...]", "[0, ..., ...]", "[..., ..., 0]", "[..., 0, ..., 0, 0]", "[..., 0, ...]"),
        *("[..., ..., None]", "[..., None, ...]", "[None, ..., ...]"),
        *("[[]]", ".view(size=(-1,))", ".split(split_size=1)[0]"),
        ".reshape(shape=(-1,))",
    ],
)
@pytest.mark.parametrize("of", ["output.sum()", "output[0, 0, 0]", "output", "h_n[None]"])
def test_single_numbers_no_numbers_and_odd_arguments_are_as_in_pytorch(of, operation):
    run = run_of(("lstm", 2, True, (4, 2), False))
    try:
        shape = tuple(run.real(of + operation).shape)
    except (RuntimeError, IndexError, TypeError):
        with pytest.raises(UsageError):
            run.named(of + operation)
    else:
        assert run.named(of + operation).sizes == shape


def test_no_elements_and_what_is_made_of_none():
    assert _named("output[:0].max(-1)[0]").sizes == (0, 2)
    assert _named("output[:0].transpose(0, 1).flip(0).split(1)[1]").sizes == (1, 0, 6)
    assert _named("torch.cat(tensors=[output, output])").sizes == (10, 2, 6)


def _named(expression: str, **options) -> SelectionPart:
    shape = StackShape("lstm", 2, 3, 2, True)
    return explain_selection(shape, 5, expression, batch_first=False, **options).selection


def test_an_integer_goes_before_a_list_as_in_pytorch():
    """NumPy would put the list's axis first: x[0, :, [1, 2]] has shape (2, 2) transposed there."""
    part = _named("output[0, :, [1, 2, 3]]")
    assert part.sizes == (2, 3)
    assert [source[0].unit for source in part] == [1, 2, 0, 1, 2, 0]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("outputs[0]", "column 1 of 'outputs[0]': there is no 'outputs' here; the tensors are"),
        ("output[7]", "column 8 of 'output[7]': index 7 is out of range: axis 0 has size 5"),
        ("output[0, 0, 0, 0]", "4 indices are too many for 3 axes, (5, 2, 6)"),
        ("output[::-1]", "a slice has step -1; PyTorch takes 1 or more, use flip"),
        ("output[0.5]", "column 8 of 'output[0.5]': this is not allowed in a selection; allowed"),
        ("output['a']", "column 8"),
        ("output.numpy()", "column 8 of 'output.numpy()': there is no method 'numpy'; the methods"),
        ("output.__class__", "column 8 of 'output.__class__': .__class__ is not known"),
        ("__import__('os')", "column 1 of \"__import__('os')\": there is no function '__import__'"),
        ("[x for x in output]", "column 1 of '[x for x in output]': this is not allowed"),
        ("output if 1 else output", "this is not allowed in a selection; allowed are the names"),
        ("(lambda: output)()", "this can't be called"),
        ("output.sum(**{})", "** is not allowed"),
        ("output[", "column 7 of 'output[': this is no Python expression ('[' was never closed)"),
        ("", "this is no Python expression"),
        ("output; output", "column 7 of 'output; output': this is no Python expression"),
        ("output\x00", "this is no Python expression"),
        ("-" * 900 + "1", "this is nested too deeply"),
        ("(" * 400 + "1" + ")" * 400, "too many nested parentheses"),
        ("o" * 2000, "the selection has 2000 characters; at most 1000 are read"),
        ("1 + 1", "this gives numbers and no states"),
        ("output.chunk(2, -1)", "this gives 2 tensors or numbers; take one of them, such as [0]"),
        ("output.max(0)", "max and min over a dim give values and their places; take the values"),
        ("output.max(0)[1]", "of max and min only the values, [0], are states"),
        ("output * 2", "of states only sums can be followed"),
        ("output + h_n", "tensors of shapes (5, 2, 6) and (4, 2, 3) can't be added"),
        ("output[99999999999]", "this number is larger than any tensor"),
        ("arange(2000000000)", "arange would need 2,000,000,000 elements and at most 4,000,000"),
        ("output.expand(999999, 5, 2, 6)", "expand would need"),
        ("h_n.transpose(0, 1).view(2, -1)", "PyTorch refuses it too: write reshape"),
        ("h_n.view(7, -1)", "24 elements of shape (4, 2, 3) do not fit the shape (7, -1)"),
        ("cat([output, h_n])", "cat can't join shapes (5, 2, 6) and (4, 2, 3) along axis 0"),
        ("output.sum().split(1)", "split cuts along an axis, and a single number has none"),
        ("output.sum().chunk(1)", "chunk cuts along an axis, and a single number has none"),
        ("output.sum().size(0)", "column 14 of 'output.sum().size(0)': this is a single number"),
        ("output.flip()", "dims is missing"),
        ("torch.view(output, -1)", "column 7 of 'torch.view(output, -1)': there is no function"),
        ("cat(output)", "cat takes a list of tensors"),
        ("output.transpose(1)", "transpose takes (dim0, dim1)"),
        ("output.mean(dim=7)", "dim is 7; a tensor of 3 axes has 0 to 2, or -1 to -3"),
        ("output[5:].mean(0)", "mean over an axis of size 0 has no value"),
        ("output[:0].sum()", "sum over an axis of size 0 is 0, which is no state"),
        ("output.gather(0, [1])", "gather needs an index of 3 axes"),
        ("lengths // 0", "this divides by 0"),
        ("é + output.foo()", "column 1 of 'é + output.foo()'"),
        ("output[0] + (é)", "column 14 of 'output[0] + (é)': there is no 'é' here"),
    ],
)  # fmt: skip
def test_what_can_not_be_read_is_one_sentence_with_a_column(expression, message):
    with pytest.raises(UsageError, match=re.escape(message)) as raised:
        _named(expression)
    assert "\n" not in str(raised.value)


@given(st.text(st.characters(), max_size=40))
def test_any_text_is_read_or_refused(text):
    sentence = ""
    try:
        _named(text)
    except UsageError as fault:
        sentence = str(fault)
    assert len(sentence.splitlines()) <= 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps is 0; it must be 1 or more"),
        ({"batch": 0}, "batch is 0; it must be 1 or more"),
        ({"lengths": [6]}, "the length of sample 0 is 6; it must be between 1 and the number of s"),
        ({"lengths": [5], "batch": 2}, "give one length per sample, shape (2,)"),
        ({"framework": "jax"}, "framework is 'jax'; it must be one of torch, keras, onnx, flax"),
    ],
)
def test_sizes_that_can_not_be(options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        explain_selection(StackShape("gru", 1, 2), **{"steps": 5, "select": "output"} | options)


@pytest.mark.parametrize("framework", ["keras", "onnx", "flax"])
def test_a_projection_is_pytorchs_alone(framework):
    shape = StackShape("lstm", 1, 8, proj_size=2)
    with pytest.raises(UsageError, match=f"only PyTorch's LSTM projects h, and .* '{framework}'"):
        explain_selection(shape, 3, framework=framework)


def test_a_batch_too_large_is_refused_before_its_lengths_are_listed():
    with pytest.raises(UsageError, match="output would need 512,000,000,000 elements and at most"):
        explain_selection(StackShape("gru", 1, 128), 2, batch=2_000_000_000)


def test_a_stack_too_large_to_be_followed():
    with pytest.raises(UsageError, match="output would need 1,280,000,000 elements"):
        explain_selection(StackShape("gru", 1, 128), 100_000, "output[-1]", batch=100)
