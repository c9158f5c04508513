"""Parsing: unknown names bring the nearest, configuration files are checked as words are."""

from pathlib import Path

import pytest

from unrolled.cli._evaluate import evaluate_parser
from unrolled.cli._fit import parse_fit
from unrolled.cli._predict import predict_parser
from unrolled.errors import UsageError


def _refusal(*arguments: str) -> str:
    with pytest.raises(UsageError) as fault:
        parse_fit(arguments)
    return str(fault.value)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "options.yaml"


def test_an_unknown_option_brings_the_nearest() -> None:
    assert _refusal("--learnin_rate", "3") == (
        "there is no option '--learnin_rate' (did you mean '--learning_rate'?); "
        "see unrolled fit --help"
    )


def test_an_option_is_never_guessed_from_its_beginning() -> None:
    assert "there is no option '--learning'" in _refusal("--learning=3")


def test_a_superfluous_argument_is_named() -> None:
    assert "there is no argument 'train.tsv'" in _refusal("train.tsv")


def test_a_word_after_an_option_is_told_its_place() -> None:
    with pytest.raises(UsageError) as fault:
        predict_parser().parse(["model", "--n_best", "3", "abc"])
    assert str(fault.value) == (
        "'abc' stands after an option; put all that is no option before them; "
        "see unrolled predict --help"
    )


@pytest.mark.parametrize(
    ("given", "most"), [("--seed=9223372036854775808", 2**63 - 1), ("--patience=1e9", None)]
)
def test_numbers_that_no_machine_counts_to(given: str, most: int | None) -> None:
    expected = "at least 1" if most is None else f"at most {most}"
    assert f"expected a whole number of {expected}, got" in _refusal(given)
    assert "at most 2147483647" in _refusal("--tokens_per_batch=2147483648")


def test_a_missing_value_is_named() -> None:
    assert _refusal("--seed") == "--seed: expected one argument; see unrolled fit --help"


def test_missing_arguments_are_named_as_in_the_usage() -> None:
    with pytest.raises(UsageError, match=r"^MODEL and TSV are missing; see unrolled evaluate"):
        evaluate_parser().parse([])
    with pytest.raises(UsageError, match=r"^TSV is missing; see unrolled evaluate"):
        evaluate_parser().parse(["model"])
    with pytest.raises(UsageError, match=r"^MODEL is missing; see unrolled predict"):
        predict_parser().parse([])


def test_a_choice_lists_what_there_is() -> None:
    refusal = _refusal("--cell", "lsmt")
    assert "--cell: invalid choice: 'lsmt'" in refusal
    assert "gru" in refusal


def test_an_unknown_key_in_yaml_brings_the_nearest(config: Path) -> None:
    config.write_text("droput: 0.1\n")
    assert _refusal("--config", str(config)) == (
        "the configuration has an unknown key 'droput' (did you mean 'dropout'?); "
        "see unrolled fit --help"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"dropout: [\n",
            "FILE is not YAML: while parsing a flow",
        ),
        (
            b"just words\n",
            "FILE has no keys; give lines such as max_epochs: 5",
        ),
        (
            b"- a\n- b\n",
            "FILE has no keys; give lines such as max_epochs: 5",
        ),
        (b"\xff\xfe\n", "FILE is not valid UTF-8"),
        (b"cell: lsmt\n", "lsmt"),
    ],
)
def test_a_broken_configuration_is_one_sentence(config: Path, content: bytes, message: str) -> None:
    config.write_bytes(content)
    for given in (["--config", str(config)], [f"--config={config}"]):
        refusal = _refusal(*given)
        assert message.replace("FILE", f"the configuration file {config}") in refusal
        assert "\n" not in refusal


def test_a_missing_configuration_is_named() -> None:
    assert "nowhere.yaml" in _refusal("--config", "nowhere.yaml")


def test_data_and_output_are_asked_for() -> None:
    assert _refusal().startswith("where shall the model go? Give --output DIR")
    assert _refusal("--output", "x").startswith("there is no train data; give --train FILE.tsv")
    assert "there is no dev data" in _refusal("--output", "x", "--train", "a.tsv")
    assert "there is no dev data" in _refusal("--output", "x", "--task", "g2p", "--train", "a.tsv")


def test_an_unknown_task_lists_those_there_are() -> None:
    assert _refusal("--task", "g2q") == "there is no task 'g2q'; the tasks are: g2p"


def test_the_order_is_default_task_file_command_line(config: Path) -> None:
    assert parse_fit(["--train=a", "--dev=b", "--output=x"]).target_symbols == "characters"
    assert parse_fit(["--task=g2p", "--output=x"]).target_symbols == "separator"
    config.write_text("task: g2p\noutput: y\nseed: 5\ncell: gru\n")
    from_file = parse_fit(["--config", str(config)])
    assert (from_file.source_lowercase, from_file.cell) == (True, "gru")
    assert (from_file.output, from_file.seed) == ("y", 5)
    assert parse_fit(["--config", str(config), "--seed", "6"]).seed == 6


def test_what_is_printed_as_configuration_gives_the_same_options(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--task=g2p", "--output=x", "--dropout=0.25", "--attention=additive"]
    with pytest.raises(SystemExit) as exit_:
        parse_fit([*given, "--print_config"])
    assert exit_.value.code == 0
    config.write_text(capsys.readouterr().out)
    again, before = parse_fit(["--config", str(config)]), parse_fit(given)
    again.pop("config")
    before.pop("config")
    assert again == before
