from __future__ import annotations

from importlib import resources

import pytest

from srbench_ext.corpus import Mixture, load_mixture, parse_mixture
from srbench_ext.corpus.grammar import GRAMMARS
from srbench_ext.corpus.mixture import MIXTURES
from srbench_ext.corpus.points import FAMILIES
from srbench_ext.errors import ConfigError, UnknownNameError

TEXT = resources.files("srbench_ext.corpus").joinpath("mixture.toml").read_text("utf8")


def changed(old: str, new: str) -> str:
    assert TEXT.count(old) == 1
    return TEXT.replace(old, new)


@pytest.mark.parametrize("name", sorted(MIXTURES))
def test_shipped_mixture_has_shares_that_add_up(name: str) -> None:
    mixture = load_mixture(name)
    for shares in (mixture.grammars, mixture.points):
        assert sum(shares.values()) == pytest.approx(1.0)
    assert sum(mixture.n_variables["weights"]) == pytest.approx(1.0)


def test_shared_mixture_is_the_default_and_is_read_from_text() -> None:
    assert load_mixture() == load_mixture("shared") == parse_mixture(TEXT)
    assert load_mixture().sha256 != load_mixture("nesymres").sha256


def test_unknown_mixture_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"nesymre'.*nesymres.*shared"):
        load_mixture("nesymre")


@pytest.mark.parametrize("text", ["", "[limits]\nmax_tokens = 4"])
def test_mixture_without_a_table_is_an_error_that_lists_the_tables(text: str) -> None:
    with pytest.raises(ConfigError, match=r"grammars.*n_variables"):
        parse_mixture(text)


def test_mixture_with_an_unknown_table_is_an_error_that_names_it() -> None:
    text = "\n".join(f"[{table}]" for table in [*Mixture.__dataclass_fields__, "grammar"])
    with pytest.raises(ConfigError, match="'grammar',"):
        parse_mixture(text)


def test_text_that_is_no_toml_is_an_error() -> None:
    with pytest.raises(ConfigError, match="TOML"):
        parse_mixture("[limits")


def test_unknown_grammar_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=rf"{', '.join(map(repr, sorted(GRAMMARS)))}.*'science2'"):
        parse_mixture(changed("science = 0.8", "science2 = 0.8"))


def test_unknown_family_of_points_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=rf"{', '.join(map(repr, sorted(FAMILIES)))}.*'central'"):
        parse_mixture(changed("centred = 0.12", "central = 0.12"))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("science = 0.8", "science = -0.8", "-0.8 for 'science'.*'nesymres'"),
        ("science = 0.8", "science = true", "True for 'science'"),
        ("science = 0.8\ne2e = 0.2", "science = 0\ne2e = 0", r"\[grammars\].*weights of 0 only"),
        ("science = 0.8\ne2e = 0.2", "", r"\[grammars\].*add some"),
        ("integers = 0.06", "integers = nan", "nan for 'integers'"),
        ("e2e_largest = 5", "e2e_largest = 0", "e2e_largest.*Got 0"),
        ("e2e_largest = 5", "largest = 5", "'largest', 'weights'"),
        ("weights = [0.09,", "weights = [-0.09,", "-0.09 for '1'"),
        ("e2e = 0.2", "e2e = 0.2\n[n_variables]\nweights = 3\n[unused]", "TOML"),
        ("max_abs_y = 1e12", "max_abs_y = -1", "max_abs_y"),
        ("max_abs_y = 1e12", "max_y = 1e12", "max_abs_y.*max_bad_rows.*'max_y'"),
        ("noise_share = 0.25", "noise_share = 1.5", "noise_share.*from 0 to 1.*1.5"),
        ("noise_share = 0.25", "noise_share = 0.25\nnoise = 1", "'noise'"),
    ],
)
def test_value_out_of_its_range_is_an_error_that_names_it(old: str, new: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_mixture(changed(old, new))


def test_grammar_without_a_possible_number_of_variables_is_an_error() -> None:
    start, end = TEXT.index("weights = ["), TEXT.index("]", TEXT.index("weights = ["))
    only_four = TEXT[:start] + "weights = [0, 0, 0, 1" + TEXT[end:]
    assert parse_mixture(only_four).weights_of_variables("science") == [0, 0, 0, 1]
    with pytest.raises(ConfigError, match=r"'nesymres' no number of variables: it has at most 3"):
        parse_mixture(only_four.replace("e2e = 0.2", "nesymres = 0.2"))


def test_large_e2e_formulas_are_left_out() -> None:
    assert len(load_mixture().weights_of_variables("e2e")) == 5
    assert len(load_mixture().weights_of_variables("science")) == 10
