from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from srbench_ext.errors import InputError
from srbench_ext.expression import compile_prefix
from srbench_ext.expression.operators import is_variable, variable_index
from srbench_ext.models import precision
from srbench_ext.models.decoding import Decoded, Grammar, beam_search, sample
from srbench_ext.models.foundation import Foundation
from srbench_ext.models.tokens import MODES

from .tiny import points


def draw(
    model: Foundation,
    mode: str = "<skeleton>",
    *,
    n_variables: int = 2,
    max_tokens: int = 8,
    max_constants: int = 2,
    n_samples: int = 200,
    rows: int = 2,
    seed: int = 0,
    around: tuple[str, ...] = (),
    temperature: float = 1.0,
    top_p: float = 1.0,
) -> list[Decoded]:
    grammar = Grammar(model.vocabulary, mode, n_variables, max_tokens, max_constants)
    prompt = model.vocabulary.encode([mode, *around])
    rng = np.random.default_rng(seed)
    return sample(
        model,
        model.encode(points(rows)),
        grammar,
        [prompt] * rows,
        n_samples,
        rng,
        temperature=temperature,
        top_p=top_p,
    )


def exact(
    model: Foundation, grammar: Grammar, prompt: list[int], *, masked: bool
) -> dict[tuple[str, ...], float]:
    """Return every formula of a tiny grammar with its log-probability, one forward pass each."""
    vocabulary, memory = model.vocabulary, model.encode(points(1))
    found: dict[tuple[str, ...], float] = {}

    def go_on(written: list[int], state: NDArray[np.int64], score: float) -> None:
        if state[0, 0] == 0:
            found[tuple(vocabulary.tokens[i] for i in written)] = score
            return
        logits, _ = model.decode(torch.tensor([prompt + written]), model.memory_keys(memory))
        log_p = logits[0, -1].double().log_softmax(-1).numpy()
        allowed = grammar.allowed(state)[0]
        if masked:
            log_p = log_p - np.logaddexp.reduce(log_p[allowed])
        for token in np.flatnonzero(allowed):
            go_on([*written, int(token)], grammar.advance(state, np.array([token])), score + log_p[token])

    go_on([], np.array([[1, 0, 0, 0]]), 0.0)
    return found


def tiny_grammar(model: Foundation, max_tokens: int) -> Grammar:
    """Return a grammar with few tokens, so that all its formulas can be listed."""
    grammar = Grammar(model.vocabulary, "<skeleton>", 1, max_tokens)
    kept = set(model.vocabulary.encode(["add", "sin", "x0", "C", "2"]))
    for i in range(len(grammar.in_tree)):
        grammar.in_tree[i] &= i in kept
    return grammar


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("bfloat16", [False, True])
def test_every_sample_is_a_valid_formula_within_the_limits(
    model: Foundation, mode: str, bfloat16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "bfloat16_pays", lambda device_type: bfloat16)
    around = ("add", "x1", "<hole>", "<sep>") if mode == "<infill>" else ()
    for n_variables, max_tokens, max_constants in [(2, 8, 2), (1, 1, 1), (10, 20, 0), (0, 5, 3)]:
        found = draw(
            model,
            mode,
            n_variables=n_variables,
            max_tokens=max_tokens,
            max_constants=max_constants,
            around=around,
            n_samples=100,
        )
        for decoded in found:
            sequence = model.vocabulary.read_numeric(decoded.tokens)
            prefix = tuple(token if isinstance(token, str) else "C" for token in sequence)
            assert compile_prefix(prefix).prefix == prefix  # complete, of known tokens
            assert len(prefix) <= max_tokens
            assert prefix.count("C") <= max_constants
            assert all(variable_index(t) < n_variables for t in prefix if is_variable(t))
            assert ("C" in decoded.tokens) <= (mode != "<numeric>")
            assert any(isinstance(token, float) for token in sequence) <= (mode == "<numeric>")
            assert np.isfinite(decoded.log_probability)
            assert decoded.log_probability < 0


@pytest.mark.parametrize("mode", MODES)
def test_counts_add_up_to_the_samples_of_each_row(model: Foundation, mode: str) -> None:
    found = draw(model, mode, rows=3, n_samples=57)
    assert [sum(d.count for d in found if d.row == row) for row in range(3)] == [57, 57, 57]
    assert all(d.count > 0 for d in found)


