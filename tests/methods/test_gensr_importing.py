"""From a checkpoint of GenSR's authors' layout to weights that the search runs on, and every deviation."""

from __future__ import annotations

import json
import pickle
import sys

import numpy as np
import pytest
import torch

from srbench_ext.cli import main
from srbench_ext.errors import ConfigError, InputError, UnknownNameError, WeightsError
from srbench_ext.inventory import WeightsFile, check_weights, import_sources, import_weights
from srbench_ext.latent import LatentSpace
from srbench_ext.methods.gensr.importing import load_size
from srbench_ext.models.official.e2e_words import (
    FORMULA_IDS,
    FORMULA_WORDS,
    POINT_IDS,
    POINT_WORDS,
    point_ids,
)
from srbench_ext.models.official.errors import CheckpointError, ForbiddenNameError, LayoutError
from srbench_ext.models.official.latent import LatentConfig, OfficialLatent
from srbench_ext.models.official.latent_importing import load_latent
from srbench_ext.models.official.latent_space import OfficialSpace
from srbench_ext.registry import create, track_of

WORDS = (
    "add", "+", "N0001", "E0", "add", "mul", "+", "N0002", "E0", "x_0", "mul", "-", "N0003", "E0", "x_1",
)  # fmt: skip
"""1 + (2 * x_0 - 3 * x_1), in what the network sees."""
FEW = {
    "n_noisy": 2,
    "n_perturbed": 2,
    "population": 5,
    "parents": 2,
    "max_generations": 1,
    "max_seconds": 300,
}


@pytest.fixture(autouse=True)
def _forget():
    yield
    load_latent.cache_clear()


@pytest.fixture(scope="module")
def original(files):
    return files.lookalike()


