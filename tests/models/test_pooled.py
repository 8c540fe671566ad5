from __future__ import annotations

import numpy as np
import torch

from srbench_ext.latent import LatentSpace, TableEncoder
from srbench_ext.models.encoders import point_features, scale_table
from srbench_ext.models.pooled import PooledMemory

from .tiny import CONFIG, tiny_foundation


def tables():
    rng = np.random.default_rng(0)
    return [(rng.normal(size=(9, d)), rng.normal(size=9)) for d in (1, 3, 2)]


def test_a_table_is_where_the_mean_of_its_memory_is():
    net = tiny_foundation().eval()
    mean, log_variance = PooledMemory(net).encode(tables())
    for i, (X, y) in enumerate(tables()):
        s = scale_table(X, y)
        features = point_features(s.values[None], s.present[None], s.log_scale[None])
        with torch.no_grad():
            memory = net.encode(torch.from_numpy(features))[0].double().numpy()
        np.testing.assert_allclose(mean[i], memory.mean(axis=0), atol=1e-5)
    assert mean.shape == (3, CONFIG.width)
    assert np.isneginf(log_variance).all()


def test_it_encodes_and_does_not_decode():
    space = PooledMemory(tiny_foundation().eval())
    assert isinstance(space, TableEncoder)
    assert not isinstance(space, LatentSpace)
    assert space.dimension == CONFIG.width