@pytest.mark.parametrize("mode", MODES)
def test_samples_are_distinct_within_a_row(model: Foundation, mode: str) -> None:
    written = [(d.row, d.tokens) for d in draw(model, mode, max_tokens=3, n_samples=500)]
    assert len(set(written)) == len(written)


def test_written_out_numbers_appear_in_numeric_mode(model: Foundation) -> None:
    assert any(set("+-") & set(d.tokens) for d in draw(model, "<numeric>"))
    assert any("C" in d.tokens for d in draw(model, "<skeleton>"))


def test_formulas_of_the_greatest_length_are_reached(model: Foundation) -> None:
    assert max(len(d.tokens) for d in draw(model, max_tokens=8)) == 8


def test_equal_seeds_give_equal_samples(model: Foundation) -> None:
    assert draw(model, seed=3) == draw(model, seed=3)
    assert draw(model, seed=3) != draw(model, seed=4)


def test_log_probability_is_that_of_the_network(model: Foundation) -> None:
    grammar = tiny_grammar(model, 3)
    prompt = [model.vocabulary.ids["<skeleton>"]]
    expected = exact(model, grammar, prompt, masked=False)
    memory = model.encode(points(1))
    found = sample(model, memory, grammar, [prompt], 500, np.random.default_rng(0), temperature=3.0)
    assert len(found) > 10
    for decoded in found:
        assert decoded.log_probability == pytest.approx(expected[decoded.tokens], abs=1e-3)


def test_frequencies_are_the_exact_probabilities(model: Foundation) -> None:
    grammar = tiny_grammar(model, 3)
    prompt = [model.vocabulary.ids["<skeleton>"]]
    expected = {k: np.exp(v) for k, v in exact(model, grammar, prompt, masked=True).items()}
    assert sum(expected.values()) == pytest.approx(1.0)
    n_samples = 20_000
    found = sample(model, model.encode(points(1)), grammar, [prompt], n_samples, np.random.default_rng(0))
    counts = {decoded.tokens: decoded.count for decoded in found}
    common = [k for k, p in expected.items() if n_samples * p >= 5]
    assert len(common) > 5
    rest = n_samples - sum(counts.get(k, 0) for k in common)
    left = n_samples * (1.0 - sum(expected[k] for k in common))
    squares = [(counts.get(k, 0) - n_samples * expected[k]) ** 2 / (n_samples * expected[k]) for k in common]
    chi_square = sum(squares) + (rest - left) ** 2 / max(left, 1.0)
    assert chi_square < len(common) + 5 * np.sqrt(2 * len(common))


def test_low_temperature_and_small_nucleus_are_greedy(model: Foundation) -> None:
    cold = draw(model, rows=1, temperature=1e-3)
    narrow = draw(model, rows=1, top_p=1e-6)
    assert [d.tokens for d in narrow] == [cold[0].tokens]
    assert cold[0].count == narrow[0].count == 200


def test_nucleus_draws_a_part_of_what_is_likely(model: Foundation) -> None:
    everything = {d.tokens for d in draw(model, n_samples=2000, rows=1, max_tokens=3)}
    nucleus = {d.tokens for d in draw(model, n_samples=2000, rows=1, max_tokens=3, top_p=0.5)}
    assert 0 < len(nucleus) < len(everything)


def test_rows_are_decoded_from_their_own_memory(model: Foundation) -> None:
    together = draw(model, rows=2, top_p=1e-6)
    for row in range(2):
        grammar = Grammar(model.vocabulary, "<skeleton>", 2, 8, 2)
        memory = model.encode(points(2))[row : row + 1]
        prompt = [model.vocabulary.ids["<skeleton>"]]
        (alone,) = sample(model, memory, grammar, [prompt], 5, np.random.default_rng(0), top_p=1e-6)
        (one,) = [d for d in together if d.row == row]
        assert one.tokens == alone.tokens
        assert one.log_probability == pytest.approx(alone.log_probability, abs=1e-3)


def test_infill_depends_on_what_is_around_the_hole(model: Foundation) -> None:
    a = draw(model, "<infill>", around=("add", "x0", "<hole>", "<sep>"))
    b = draw(model, "<infill>", around=("sin", "mul", "<hole>", "<sep>"))
    assert {d.tokens: d.log_probability for d in a} != {d.tokens: d.log_probability for d in b}


