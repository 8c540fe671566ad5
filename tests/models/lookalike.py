"""A checkpoint with the layout of E2E's ``model1.pt``, small, from classes of our own that bear its names.

The classes are importable under those names only inside of :func:`installed`, where the file is written;
reading has to do without.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import sympy
import torch
from torch import nn

from srbench_ext.models.official.e2e_words import FORMULA_WORDS, POINT_WORDS

WIDTH, HEADS, HIDDEN, WORD_WIDTH, POSITIONS = 8, 2, 12, 2, 210


class MultiHeadAttention(nn.Module):
    def __init__(self, memory_width: int = WIDTH) -> None:
        super().__init__()
        self.q_lin = nn.Linear(WIDTH, WIDTH)
        self.k_lin = nn.Linear(memory_width, WIDTH)
        self.v_lin = nn.Linear(memory_width, WIDTH)
        self.out_lin = nn.Linear(WIDTH, WIDTH)
        self.cache: Any = None


class TransformerFFN(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lin1 = nn.Linear(WIDTH, HIDDEN)
        self.midlin = nn.ModuleList()
        self.lin2 = nn.Linear(HIDDEN, WIDTH)


class TransformerModel(nn.Module):
    def __init__(self, n_layers: int, *, is_decoder: bool) -> None:
        super().__init__()
        self.n_heads, self.n_layers, self.is_decoder = HEADS, n_layers, is_decoder
        self.id2word = dict(enumerate(FORMULA_WORDS))
        if is_decoder:
            self.position_embeddings = nn.Embedding(POSITIONS, WIDTH)
            self.embeddings = nn.Embedding(len(FORMULA_WORDS), WIDTH, padding_idx=82)
        self.layer_norm_emb = nn.LayerNorm(WIDTH, eps=1e-12)
        self.attentions = nn.ModuleList(MultiHeadAttention() for _ in range(n_layers))
        self.layer_norm1 = nn.ModuleList(nn.LayerNorm(WIDTH, eps=1e-12) for _ in range(n_layers))
        self.ffns = nn.ModuleList(TransformerFFN() for _ in range(n_layers))
        self.layer_norm2 = nn.ModuleList(nn.LayerNorm(WIDTH, eps=1e-12) for _ in range(n_layers))
        if is_decoder:
            self.layer_norm15 = nn.ModuleList(nn.LayerNorm(WIDTH, eps=1e-12) for _ in range(n_layers))
            self.encoder_attn = nn.ModuleList(MultiHeadAttention() for _ in range(n_layers))
            self.proj = nn.Linear(WIDTH, len(FORMULA_WORDS))
            self.proj.weight = self.embeddings.weight


class LinearPointEmbedder(nn.Module):
    def __init__(self, env: Any, params: Namespace) -> None:
        super().__init__()
        self.env, self.params = env, params
        self.embeddings = nn.Embedding(len(POINT_WORDS), WORD_WIDTH, padding_idx=8)
        self.activation_fn = nn.functional.relu
        self.hidden_layers = nn.ModuleList([nn.Linear(33 * WORD_WIDTH, 33 * WORD_WIDTH)])
        self.fc = nn.Linear(33 * WORD_WIDTH, WIDTH)

    def words(self) -> None:
        """Only its being bound matters: it is pickled as a getattr."""


class FunctionEnvironment:
    def __init__(self, params: Namespace) -> None:
        self.params = params
        self.float_id2word = dict(enumerate(POINT_WORDS))
        self.rng = np.random.RandomState(0)
        self.simplifier = Simplifier()
        self.counts: defaultdict[str, float] = defaultdict(float, a=1.0)
        self.symbols = {"add", "mul"}
        self.half = partial(sympy.Symbol, "x")
        self.device, self.dtype = torch.device("cpu"), torch.float32


class Simplifier:
    def __init__(self) -> None:
        self.local_dict = {"n": sympy.Symbol("n", integer=True), "pi": sympy.pi, "asin": sympy.asin}
        self.table = np.arange(3.0)


class ModelWrapper(nn.Module):
    def __init__(self, params: Namespace, encoder_layers: int, decoder_layers: int) -> None:
        super().__init__()
        self.env = FunctionEnvironment(params)
        self.embedder = LinearPointEmbedder(self.env, params)
        self.env.words = self.embedder.words  # type: ignore[attr-defined]
        self.encoder = TransformerModel(encoder_layers, is_decoder=False)
        self.decoder = TransformerModel(decoder_layers, is_decoder=True)
        self.beam_type, self.beam_size, self.beam_temperature = "sampling", 10, 0.1


_PLACES = {
    "symbolicregression.model.transformer": (MultiHeadAttention, TransformerFFN, TransformerModel),
    "symbolicregression.model.embedders": (LinearPointEmbedder,),
    "symbolicregression.model.model_wrapper": (ModelWrapper,),
    "symbolicregression.envs.environment": (FunctionEnvironment,),
    "symbolicregression.envs.simplifiers": (Simplifier,),
}


@contextmanager
def installed() -> Iterator[None]:
    """Let the classes be importable, and pickled, under the authors' names."""
    modules = {name: ModuleType(name) for name in ("symbolicregression", *_PLACES)}
    for name, classes in _PLACES.items():
        modules[name].__file__ = __file__  # the legacy format stores a class's source
        for each in classes:
            each.__module__ = name
            setattr(modules[name], each.__name__, each)
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in modules:
            del sys.modules[name]
        for classes in _PLACES.values():
            for each in classes:
                each.__module__ = __name__


def settings(**changes: Any) -> Namespace:
    """Return the authors' settings, as far as they decide something."""
    values = {
        "float_precision": 3,
        "mantissa_len": 1,
        "max_exponent": 100,
        "max_input_dimension": 10,
        "max_output_dimension": 1,
        "use_skeleton": False,
        "n_enc_heads": HEADS,
        "n_dec_heads": HEADS,
    }
    return Namespace(**{**values, **changes})


def wrapper(seed: int = 0, params: Namespace | None = None) -> ModelWrapper:
    """Return a small random network."""
    torch.manual_seed(seed)
    return ModelWrapper(settings() if params is None else params, encoder_layers=1, decoder_layers=2)


def save(model: object, path: Path, *, legacy: bool = False) -> Path:
    """Write a checkpoint as the authors' program did."""
    with installed():
        torch.save(model, path, _use_new_zipfile_serialization=not legacy)
    return path


def training_checkpoint(model: ModelWrapper, *, prefix: str = "") -> dict[str, Any]:
    """Return the mapping of state dicts that training writes."""
    parts = {
        part: {f"{prefix}{k}": v for k, v in getattr(model, part).state_dict().items()}
        for part in ("embedder", "encoder", "decoder")
    }
    return {"epoch": 3, "params": vars(settings()), "best_metrics": {"loss": 1.5}, **parts}
