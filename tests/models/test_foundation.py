from __future__ import annotations

import re

import pytest
import torch

from srbench_ext.errors import ConfigError
from srbench_ext.models.foundation import Foundation, FoundationConfig

from .tiny import CONFIG, points, tiny_foundation

IDS = torch.tensor([[2, 17, 30, 40, 31, 12, 25], [3, 10, 11, 50, 51, 52, 30]])


def test_decoding_step_by_step_gives_what_one_pass_gives(model: Foundation) -> None:
    memory = model.memory_keys(model.encode(points()))
    whole, _ = model.decode(IDS, memory)
    past, steps = None, []
    for t in range(IDS.shape[1]):
        logits, past = model.decode(IDS[:, t : t + 1], memory, past)
        steps.append(logits)
    torch.testing.assert_close(torch.cat(steps, 1), whole, rtol=1e-4, atol=1e-4)


def test_decoding_goes_on_with_several_tokens_at_once(model: Foundation) -> None:
    memory = model.memory_keys(model.encode(points()))
    whole, _ = model.decode(IDS, memory)
    first, past = model.decode(IDS[:, :3], memory)
    second, _ = model.decode(IDS[:, 3:], memory, past)
    torch.testing.assert_close(torch.cat([first, second], 1), whole, rtol=1e-4, atol=1e-4)


def test_later_tokens_do_not_change_earlier_logits(model: Foundation) -> None:
    changed = IDS.clone()
    changed[:, 4:] = torch.tensor([60, 61, 62])
    a, b = model(points(), IDS), model(points(), changed)
    torch.testing.assert_close(a[:, :4], b[:, :4], rtol=1e-5, atol=1e-5)
    assert (a[:, 4:] - b[:, 4:]).abs().max() > 0.1


def test_memory_does_not_depend_on_the_order_of_points(model: Foundation) -> None:
    features = points(2, 9)
    order = torch.randperm(9, generator=torch.Generator().manual_seed(0))
    memory = model.encode(features)
    assert memory.shape == (2, CONFIG.memory_length, CONFIG.width)
    torch.testing.assert_close(model.encode(features[:, order]), memory, rtol=1e-4, atol=1e-5)


def test_memory_depends_on_the_points(model: Foundation) -> None:
    a, b = model.encode(points(seed=1)), model.encode(points(seed=2))
    assert (a - b).abs().max() > 1e-3


def test_tables_of_a_batch_do_not_mix(model: Foundation) -> None:
    features = points(3)
    together = model(features, IDS[[0, 1, 0]])
    alone = model(features[1:2], IDS[1:])
    torch.testing.assert_close(together[1:2], alone, rtol=1e-4, atol=1e-4)


def test_logits_depend_on_the_memory(model: Foundation) -> None:
    assert (model(points(seed=1), IDS) - model(points(seed=2), IDS)).abs().max() > 1e-3


def test_every_parameter_is_trained() -> None:
    model = tiny_foundation()
    model(points(), IDS).float().logsumexp(-1).sum().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


def test_settings_are_read_back() -> None:
    assert FoundationConfig.from_dict(CONFIG.to_dict()) == CONFIG


def test_unknown_setting_is_an_error_that_names_it() -> None:
    with pytest.raises(ConfigError, match=r"'depth'.*known.*width"):
        FoundationConfig.from_dict({"depth": 3})


def test_documented_size_is_the_size() -> None:
    documented = re.search(r"defaults have ([\d.]+) million", FoundationConfig.__doc__ or "")
    assert documented
    with torch.device("meta"):
        model = Foundation(FoundationConfig())
    assert round(sum(p.numel() for p in model.parameters()) / 1e6, 1) == float(documented[1])
