"""The official network against torch's own layers, its words, and its decoding."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from srbench_ext.errors import ConfigError, InputError
from srbench_ext.expression import Expression
from srbench_ext.models.official.e2e import E2EConfig, OfficialE2E, Past
from srbench_ext.models.official.e2e_decoding import beam_formulas, sample_formulas
from srbench_ext.models.official.e2e_proposals import propose, unwhiten
from srbench_ext.models.official.e2e_words import (
    FORMULA_IDS,
    FORMULA_WORDS,
    POINT_IDS,
    POINT_WORDS,
    FormulaReader,
    number_words,
    point_ids,
)

TINY = E2EConfig(
    word_width=2,
    encoder_width=8,
    encoder_layers=2,
    encoder_heads=2,
    encoder_hidden=12,
    decoder_width=12,
    decoder_layers=3,
    decoder_heads=3,
    decoder_hidden=20,
    positions=210,
)


@pytest.fixture(scope="module")
def net() -> OfficialE2E:
    torch.manual_seed(0)
    model = OfficialE2E(TINY)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name:  # at their start they are the identity
                parameter.normal_(1.0, 0.3)
    return model.eval().requires_grad_(False)


def some_points(n: int = 9) -> Tensor:
    rng = np.random.default_rng(0)
    return torch.from_numpy(point_ids(rng.normal(size=(n, 2)), rng.normal(size=n)))


def test_published_sizes_have_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        model = OfficialE2E(E2EConfig())
    parts = [
        sum(p.numel() for p in part.parameters()) for part in (model.embedder, model.encoder, model.decoder)
    ]
    assert parts == [6_198_464, 12_610_560, 74_642_484]
    assert sum(p.numel() for p in model.parameters()) == 93_451_508


def test_unknown_and_impossible_sizes_are_errors() -> None:
    with pytest.raises(ConfigError, match="depth"):
        E2EConfig.from_dict({"depth": 4})
    with pytest.raises(ConfigError, match="divide"):
        E2EConfig(encoder_heads=7)
    assert E2EConfig.from_dict(TINY.to_dict()) == TINY


def load_attention(theirs: nn.MultiheadAttention, state: dict[str, Tensor], name: str) -> None:
    joined = {
        kind: torch.cat([state[f"{name}.{part}_lin.{kind}"] for part in "qkv"]) for kind in ("weight", "bias")
    }
    theirs.in_proj_weight = nn.Parameter(joined["weight"])
    theirs.in_proj_bias = nn.Parameter(joined["bias"])
    theirs.out_proj.weight = nn.Parameter(state[f"{name}.out_lin.weight"])
    theirs.out_proj.bias = nn.Parameter(state[f"{name}.out_lin.bias"])


def load_linear(theirs: nn.Linear | nn.LayerNorm, state: dict[str, Tensor], name: str) -> None:
    theirs.weight, theirs.bias = (nn.Parameter(state[f"{name}.{kind}"]) for kind in ("weight", "bias"))


def test_the_encoder_is_torchs_post_norm_encoder(net: OfficialE2E) -> None:
    c, state = TINY, net.encoder.state_dict()
    x = torch.randn(1, 7, c.encoder_width, generator=torch.Generator().manual_seed(1))
    expected = nn.functional.layer_norm(
        x, (c.encoder_width,), state["layer_norm_emb.weight"], state["layer_norm_emb.bias"], 1e-12
    )
    for i in range(c.encoder_layers):
        layer = nn.TransformerEncoderLayer(
            c.encoder_width, c.encoder_heads, c.encoder_hidden, 0.0, layer_norm_eps=1e-12, batch_first=True
        ).train()  # its evaluation takes another path
        load_attention(layer.self_attn, state, f"attentions.{i}")
        load_linear(layer.linear1, state, f"ffns.{i}.lin1")
        load_linear(layer.linear2, state, f"ffns.{i}.lin2")
        load_linear(layer.norm1, state, f"layer_norm1.{i}")
        load_linear(layer.norm2, state, f"layer_norm2.{i}")
        expected = layer(expected)
    torch.testing.assert_close(net.encoder(x), expected.detach(), rtol=1e-4, atol=1e-5)


def test_the_decoder_is_torchs_post_norm_decoder() -> None:
    c = E2EConfig.from_dict(
        {**TINY.to_dict(), "encoder_width": 12, "encoder_heads": 3}
    )  # torch has one width
    torch.manual_seed(3)
    model = OfficialE2E(c).eval().requires_grad_(False)
    state = model.decoder.state_dict()
    memory = torch.randn(1, 5, c.decoder_width)
    ids = torch.randint(0, len(FORMULA_WORDS), (2, 6))
    x = state["embeddings.weight"][ids] + state["position_embeddings.weight"][:6]
    x = nn.functional.layer_norm(
        x, (c.decoder_width,), state["layer_norm_emb.weight"], state["layer_norm_emb.bias"], 1e-12
    )
    causal = nn.Transformer.generate_square_subsequent_mask(6)
    for i in range(c.decoder_layers):
        layer = nn.TransformerDecoderLayer(
            c.decoder_width, c.decoder_heads, c.decoder_hidden, 0.0, layer_norm_eps=1e-12, batch_first=True
        )
        load_attention(layer.self_attn, state, f"attentions.{i}")
        load_attention(layer.multihead_attn, state, f"encoder_attn.{i}")
        load_linear(layer.linear1, state, f"ffns.{i}.lin1")
        load_linear(layer.linear2, state, f"ffns.{i}.lin2")
        for norm, name in (
            (layer.norm1, "layer_norm1"),
            (layer.norm2, "layer_norm15"),
            (layer.norm3, "layer_norm2"),
        ):
            load_linear(norm, state, f"{name}.{i}")
        x = layer(x, memory.expand(2, -1, -1), tgt_mask=causal)
    expected = x @ state["embeddings.weight"].T + state["proj.bias"]
    logits, _ = model.decode(ids, model.memory_keys(memory))
    torch.testing.assert_close(logits, expected.detach(), rtol=1e-4, atol=1e-5)


def test_a_point_is_its_33_words_joined(net: OfficialE2E) -> None:
    ids, state = some_points(), net.embedder.state_dict()
    joined = torch.cat([state["embeddings.weight"][ids[:, i]] for i in range(33)], dim=1)
    hidden = torch.relu(joined @ state["hidden_layers.0.weight"].T + state["hidden_layers.0.bias"])
    expected = hidden @ state["fc.weight"].T + state["fc.bias"]
    torch.testing.assert_close(net.embedder(ids[None])[0], expected, rtol=1e-4, atol=1e-5)


def test_the_memory_does_not_depend_on_the_order_of_points(net: OfficialE2E) -> None:
    ids = some_points()
    order = torch.tensor([3, 1, 0, 2, 8, 7, 6, 5, 4])
    torch.testing.assert_close(net.encode(ids[None])[0][order], net.encode(ids[order][None])[0])


def test_word_by_word_gives_what_the_whole_sequence_gives(net: OfficialE2E) -> None:
    memory = net.memory_keys(net.encode(some_points()[None]))
    ids = torch.randint(0, 10_292, (3, 8), generator=torch.Generator().manual_seed(0))
    whole, _ = net.decode(ids, memory)
    past: Past | None = None
    for t in range(8):
        step, past = net.decode(ids[:, t : t + 1], memory, past)
        torch.testing.assert_close(step[:, 0], whole[:, t], rtol=1e-4, atol=1e-5)


def test_words_stand_where_the_released_code_has_them() -> None:
    assert (len(POINT_WORDS), len(FORMULA_WORDS)) == (10_218, 10_292)
    points = {"<EOS>": 0, "<INPUT_PAD>": 6, "<PAD>": 8, "+": 15, "-": 16, "E-1": 17, "E-10": 18, "E-100": 19}
    points |= {"E0": 117, "E1": 118, "E10": 119, "E100": 120, "E99": 217, "N0000": 218, "N9999": 10_217}
    formulas = {"<EOS>": 74, "<PAD>": 82, "CONSTANT": 36, "abs": 41, "add": 42, "arccos": 43, "arcsin": 44}
    formulas |= {"arctan": 45, "cos": 46, "div": 47, "exp": 50, "inv": 51, "log": 52, "mul": 53, "pow": 55}
    formulas |= {"pow2": 56, "pow3": 57, "sin": 59, "sqrt": 60, "sub": 61, "tan": 62, "x_0": 63, "x_9": 72}
    formulas |= {"|": 73, "+": 89, "-": 90, "E-100": 93, "E0": 191, "N0000": 292, "N9999": 10_291}
    assert {word: POINT_IDS[word] for word in points} == points
    assert {word: FORMULA_IDS[word] for word in formulas} == formulas


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (2.4242, ("+", "N2424", "E-3")),
        (0.0, ("+", "N0000", "E-3")),
        (-0.0, ("+", "N0000", "E-3")),
        (-1.0, ("-", "N1000", "E-3")),
        (99_996.0, ("+", "N1000", "E2")),
        (1e-97, ("+", "N1000", "E-100")),
        (1e-98, ("+", "N0000", "E0")),
        (9.999e103, ("+", "N9999", "E100")),
    ],
)
def test_numbers_are_three_words(value: float, words: tuple[str, str, str]) -> None:
    assert number_words(value) == words


@pytest.mark.parametrize("value", [1e104, -9.9996e103, math.inf, math.nan])
def test_numbers_without_words_are_an_error(value: float) -> None:
    with pytest.raises(InputError, match=r"9\.999e103"):
        number_words(value)


def test_rows_are_padded_to_ten_columns() -> None:
    (row,) = point_ids(np.array([[1.5, -2.0]]), np.array([0.25]))
    words = [POINT_WORDS[i] for i in row]
    assert words[:6] == ["+", "N1500", "E-3", "-", "N2000", "E-3"]
    assert words[6:30] == ["<INPUT_PAD>"] * 24
    assert words[30:] == ["+", "N2500", "E-4"]


@pytest.mark.parametrize("shape", [(3, 11), (3,), (4, 2)])
def test_tables_that_the_network_cannot_read_are_an_error(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="up to 10"):
        point_ids(np.zeros(shape), np.zeros(3))


@pytest.mark.parametrize(
    ("words", "formula"),
    [
        ("add + N2424 E-3 mul x_0 x_1 <EOS>", "2.424 + x0*x1"),
        ("x_0 add garbage", "x0"),
        ("pow2 arctan inv x_1", "atan(1/x1)**2"),
        ("mul 3 pi", "3*pi"),
        ("- N0500 E-3", "-0.5"),
        ("add x_0 x_7", "x0 + 0"),
        ("div e x_0", f"{math.e!r}/x0"),
    ],
)
def test_words_are_read_as_a_formula(words: str, formula: str) -> None:
    read = FormulaReader(2).read(words.split())
    assert read is not None
    assert str(read) == formula


@pytest.mark.parametrize(
    "words",
    [
        "",
        "add x_0",
        "add x_0 +",
        "+ x_0",
        "+ N1000 N1000",
        "E0",
        "N0000",
        "CONSTANT",
        "<EOS>",
        "|",
        "add <PAD>",
    ],
)
def test_words_that_are_no_formula_are_none(words: str) -> None:
    assert FormulaReader(2).read(words.split()) is None


class Scripted(OfficialE2E):
    """Writes given formulas with given probabilities, whatever the points are."""

    def __init__(self, sequences: Sequence[tuple[str, float]]) -> None:
        super().__init__(TINY)
        self.sequences = [([FORMULA_IDS[w] for w in text.split()], p) for text, p in sequences]
        self.steps = 0

    def decode(self, ids: Tensor, memory: Past, past: Past | None = None) -> tuple[Tensor, Past]:
        """Return logits by what was written so far, which the keys hold."""
        self.steps += 1
        keys = ids[:, None, :, None].float()
        written = keys if past is None else torch.cat([past[0][0], keys], 2)
        logits = torch.full((len(ids), 1, len(FORMULA_WORDS)), -1e9)
        for row, before in enumerate(written[:, 0, 1:, 0].long().tolist()):
            follow = [(s[len(before)], p) for s, p in self.sequences if s[: len(before)] == before]
            for word in {word for word, _ in follow}:
                logits[row, 0, word] = math.log(sum(p for w, p in follow if w == word))
        return logits, [(written, written)]


SCRIPT = (
    ("add x_0 + N2000 E-3 <EOS>", 0.6),
    ("add x_0 - N1000 E-3 <EOS>", 0.25),
    ("mul x_0 x_0 <EOS>", 0.1),
    ("mul <EOS>", 0.05),
)
X1 = np.linspace(0.0, 1.0, 6)[:, None]


def texts(expressions: Sequence[Expression]) -> list[str]:
    return [str(expression) for expression in expressions]


def test_without_samples_the_greedy_formula_is_written() -> None:
    found = sample_formulas(Scripted(SCRIPT), some_points(), 1, 0, np.random.default_rng(0))
    assert texts(found) == ["x0 + 2.0"]


def test_samples_follow_the_probabilities_and_the_temperature() -> None:
    rng, model, ids = np.random.default_rng(0), Scripted(SCRIPT), some_points()
    hot = [sample_formulas(model, ids, 1, 1, rng, temperature=1.0) for _ in range(200)]
    counts = {text: sum(text in texts(found) for found in hot) / 200 for text in ("x0 + (-1.0)", "x0*x0")}
    assert counts["x0 + (-1.0)"] == pytest.approx(0.25, abs=0.08)
    assert counts["x0*x0"] == pytest.approx(0.1, abs=0.06)
    cold = sample_formulas(Scripted(SCRIPT), some_points(), 1, 200, rng, temperature=0.05)
    assert texts(cold) == ["x0 + 2.0"]


def test_equal_seeds_give_equal_samples(net: OfficialE2E) -> None:
    runs = [
        texts(
            propose(
                net, X1, X1[:, 0], np.random.default_rng(5), n_candidates=40, temperature=2.0, max_words=20
            )
        )
        for _ in range(2)
    ]
    assert runs[0] == runs[1]


def test_a_beam_gives_the_best_formulas_in_order() -> None:
    assert texts(beam_formulas(Scripted(SCRIPT), some_points(), 1, 3)) == ["x0 + 2.0", "x0 + (-1.0)", "x0*x0"]
    assert texts(beam_formulas(Scripted(SCRIPT), some_points(), 1, 1)) == ["x0 + 2.0"]


@pytest.mark.parametrize("decoding", ["sampling", "beam"])
def test_proposals_are_distinct_and_in_the_callers_units(decoding: str) -> None:
    X = 100.0 + 5.0 * X1
    found = propose(
        Scripted(SCRIPT),
        X,
        X1[:, 0],
        np.random.default_rng(0),
        bag_size=2,
        n_candidates=3,
        decoding=decoding,  # type: ignore[arg-type]
    )
    assert len(set(found)) == len(found)
    whitened = (X[:, 0] - X.mean()) / X.std()
    assert any(np.allclose(each.evaluate(X), whitened + 2.0) for each in found)
    plain = propose(Scripted(SCRIPT), X, X1[:, 0], np.random.default_rng(0), n_candidates=0, whiten=False)
    assert texts(plain) == ["x0 + 2.0"]


def test_bags_have_at_most_their_size_and_number() -> None:
    model, seen = Scripted(SCRIPT), []
    model.encode = lambda ids: seen.append(ids.shape[1]) or torch.zeros(1, 1, 8)  # type: ignore[method-assign,func-returns-value]
    X, y = np.random.default_rng(0).normal(size=(25, 2)), np.zeros(25)
    propose(model, X, y, np.random.default_rng(0), bag_size=10, n_candidates=1)
    assert seen == [10, 10, 5]
    seen.clear()
    propose(model, X, y, np.random.default_rng(0), bag_size=10, n_bags=2, n_candidates=1)
    assert seen == [10, 10]


def test_a_constant_column_is_only_shifted() -> None:
    X = np.column_stack([X1[:, 0], np.full(6, 7.0)])
    (found,) = propose(Scripted([("x_1", 1.0)]), X, X1[:, 0], np.random.default_rng(0), n_candidates=0)
    np.testing.assert_allclose(found.evaluate(X), 0.0)


def test_unwhitening_keeps_the_order_of_constants() -> None:
    expression = Expression(("add", "C", "mul", "x1", "C"), (2.0, 3.0))
    X = np.random.default_rng(0).normal(size=(5, 2))
    mean, deviation = np.array([1.0, 4.0]), np.array([2.0, 0.5])
    plain = unwhiten(expression, mean, deviation)
    np.testing.assert_allclose(plain.evaluate(X), expression.evaluate((X - mean) / deviation))
    assert plain.complexity == expression.complexity + 4


def test_decoding_stops_at_its_deadline_and_length() -> None:
    endless = Scripted([(" ".join(["add"] * 300), 1.0)])
    assert sample_formulas(endless, some_points(), 1, 5, np.random.default_rng(0), max_words=30) == []
    assert endless.steps == 30
    endless.steps = 0
    assert sample_formulas(endless, some_points(), 1, 5, np.random.default_rng(0), deadline=0.0) == []
    assert beam_formulas(endless, some_points(), 1, 2, deadline=0.0) == []
    assert endless.steps == 2
    assert propose(endless, X1, X1[:, 0], np.random.default_rng(0), deadline=0.0) == []
    assert endless.steps == 2


@pytest.mark.parametrize(
    "changes", [{"decoding": "annealing"}, {"temperature": 0.0}, {"X": np.zeros((6, 11))}]
)
def test_settings_that_make_no_sense_are_errors(changes: dict[str, object]) -> None:
    arguments = {"X": X1, "y": X1[:, 0], "rng": np.random.default_rng(0), **changes}
    with pytest.raises(InputError):
        propose(Scripted(SCRIPT), **arguments)  # type: ignore[arg-type]
