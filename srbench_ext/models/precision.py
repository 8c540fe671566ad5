"""How matrix products run on this machine: in which number format, on how many threads."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import torch

__all__ = ["bfloat16_pays", "one_thread"]


_TRIALS = 20


@lru_cache(maxsize=4)
def bfloat16_pays(device_type: str) -> bool:
    """Return whether bfloat16 products are faster than float32 ones; measured in about 0.1 s.

    Processors with matrix units run bfloat16 about three times as fast; some without them, which
    still list bfloat16 instructions, run it at half the speed. Both formats take turns on one thread, whose
    own processor time counts, so that other work on the machine disturbs both alike or neither.
    """
    if device_type != "cpu":
        return True
    operands = [
        (torch.ones(1024, 256, dtype=dtype), torch.ones(256, 512, dtype=dtype))
        for dtype in (torch.float32, torch.bfloat16)
    ]
    best = [float("inf"), float("inf")]
    with one_thread():
        for _ in range(_TRIALS):
            for i, (a, b) in enumerate(operands):
                start = time.thread_time()
                a @ b
                best[i] = min(best[i], time.thread_time() - start)
    return best[1] < 0.8 * best[0]


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch on one thread inside the block: a run has one, and small products gain nothing from more.

    With other work on the machine, several threads wait for the one that is not scheduled.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
