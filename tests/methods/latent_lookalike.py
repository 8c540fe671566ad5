"""Checkpoints with the layouts of GenSR's and SNIP's, small, from modules of our own on torch's functions.

They compute as the papers and the released code describe it, and bear GenSR's names; SNIP's file gets E2E's.
"""

from __future__ import annotations

import math
import os

import numpy as np
import torch
from torch import nn

from srbench_ext.models.official.e2e_words import FORMULA_IDS, FORMULA_WORDS, POINT_WORDS

WIDTH, HEADS, HIDDEN, WORD_WIDTH, SLOTS = 24, 4, 12, 2, 5
POSITIONS, ROWS = 64, 210
PARAMS = {
    "float_precision": 3,
    "mantissa_len": 1,
    "max_exponent": 100,
    "max_input_dimension": 10,
    "max_output_dimension": 1,
    "use_skeleton": False,
    "n_enc_heads": HEADS,
    "n_dec_heads": HEADS,
    "dump_path": "run",
}


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        for name in ("query_proj", "key_proj", "value_proj", "out_proj"):
            setattr(self, name, nn.Linear(WIDTH, WIDTH))

    def forward(self, x, memory, causal=False):
        q, k, v = self.query_proj(x), self.key_proj(memory), self.value_proj(memory)
        q, k, v = (each.unflatten(-1, (HEADS, -1)).transpose(1, 2) for each in (q, k, v))
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal)
        return self.out_proj(mixed.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc_in, self.fc_out = nn.Linear(WIDTH, HIDDEN), nn.Linear(HIDDEN, WIDTH)

    def forward(self, x):
        return self.fc_out(torch.relu(self.fc_in(x)))


def norm():
    return nn.LayerNorm(WIDTH, eps=1e-12)


def several(make, n):
    return nn.ModuleList(make() for _ in range(n))


class Bottleneck(nn.Module):
    def __init__(self):
        super().__init__()
        self.compress = nn.Linear(WIDTH, WIDTH)


class Encoder(nn.Module):
    def __init__(self, n_layers=2):
        super().__init__()
        self.pos_embed = nn.Embedding(ROWS, WIDTH)
        self.input_norm = norm()
        self.self_attn, self.attn_norm = several(Attention, n_layers), several(norm, n_layers)
        self.feed_forward, self.ff_norm = several(FeedForward, n_layers), several(norm, n_layers)
        self.pool_attn = nn.Sequential(nn.Linear(WIDTH, 1), nn.Softmax(dim=1))
        self.bottleneck = Bottleneck()
        self.latent_proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        x = self.input_norm(x + self.pos_embed(torch.arange(x.shape[1])))
        for attention, norm1, feed, norm2 in zip(
            self.self_attn, self.attn_norm, self.feed_forward, self.ff_norm, strict=True
        ):
            x = norm1(x + attention(x, x))
            x = norm2(x + feed(x))
        weights = self.pool_attn(x)  # (B, N, 1)
        return self.bottleneck.compress(torch.einsum("bni,bnd->bd", weights, x))


class Decoder(nn.Module):
    def __init__(self, n_layers=3):
        super().__init__()
        self.pos_embed = nn.Embedding(POSITIONS, WIDTH)
        self.tok_embed = nn.Embedding(len(FORMULA_WORDS), WIDTH)
        self.input_norm = norm()
        self.self_attn, self.attn_norm = several(Attention, n_layers), several(norm, n_layers)
        self.cross_attn, self.cross_norm = several(Attention, n_layers), several(norm, n_layers)
        self.feed_forward, self.ff_norm = several(FeedForward, n_layers), several(norm, n_layers)
        self.lm_head = nn.Linear(WIDTH, len(FORMULA_WORDS))
        self.lm_head.weight = self.tok_embed.weight

    def forward(self, ids, memory):
        x = self.input_norm(self.tok_embed(ids) + self.pos_embed(torch.arange(ids.shape[1])))
        for i in range(len(self.self_attn)):
            x = self.attn_norm[i](x + self.self_attn[i](x, x, causal=True))
            x = self.cross_norm[i](x + self.cross_attn[i](x, memory))
            x = self.ff_norm[i](x + self.feed_forward[i](x))
        return self.lm_head(x)


class Embedder(nn.Module):
    def __init__(self):
        super().__init__()
        self.digit_embed = nn.Embedding(len(POINT_WORDS), WORD_WIDTH)
        self.mlp_layers = nn.ModuleList([nn.Linear(33 * WORD_WIDTH, 33 * WORD_WIDTH)])
        self.out_linear = nn.Linear(33 * WORD_WIDTH, WIDTH)

    def forward(self, ids):
        return self.out_linear(torch.relu(self.mlp_layers[0](self.digit_embed(ids).flatten(2))))


class CVAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.transformer = Encoder()
        self.prior_fc, self.post_fc = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(WIDTH, 2 * WIDTH)


class Fusion(nn.Module):
    def __init__(self):
        super().__init__()
        self.expand_proj, self.refine_proj = nn.Linear(WIDTH, SLOTS * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, z):
        return self.refine_proj(torch.relu(self.expand_proj(z)).view(-1, SLOTS, WIDTH))


class Lookalike(nn.Module):
    def __init__(self):
        super().__init__()
        self.data_encoder, self.cvae, self.feature_fusion = Embedder(), CVAE(), Fusion()
        self.token_embed = nn.Embedding(len(FORMULA_WORDS), WIDTH)
        self.seq_decoder = Decoder()

    def encode(self, ids):
        return self.cvae.transformer(self.data_encoder(ids))

    def prior(self, ids):
        return self.cvae.prior_fc(self.encode(ids)).split(WIDTH, dim=-1)

    def logits(self, z, words):
        return self.seq_decoder(words, self.feature_fusion(z))


def lookalike(seed=0):
    torch.manual_seed(seed)
    model = Lookalike()
    with torch.no_grad():
        for (
            name,
            parameter,
        ) in model.named_parameters():  # biases start at zero, norms at one: swaps go unseen
            spread = 0.3 if "norm" in name or parameter.ndim == 1 else 1.0 / math.sqrt(parameter.shape[-1])
            parameter.normal_(1.0 if "norm" in name and name.endswith("weight") else 0.0, spread)
    return model.eval().requires_grad_(False)


def writer(words):
    """A network that writes these words whatever it is shown: its positions alone decide."""
    model = lookalike()
    decoder = model.seq_decoder
    for name, parameter in decoder.named_parameters():
        parameter.fill_(1.0 if "norm" in name and name.endswith("weight") else 0.0)
    for place, word in enumerate(words):
        decoder.pos_embed.weight[place, place] = 10.0
        decoder.tok_embed.weight[FORMULA_IDS[word], place] += 2.0
    return model


def babbler():
    """A network whose latent points decode to formulas of several lengths, and some to none."""
    model = lookalike(seed=1)
    decoder = model.seq_decoder
    for word in ("x_0", "x_1", "sin", "add", "mul", "3"):
        decoder.lm_head.bias[FORMULA_IDS[word]] += 12.0
    for layer in decoder.cross_attn:
        layer.value_proj.weight.mul_(8.0)
        layer.query_proj.weight.mul_(8.0)
    decoder.pos_embed.weight.mul_(3.0)
    return model


PARTS = ("data_encoder", "cvae", "token_embed", "seq_decoder", "feature_fusion")


def gensr_file(model, *, prefix="", **changes):
    """The mapping that GenSR's training writes, optimiser included."""
    states = {
        part: {f"{prefix}{k}": v for k, v in getattr(model, part).state_dict().items()} for part in PARTS
    }
    others = {
        "epoch": 499,
        "n_total_iter": 1_000_000,
        "best_metrics": {"_mse": np.float64(0.5)},
        "best_stopping_criterion": None,
        "params": {**PARAMS, "device": torch.device("cpu")},
        "current_vae_losses": {"kl_loss": 1.5},
        "optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 1e-4}]},
        "scaler": {"scale": 65536.0},
    }
    return {**others, **states, **changes}


_E2E_WORDS = {
    "digit_embed": "embeddings", "tok_embed": "embeddings", "pos_embed": "position_embeddings",
    "input_norm": "layer_norm_emb", "self_attn": "attentions", "attn_norm": "layer_norm1",
    "cross_attn": "encoder_attn", "cross_norm": "layer_norm15", "feed_forward": "ffns",
    "ff_norm": "layer_norm2", "query_proj": "q_lin", "key_proj": "k_lin", "value_proj": "v_lin",
    "out_proj": "out_lin", "fc_in": "lin1", "fc_out": "lin2", "lm_head": "proj",
    "pool_attn": "glob_attn_module", "bottleneck": "bottleneck_module", "compress": "fc1",
    "latent_proj": "z_projection", "mlp_layers": "hidden_layers", "out_linear": "fc",
    "expand_proj": "linear1", "refine_proj": "linear2",
}  # fmt: skip


def renamed(state):
    """The same state dict with the words of E2E and SNIP."""
    return {".".join(_E2E_WORDS.get(piece, piece) for piece in k.split(".")): v for k, v in state.items()}


def snip_file(model, **changes):
    """The mapping that SNIP's training for symbolic regression writes."""
    parts = {
        "embedder": model.data_encoder,
        "encoder_y": model.cvae.transformer,
        "decoder": model.seq_decoder,
        "mapper": model.feature_fusion,
    }
    states = {part: renamed(module.state_dict()) for part, module in parts.items()}
    return {"epoch": 3, "n_total_iter": 3000, "best_metrics": {}, "params": PARAMS, **states, **changes}


def save(content, path, *, legacy=False):
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path


class Runs:
    """Pickled, it would make a file when it is loaded."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)
