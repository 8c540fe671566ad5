from __future__ import annotations

import pytest

from srbench_ext.errors import ConfigError, UnknownNameError
from srbench_ext.runner.protocol import load_protocol, protocol_names, read_protocol

GOOD = """
title = "T"
summary = "S"
source = "here"
[plan]
suites = ["strogatz"]
noise = [0.0]
noise_without_truth = [0.0]
trials = 1
[run]
max_seconds = 1
"""


def test_every_shipped_protocol_reads():
    assert {"quick", "e2e", "srbench-2021", "srbench-2025"} <= set(protocol_names())
    for name in protocol_names():
        assert load_protocol(name).name == name


def test_the_protocols_are_those_of_their_description():
    quick, e2e, srbench = map(load_protocol, ("quick", "e2e", "srbench-2021"))
    assert (quick.rules.n_rows, quick.rules.max_seconds, quick.noise) == (2000, 10.0, (0.0,))
    assert (e2e.rules.n_rows, e2e.rules.max_seconds, e2e.trials) == (10_000, 60.0, 1)
    assert e2e.noise == (0.0, 0.001, 0.01, 0.1)
    assert e2e.noise_without_truth == (0.0,)
    assert srbench.rules.split_seeds[:3] == (23654, 15795, 860)
    assert srbench.trials == len(srbench.rules.split_seeds) == 10
    assert srbench.rules.replacement
    assert srbench.rules.standardise_without_truth
    assert srbench.rules.max_test_rows is None


def test_srbench_2025_has_thirty_seeds_that_begin_with_those_of_2021():
    old, new = load_protocol("srbench-2021"), load_protocol("srbench-2025")
    assert new.suites == ("srbench-2025-black-box", "first-principles")
    assert new.trials == len(set(new.rules.split_seeds)) == 30
    assert new.rules.split_seeds[:10] == old.rules.split_seeds
    assert (new.noise, new.noise_without_truth) == ((0.0,), (0.0,))
    assert (new.rules.max_seconds, new.rules.n_rows, new.rules.replacement) == (3600.0, 40_000, False)
    assert new.rules.standardise_without_truth
    assert new.rules.memory_gb * 2**10 == 10_000


def test_published_hashes_do_not_change():
    hashes = {name: load_protocol(name).rules.hash for name in protocol_names()}
    assert hashes == {
        "quick": "c999050f5fee8fea",
        "e2e": "0ee9e5d6435f5db1",
        "srbench-2021": "8c9b2053c070c780",
        "srbench-2025": "14dce63b4ab25537",
    }


def test_other_seconds_make_another_protocol():
    quick = load_protocol("quick")
    other = quick.with_seconds(30)
    assert other.name == "quick+30s"
    assert other.rules.hash != quick.rules.hash
    assert quick.with_seconds(10) is quick
    assert quick.with_seconds(None) is quick
    assert other.with_seconds(2.5).name == "quick+2.5s"


@pytest.mark.parametrize("seconds", [0, -1, float("inf"), float("nan")])
def test_seconds_must_be_positive(seconds):
    with pytest.raises(ConfigError, match="positive"):
        load_protocol("quick").with_seconds(seconds)


def test_the_stamp_holds_all_rules():
    stamp = load_protocol("srbench-2021").stamp()
    assert stamp.values["split_seeds"][0] == 23654
    assert stamp.values["memory_gb"] == 16.0
    assert stamp.hash == load_protocol("srbench-2021").rules.hash


def test_unknown_protocols_get_a_suggestion():
    with pytest.raises(UnknownNameError, match="Did you mean 'quick'"):
        load_protocol("quik")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title", "not TOML"),
        (
            GOOD.replace("max_seconds", "max_second"),
            "\\[run\\] 'max_second'. Did you mean 'max_seconds'",
        ),
        (GOOD.replace("trials", "trails"), "key of \\[plan\\] 'trails'"),
        (GOOD.replace('title = "T"', 'tittle = "T"'), "Did you mean 'title'"),
        (GOOD.replace("trials = 1", ""), "lacks the key 'trials'"),
        (GOOD.replace("trials = 1", 'trials = "many"'), "wrong type"),
        (GOOD.replace("[plan]", "[[plan]]"), "must hold a table"),
    ],
)
def test_a_protocol_that_does_not_fit_is_refused(text, message):
    read_protocol("good", GOOD)
    with pytest.raises(ConfigError, match=message):
        read_protocol("bad", text)