def test_beam_wide_enough_finds_the_best_formulas(model: Foundation) -> None:
    grammar = tiny_grammar(model, 3)
    prompt = [model.vocabulary.ids["<skeleton>"]]
    expected = exact(model, grammar, prompt, masked=False)
    for length_penalty in (0.0, 1.0):
        ranked = sorted(expected.items(), key=lambda item: -item[1] / len(item[0]) ** length_penalty)
        found = beam_search(
            model, model.encode(points(1)), grammar, prompt, len(expected), length_penalty=length_penalty
        )
        assert [d.tokens for d in found] == [tokens for tokens, _ in ranked]
        for decoded, (_, score) in zip(found, ranked, strict=True):
            assert decoded.log_probability == pytest.approx(score, abs=1e-3)


def test_beam_of_one_is_greedy(model: Foundation) -> None:
    grammar = Grammar(model.vocabulary, "<skeleton>", 2, 8, 2)
    prompt = [model.vocabulary.ids["<skeleton>"]]
    (greedy,) = draw(model, rows=1, top_p=1e-6)
    (found,) = beam_search(model, model.encode(points(1)), grammar, prompt, 1)
    assert found.tokens == greedy.tokens


@pytest.mark.parametrize("mode", MODES)
def test_best_of_a_beam_is_no_worse_than_greedy(model: Foundation, mode: str) -> None:
    grammar = Grammar(model.vocabulary, mode, 2, 8, 2)
    prompt = [model.vocabulary.ids[mode]]
    (greedy,) = draw(model, mode, rows=1, top_p=1e-6)
    found = beam_search(model, model.encode(points(1)), grammar, prompt, 30)
    scores = [d.log_probability / len(d.tokens) for d in found]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] >= greedy.log_probability / len(greedy.tokens) - 1e-4
    assert len({d.tokens for d in found}) == len(found) <= 30


def test_prompts_of_different_lengths_are_an_error(model: Foundation) -> None:
    grammar = Grammar(model.vocabulary, "<infill>", 2, 8)
    with pytest.raises(InputError, match="one length"):
        sample(model, model.encode(points(2)), grammar, [[4], [4, 5]], 3, np.random.default_rng(0))


def test_unknown_mode_is_an_error_that_lists_the_modes(model: Foundation) -> None:
    with pytest.raises(InputError, match="<infill>"):
        Grammar(model.vocabulary, "infill", 2, 8)


def test_weights_are_left_as_they_are(model: Foundation) -> None:
    before = [p.clone() for p in model.parameters()]
    draw(model)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


@pytest.mark.parametrize("mode", ["<skeleton>", "<numeric>"])
def test_a_formula_longer_than_the_network_reads_is_refused_before_decoding(
    model: Foundation, mode: str
) -> None:
    with pytest.raises(InputError, match="at most 112 tokens"):
        draw(model, mode, max_tokens=200)
    grammar, memory = Grammar(model.vocabulary, mode, 2, 200), model.encode(points(1))
    with pytest.raises(InputError, match="at most 112 tokens"):
        beam_search(model, memory, grammar, model.vocabulary.encode([mode]), 2)


def test_the_longest_sequence_counts_written_out_numbers(model: Foundation) -> None:
    skeleton, numeric = (
        Grammar(model.vocabulary, mode, 2, 8, max_constants=2) for mode in ("<skeleton>", "<numeric>")
    )
    assert skeleton.longest == 8
    assert numeric.longest == 8 + 2 * 3  # sign, two mantissa groups and exponent in the place of one token
    lengths = [len(d.tokens) for d in draw(model, "<numeric>", max_tokens=8, max_constants=2)]
    assert max(lengths) <= numeric.longest


def test_rows_that_share_a_memory_decode_as_if_each_had_its_own(model: Foundation) -> None:
    memory = model.encode(points(2))
    ids = torch.tensor([[5], [6], [7]])
    _, past = model.decode(ids, model.memory_keys(memory[[0, 0, 1]]))
    own, _ = model.decode(ids + 1, model.memory_keys(memory[[0, 0, 1]]), past)
    sharing = torch.tensor([[True, True], [True, False]])
    shared, _ = model.decode(ids + 1, model.memory_keys(memory), past, sharing)
    torch.testing.assert_close(shared, own)
