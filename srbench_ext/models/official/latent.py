"""The networks with a latent space that GenSR's and SNIP's authors released: one network, two files.

Points become one latent point: E2E's embedder, a deeper encoder, attention pooling. A latent point becomes
200 vectors that E2E's decoder attends to. In GenSR's the table gives a Gaussian over the latent space, the
prior. Parameters bear the names of E2E's and SNIP's files. (Li et al., ICLR 2026; Meidani et al., ICLR 2024.)

Layers that only training needs are there, so that network and file are one: GenSR's posterior, with its table
of words, and a projection that neither network uses.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from srbench_ext.errors import ConfigError
from srbench_ext.models.official.e2e import Decoder, E2EConfig, Embedder, Encoder, Past
from srbench_ext.models.official.e2e_words import FORMULA_WORDS

__all__ = ["LatentConfig", "OfficialLatent"]


@dataclass(frozen=True, slots=True)
class LatentConfig(E2EConfig):
    """Sizes; the defaults are those of GenSR's published checkpoint, with 167,798,005 parameters.

    Attributes
    ----------
    latent : int
        Dimensions L of the latent space.
    slots : int
        Vectors that a latent point is expanded to.
    encoder_positions : int
        Most rows of a table; 0 for an encoder without positions, which takes any number.
    variational : bool
        Whether there are prior and posterior: GenSR's.

    Raises
    ------
    ConfigError
        If encoder and decoder differ in width, or prior and posterior have another width to read than the
        latent space.
    """

    encoder_layers: int = 8
    latent: int = 512
    slots: int = 200
    encoder_positions: int = 4096
    variational: bool = True

    def __post_init__(self) -> None:
        """Check what has to fit together."""
        E2EConfig.__post_init__(self)  # super() does not know a class with slots
        if self.encoder_width != self.decoder_width:
            raise ConfigError(
                "Encoder and decoder have to be of one width in a network with a latent space. "
                f"Got {self.encoder_width} and {self.decoder_width}."
            )
        if self.variational and self.latent != self.encoder_width:
            raise ConfigError(
                "The latent space of a variational network has to be as wide as its encoder. "
                f"Got {self.latent} and {self.encoder_width}."
            )


class _Bottleneck(nn.Module):
    def __init__(self, width: int, latent: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, latent)


class _PooledEncoder(Encoder):
    def __init__(self, c: LatentConfig) -> None:
        super().__init__(c)
        width = c.encoder_width
        self.position_embeddings = nn.Embedding(c.encoder_positions, width) if c.encoder_positions else None
        self.glob_attn_module = nn.Sequential(nn.Linear(width, 1), nn.Softmax(dim=1))
        self.bottleneck_module = _Bottleneck(width, c.latent)
        self.z_projection = nn.Linear(c.latent, width)  # used by neither

    def forward(self, x: Tensor) -> Tensor:
        """Map embedded points (B, N, D) to latent points (B, L)."""
        if self.position_embeddings is not None:
            x = x + self.position_embeddings.weight[: x.shape[1]]
        x = super().forward(x)
        pooled = (self.glob_attn_module(x) * x).sum(dim=1)
        return self.bottleneck_module.fc1(pooled)  # type: ignore[no-any-return]


class _Mapper(nn.Module):
    def __init__(self, c: LatentConfig) -> None:
        super().__init__()
        self.linear1 = nn.Linear(c.latent, c.slots * c.decoder_width)
        self.linear2 = nn.Linear(c.decoder_width, c.decoder_width)

    def forward(self, z: Tensor) -> Tensor:
        slots = torch.relu(self.linear1(z)).view(len(z), -1, self.linear2.in_features)
        return self.linear2(slots)  # type: ignore[no-any-return]


class OfficialLatent(nn.Module):
    """GenSR's or SNIP's network as its authors released it.

    Tables of a batch have equally many rows, so that there is no padding.

    Parameters
    ----------
    config : LatentConfig
    """

    def __init__(self, config: LatentConfig) -> None:
        super().__init__()
        self.config = config
        self.embedder = Embedder(config)
        self.encoder = _PooledEncoder(config)
        if config.variational:
            width, latent = config.encoder_width, config.latent
            self.token_embed = nn.Embedding(len(FORMULA_WORDS), width)
            self.prior_fc = nn.Linear(latent, 2 * latent)
            self.post_fc = nn.Linear(latent, 2 * latent)
        self.mapper = _Mapper(config)
        self.decoder = Decoder(config)

    def tie(self) -> None:
        """Make the output layer's matrix the embedding table again, after parameters were assigned."""
        self.decoder.proj.weight = self.decoder.embeddings.weight

    def place(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and log variances (B, L) of the latent points of tables with the ids (B, N, 33).

        A network without a prior gives a point alone, around which a variance of one is searched, as the
        released search does.
        """
        encoded = self.encoder(self.embedder(ids))
        if not self.config.variational:
            return encoded, torch.zeros_like(encoded)
        mean, log_variance = self.prior_fc(encoded).chunk(2, dim=-1)
        return mean, log_variance

    def memory_of(self, z: Tensor) -> Tensor:
        """Return the memory (B, S, D) of latent points (B, L), without the noise of the released code.

        There the average of 200 draws takes the place of the mean.
        """
        return self.mapper(z)  # type: ignore[no-any-return]

    def memory_keys(self, memory: Tensor) -> Past:
        """Return keys and values of memories (G, S, D) for every decoder layer."""
        return self.decoder.memory_keys(memory)

    def decode(self, ids: Tensor, memory: Past, past: Past | None = None) -> tuple[Tensor, Past]:
        """Return the logits (B, T, V) after each of ``ids`` (B, T), and keys and values so far.

        Each of G memories serves the next B / G rows.
        """
        return self.decoder(ids, memory, past)  # type: ignore[no-any-return]
