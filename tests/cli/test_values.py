"""What each kind of option accepts, and what it says of the rest, typed or from YAML."""

from collections.abc import Callable
from pathlib import Path

import pytest

from unrolled.cli._parser import CommandParser
from unrolled.cli._values import column, real, separator, text, whole
from unrolled.errors import UsageError

ACCEPTED = [
    (whole(1), "3", 3),
    (whole(1), "1_000", 1000),
    (whole(0), 0, 0),
    (real(above=0), "2e-3", 2e-3),
    (real(minimum=0, below=1), "0", 0.0),
    (text, "007", "007"),
    (text, 7, "7"),
    (column, "2", 2),
    (column, "word", "word"),
    (separator, "\\t", "\t"),
    (separator, " ", " "),
]

REFUSED = [
    (whole(1), "0", "expected a whole number of at least 1, got '0'"),
    (whole(1), "1.5", "expected a whole number of at least 1, got '1.5'"),
    (whole(2), "x", "expected a whole number of at least 2, got 'x'"),
    (real(above=0), "0", "expected a number above 0, got '0'"),
    (real(minimum=0, below=1), "1", "expected a number of at least 0 and below 1, got '1'"),
    (real(), "nan", "expected a number, got 'nan'"),
    (real(), "inf", "expected a number, got 'inf'"),
    (column, "0", "expected a column number, counted from 1, or a name, got '0'"),
    (column, "-1", "expected a column number, counted from 1, or a name, got '-1'"),
    (column, "", "expected a column number, counted from 1, or a name, got nothing"),
    (separator, "", "expected at least one character, got nothing"),
]


@pytest.mark.parametrize(("convert", "given", "value"), ACCEPTED)
def test_a_value_is_accepted_and_so_is_the_result(
    convert: Callable[[object], object], given: object, value: object
) -> None:
    assert convert(given) == value
    assert convert(convert(given)) == value


def _parser(convert: Callable[[object], object]) -> CommandParser:
    parser = CommandParser("try", usage="[options]", description="", examples="")
    parser.add_config_options()
    parser.add_argument("--option", type=convert)
    return parser


@pytest.mark.parametrize(("convert", "given", "message"), REFUSED)
def test_a_typed_value_is_refused_with_what_was_expected(
    convert: Callable[[object], object], given: str, message: str
) -> None:
    with pytest.raises(UsageError) as fault:
        _parser(convert).parse([f"--option={given}"])
    assert str(fault.value) == f"--option: {message}; see unrolled try --help"


@pytest.mark.parametrize(("convert", "given", "message"), REFUSED)
def test_a_value_in_yaml_is_refused_alike(
    convert: Callable[[object], object], given: str, message: str, tmp_path: Path
) -> None:
    config = tmp_path / "options.yaml"
    config.write_text(f"option: '{given}'\n")
    with pytest.raises(UsageError) as fault:
        _parser(convert).parse(["--config", str(config)])
    assert str(fault.value) == f"--option: {message}; see unrolled try --help"