@pytest.fixture(scope="module")
def imported(files, original, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gensr")
    return import_weights("gensr", files.save(files.gensr_file(original), folder / "c.pth"), folder / "out")[
        0
    ]


@pytest.fixture(scope="module")
def written(files, tmp_path_factory):
    """Weights of a network that writes one formula."""
    folder = tmp_path_factory.mktemp("writer")
    path = files.save(files.gensr_file(files.writer(WORDS)), folder / "c.pth")
    return import_weights("gensr", path, folder)[0]


def plane(n_rows=120, seed=0):
    X = np.random.default_rng(seed).uniform(-3, 9, (n_rows, 2))
    return X, 0.5 * X[:, 0] - 4.0 * X[:, 1] + 3.0


def tables(n_rows=9, n_tables=2):
    rng = np.random.default_rng(0)
    return [(rng.normal(size=(n_rows, 3)), rng.normal(size=n_rows)) for _ in range(n_tables)]


# ---------------------------------------------------------------- sizes
@pytest.mark.parametrize(("name", "millions"), [("checkpoint", 167.8), ("paper", 134.2)])
def test_the_official_sizes_have_the_official_parameter_counts(name, millions):
    with torch.device("meta"):
        model = OfficialLatent(load_size(name))
    n = sum(p.numel() for p in model.parameters())
    assert round(n / 1e6, 1) == millions
    if name == "checkpoint":
        assert n == 167_798_005
        assert round(4 * n / 2**20) in (640, 641)  # MiB: the published file
        without_table = n - model.token_embed.weight.numel()
        assert round(without_table / 1e6, 1) == 162.5
        assert load_size(name) == LatentConfig()


def test_every_part_has_the_size_that_its_layers_give():
    with torch.device("meta"):
        model = OfficialLatent(LatentConfig())
    parts = {name: sum(p.numel() for p in part.parameters()) for name, part in model.named_children()}
    heads = parts.pop("prior_fc") + parts.pop("post_fc")
    assert parts.pop("encoder") + heads == 28_893_697
    assert parts == {
        "embedder": 6_198_464,
        "token_embed": 5_269_504,
        "mapper": 52_793_856,
        "decoder": 74_642_484,
    }


def test_impossible_sizes_are_refused():
    with pytest.raises(UnknownNameError, match="tiny"):
        load_size("tiny")
    with pytest.raises(ConfigError, match="one width"):
        LatentConfig(decoder_width=256)
    with pytest.raises(ConfigError, match="as wide as its encoder"):
        LatentConfig(latent=256)
    with pytest.raises(ConfigError, match="depth"):
        LatentConfig.from_dict({"depth": 3})


# ---------------------------------------------------------------- words
def test_the_ids_are_those_of_the_specification():
    assert (len(POINT_WORDS), len(FORMULA_WORDS), len(set(FORMULA_WORDS))) == (10_218, 10_292, 10_277)
    points = {"<PAD>": 8, "+": 15, "-": 16, "E-1": 17, "E-10": 18, "E-100": 19, "E-11": 20, "N0000": 218}
    assert {word: POINT_IDS[word] for word in points} == points
    assert POINT_IDS["N9999"] == 10_217
    formulas = {
        "<EOS>": 74, "<PAD>": 82, "+": 89, "-": 90, "E-3": 114, "E0": 191, "N0000": 292, "N9999": 10_291,
        "-1": 15, "CONSTANT": 36, "abs": 41, "add": 42, "pow": 55, "x_0": 63, "x_9": 72, "|": 73,
    }  # fmt: skip
    assert {word: FORMULA_IDS[word] for word in formulas} == formulas


# ---------------------------------------------------------------- importing
@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_imported_weights_compute_what_torchs_own_functions_compute(files, original, legacy, tmp_path):
    content = files.gensr_file(original)
    path, card = import_weights("gensr", files.save(content, tmp_path / "c.pth", legacy=legacy), tmp_path)
    model, read = load_latent(path)
    assert read == json.loads(json.dumps(card))
    ids = torch.from_numpy(np.stack([point_ids(X, y) for X, y in tables()]))
    mean, log_variance = original.prior(ids)
    for found, expected in zip(model.place(ids), (mean, log_variance), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    words = torch.randint(0, len(FORMULA_WORDS), (2, 7))
    logits, _ = model.decode(words, model.memory_keys(model.memory_of(mean)))
    torch.testing.assert_close(logits, original.logits(mean, words), rtol=1e-4, atol=1e-4)
    assert card["parameters"] == sum(p.numel() for p in original.parameters())  # the tied one once


def test_word_by_word_is_the_same_as_all_at_once_for_several_rows_of_several_points(imported, original):
    model, _ = load_latent(imported)
    z, words = torch.randn(3, model.config.latent), torch.randint(0, len(FORMULA_WORDS), (6, 5))
    keys, past, found = model.memory_keys(model.memory_of(z)), None, []
    for i in range(5):
        logits, past = model.decode(words[:, i : i + 1], keys, past)
        found.append(logits)
    expected = original.logits(z.repeat_interleave(2, 0), words)
    torch.testing.assert_close(torch.cat(found, 1), expected, rtol=1e-4, atol=1e-4)


def test_the_card_says_what_the_file_says(imported, files):
    card = json.loads(imported.with_suffix(".json").read_text())
    assert (card["layout"], card["track"], card["dtype"]) == ("gensr-official", "official", "float32")
    assert card["model"] == {
        "word_width": files.WORD_WIDTH,
        "point_layers": 1,
        "encoder_width": files.WIDTH,
        "encoder_layers": 2,
        "encoder_heads": files.HEADS,
        "encoder_hidden": files.HIDDEN,
        "decoder_width": files.WIDTH,
        "decoder_layers": 3,
        "decoder_heads": files.HEADS,
        "decoder_hidden": files.HIDDEN,
        "positions": files.POSITIONS,
        "latent": files.WIDTH,
        "slots": files.SLOTS,
        "encoder_positions": files.ROWS,
        "variational": True,
    }
    assert card["settings"] == {
        "float_precision": 3,
        "mantissa_len": 1,
        "max_exponent": 100,
        "max_input_dimension": 10,
        "max_output_dimension": 1,
        "use_skeleton": False,
        "epoch": 499,
        "n_total_iter": 1_000_000,
        "n_enc_heads": files.HEADS,
        "n_dec_heads": files.HEADS,
    }
    assert card["source"]["file"] == "c.pth"
    assert card["words_checked"] is False


def test_the_self_test_is_what_the_network_writes(written):
    card = json.loads(written.with_suffix(".json").read_text())
    assert "x0" in card["self_test"]
    assert "x1" in card["self_test"]


@pytest.mark.parametrize("earlier", ["latent_bridge", "mapper"])
def test_earlier_names_and_the_prefix_of_parallel_training_are_understood(files, original, earlier, tmp_path):
    content = files.gensr_file(original, prefix="module.")
    content[earlier] = content.pop("feature_fusion")
    path, card = import_weights("gensr", files.save(content, tmp_path / "c.pth"), tmp_path)
    assert card["parameters"] == sum(p.numel() for p in original.parameters())
    state = load_latent(path)[0].state_dict()
    assert torch.equal(state["mapper.linear1.weight"], original.feature_fusion.expand_proj.weight)


def test_heads_are_the_published_ones_where_the_settings_do_not_say_them(files, original, tmp_path):
    params = {k: v for k, v in files.PARAMS.items() if not k.endswith("heads")}
    with pytest.raises(LayoutError, match="n_enc_heads: got 16; allowed: a number that divides 24"):
        import_weights(
            "gensr",
            files.save(files.gensr_file(original, params=params), tmp_path / "c.pth"),
            tmp_path / "out",
        )


def test_imported_weights_pass_the_check_and_altered_ones_do_not(imported, tmp_path):
    assert check_weights(WeightsFile("mine", imported, "imported")) == []
    card = json.loads(imported.with_suffix(".json").read_text())
    (tmp_path / "gensr-official.safetensors").write_bytes(imported.read_bytes())
    card["model"]["slots"] += 1
    (tmp_path / "gensr-official.json").write_text(json.dumps(card))
    (fault,) = check_weights(WeightsFile("mine", tmp_path / "gensr-official.safetensors", "imported"))
    assert "another shape" in fault
    with pytest.raises(WeightsError, match="do not fit the sizes"):
        load_latent(tmp_path / "gensr-official.safetensors")


def test_gensr_is_a_source():
    assert {"e2e", "gensr", "nesymres", "snip"} <= set(import_sources())


# ---------------------------------------------------------------- deviations
def drop(part, name):
    return lambda content: content[part].pop(name)


def put(part, name, value):
    return lambda content: content[part].update({name: value})


def setting(name, value):
    return lambda content: content["params"].update({name: value})


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda c: c.pop("cvae"), "no cvae"),
        (lambda c: c.pop("feature_fusion"), "no feature_fusion"),
        (drop("cvae", "transformer.ff_norm.1.bias"), r"lacks: got 1: cvae\.transformer\.ff_norm\.1\.bias"),
        (drop("cvae", "prior_fc.weight"), r"lacks: got 1: cvae\.prior_fc\.weight"),
        (drop("seq_decoder", "lm_head.bias"), r"seq_decoder\.lm_head\.bias"),
        (drop("seq_decoder", "pos_embed.weight"), r"seq_decoder\.pos_embed\.weight: got None"),
        (put("cvae", "extra", torch.zeros(2)), r"has more: got 1: cvae\.extra"),
        (put("seq_decoder", "self_attn.0.attention_scale", torch.zeros(())), "attention_scale"),
        (put("data_encoder", "digit_embed.weight", torch.zeros(10_217, 2)), "10217; allowed: 10218 words"),
        (put("token_embed", "weight", torch.zeros(10_291, 24)), "10291; allowed: 10292 words"),
        (put("seq_decoder", "tok_embed.weight", torch.zeros(9, 24)), "9; allowed: 10292 words"),
        (put("feature_fusion", "expand_proj.weight", torch.zeros(121, 24)), "24, 24, 24 and 121"),
        (put("feature_fusion", "expand_proj.weight", torch.zeros(120, 23)), "24, 24, 23 and 120"),
        (put("cvae", "transformer.pool_attn.0.weight", torch.zeros(2, 24)), r"\(2, 24\) for \(1, 24\)"),
        (put("cvae", "prior_fc.bias", torch.zeros(48, dtype=torch.float16)), "float16"),
        (put("cvae", "prior_fc.bias", torch.full((48,), float("inf"))), "not finite"),
        (put("cvae", "prior_fc.bias", "fifty"), "allowed: a tensor"),
        (put("seq_decoder", "lm_head.weight", torch.zeros(10_292, 24)), "other numbers"),
        (setting("n_enc_heads", 5), "n_enc_heads: got 5"),
        (setting("n_dec_heads", "4"), "n_dec_heads"),
        (setting("max_input_dimension", 3), "max_input_dimension: got 3; allowed: 10"),
        (setting("use_skeleton", True), "use_skeleton"),
    ],
)
def test_a_checkpoint_that_deviates_is_refused_by_name(files, original, change, match, tmp_path):
    content = files.gensr_file(original)
    change(content)
    with pytest.raises(LayoutError, match=match) as refused:
        import_weights("gensr", files.save(content, tmp_path / "c.pth"), tmp_path / "out")
    assert refused.value.fix
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("value", [[1, 2], {"epoch": 3}, torch.zeros(2)], ids=["list", "mapping", "tensor"])
def test_another_object_is_refused(files, value, tmp_path):
    with pytest.raises(LayoutError):
        import_weights("gensr", files.save(value, tmp_path / "c.pth"), tmp_path / "out")


