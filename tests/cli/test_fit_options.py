"""The options of ``unrolled fit`` are the arguments of ``fit``, with the same defaults."""

from inspect import Parameter, signature

from unrolled.cli._fit import _NOT_OF_FIT
from unrolled.cli._fit_options import fit_parser
from unrolled.seq2seq import fit

OF_THE_LIBRARY_ONLY = {"progress", "report"}


def test_every_argument_of_fit_is_an_option_and_the_other_way_round() -> None:
    options = set(vars(fit_parser().get_defaults()))
    arguments = set(signature(fit).parameters)
    assert options - set(_NOT_OF_FIT) == arguments - OF_THE_LIBRARY_ONLY


def test_the_defaults_are_the_same() -> None:
    defaults = fit_parser().get_defaults()
    for name, parameter in signature(fit).parameters.items():
        if name in OF_THE_LIBRARY_ONLY or parameter.default is Parameter.empty:
            continue
        default = {"delimiter": "\t", "header": None}.get(name, defaults[name])
        assert default == parameter.default, name