@pytest.mark.parametrize("place", ["params", "cvae", "optimizer"])
@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_a_file_that_tries_to_run_something_is_refused_and_runs_nothing(
    files, original, place, legacy, tmp_path
):
    witness = tmp_path / "witness"
    content = files.gensr_file(original)
    content[place] = {**content[place], "evil": files.Runs(f"touch {witness}")}
    path = files.save(content, tmp_path / "c.pth", legacy=legacy)
    with pytest.raises(ForbiddenNameError, match="system"):
        import_weights("gensr", path, tmp_path / "out")
    assert not witness.exists()
    assert not (tmp_path / "out").exists()


def test_a_bare_pickle_that_runs_something_is_refused(files, tmp_path):
    witness = tmp_path / "witness"
    (tmp_path / "c.pth").write_bytes(pickle.dumps(files.Runs(f"touch {witness}"), protocol=2))
    with pytest.raises(CheckpointError):
        import_weights("gensr", tmp_path / "c.pth", tmp_path / "out")
    assert not witness.exists()


@pytest.mark.parametrize("share", [0.2, 0.999])
def test_a_truncated_file_is_refused(files, original, share, tmp_path):
    path = files.save(files.gensr_file(original), tmp_path / "c.pth")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(CheckpointError):
        import_weights("gensr", path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command_prints_what_was_imported(files, written, monkeypatch, capsys, tmp_path):
    path = files.save(files.gensr_file(files.writer(WORDS)), tmp_path / "checkpoint.pth")
    arguments = ["weights", "import", "gensr", str(path), "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", ["srbench-ext", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == 0
    printed = capsys.readouterr().out
    assert str(tmp_path / "out" / "gensr-official.safetensors") in printed
    assert "Self-test" in printed


# ---------------------------------------------------------------- the space
def space_of(path, X=None, **options):
    return OfficialSpace(load_latent(path)[0], 2, np.random.default_rng(0), columns=X, **options)


def test_it_is_a_latent_space_that_whitens_columns_and_leaves_the_target(imported, original):
    X, y = plane()
    space = space_of(imported, X)
    assert isinstance(space, LatentSpace)
    means, log_variances = space.encode([(X[:9], y[:9]), (X[9:18], y[9:18])])
    assert means.shape == log_variances.shape == (2, space.dimension)
    whitened = (X - X.mean(axis=0)) / X.std(axis=0)
    mean, log_variance = original.prior(torch.from_numpy(point_ids(whitened[9:18], y[9:18]))[None])
    np.testing.assert_allclose(means[1], mean[0].numpy(), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(log_variances[1], log_variance[0].numpy(), rtol=1e-3, atol=1e-5)


def test_formulas_are_written_back_to_the_columns_unless_asked_not_to(written):
    from srbench_ext.search.form import expression_of

    X, y = plane()
    for unscale, columns in ((True, (X - X.mean(axis=0)) / X.std(axis=0)), (False, X)):
        space = space_of(written, X, unscale=unscale)
        ((formula,),) = space.decode(space.encode([(X[:50], y[:50])])[0])
        expected = 1.0 + columns @ np.array([2.0, -3.0])
        np.testing.assert_allclose(expression_of(formula).evaluate(X), expected, rtol=1e-9, atol=1e-9)


def test_samples_are_sorted_by_how_often_they_were_drawn(files, tmp_path):
    model = files.writer(("x_0",))
    with torch.no_grad():  # x_1 is drawn too, less often
        model.seq_decoder.tok_embed.weight[FORMULA_IDS["x_1"], 0] += 1.9
    path, _ = import_weights("gensr", files.save(files.gensr_file(model), tmp_path / "c.pth"), tmp_path)
    space = space_of(path)
    found = space.decode(np.zeros((20, space.dimension)), n_samples=50, temperature=0.5)
    assert {row[0] for row in found} <= {("x0",), ("x1",)}
    assert sum(row[0] == ("x0",) for row in found) > 10
    assert any(len(row) == 2 for row in found)
    assert all(len(row) <= 2 for row in found)
    assert space.decode(np.zeros((2, space.dimension)), n_samples=9) == [[("x0",)], [("x0",)]]


def test_points_whose_formulas_end_early_do_not_disturb_the_others(files, tmp_path):
    path, _ = import_weights(
        "gensr", files.save(files.gensr_file(files.babbler()), tmp_path / "c.pth"), tmp_path
    )
    space = space_of(path, max_words=12)
    z = np.random.default_rng(1).normal(size=(60, space.dimension)) * 3
    together = space.decode(z)
    assert together == [space.decode(row[None])[0] for row in z]
    assert len({len(formula) for row in together for formula in row}) > 1  # they end at several places
    assert [] in together  # some never do


def test_a_deadline_leaves_points_without_formulas(written):
    space = space_of(written)
    assert space.decode(np.zeros((3, space.dimension)), deadline=0.0) == [[], [], []]


def test_more_rows_than_positions_are_refused(imported):
    X = np.ones((211, 1))
    with pytest.raises(InputError, match="lower bag_size"):
        space_of(imported).encode([(X, X[:, 0])])


# ---------------------------------------------------------------- the method
@pytest.mark.parametrize("name", ["gensr", "gensr@official", "gensr@official-weights"])
def test_what_the_imported_network_writes_is_fitted_in_the_callers_units(written, name):
    X, y = plane()
    method = create(name, weights=str(written), temperature=0.1, **FEW).fit(X, y)
    X_new, y_new = plane(seed=1)
    np.testing.assert_allclose(method.predict(X_new), y_new, rtol=1e-6, atol=1e-6)
    assert method.result_.counts["decoded"] > 0
    assert "weights_examples" not in method.result_.notes
    assert method.weights_sha256 == json.loads(written.with_suffix(".json").read_text())["sha256"]


@pytest.mark.parametrize("optimiser", ["grey-wolf", "separable-cma", "official-es", "random", "none"])
def test_every_optimiser_searches_the_authors_space(imported, optimiser):
    X, y = plane()
    y = y + np.random.default_rng(1).normal(size=len(y))
    parameters = {**FEW, "max_generations": None, "max_decodes": 12, "optimiser": optimiser}
    method = create("gensr@official-weights", weights=str(imported), **parameters).fit(X, y)
    assert method.result_.counts["decoded"] == 12


def test_the_preset_finds_the_imported_file_in_the_users_folder(written, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match="weights import gensr FILE"):
        create("gensr@official-weights").fit(*plane())
    folder = tmp_path / "srbench-ext" / "weights"
    folder.mkdir(parents=True)
    for suffix in (".safetensors", ".json"):
        (folder / f"gensr-official{suffix}").write_bytes(written.with_suffix(suffix).read_bytes())
    assert create("gensr@official-weights", **FEW).fit(*plane()).score(*plane(seed=2)) > 0.999


def test_runs_on_the_authors_weights_are_of_the_official_track():
    assert track_of("gensr@official-weights") == "official"
    assert track_of("gensr@official") == track_of("gensr") != "official"


def test_the_study_gets_skeletons_of_the_authors_space(written):
    from srbench_ext.latent_study import open_spaces

    name = "gensr@official-weights"
    (space,), _ = open_spaces([name], (2,), parameters={name: {"weights": str(written)}})
    (skeleton,) = space.decode(np.zeros((1, space.any_opened.dimension)), 2)
    assert skeleton == ("add", "C", "add", "mul", "C", "x0", "mul", "C", "x1")
    assert space.facts["track"] == "official"
    assert space.method.health(8) == {}
