from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from srbench_ext.runner.descendants import descendants_of, mark_number, usage_of
from srbench_ext.runner.pages import merge_pages

from .chaos import wait_until

TREE = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
print(child.pid, flush=True)
child.wait()
"""


@pytest.fixture
def family():
    """A process and its child, which has a session of its own; returns both numbers."""
    process = subprocess.Popen([sys.executable, "-c", TREE], stdout=subprocess.PIPE, text=True)
    child = int(process.stdout.readline())
    yield process.pid, child
    os.kill(child, 9)
    process.communicate(timeout=20)


def test_descendants_are_found_across_sessions(family):
    parent, child = family
    assert descendants_of(parent) == [child]
    assert descendants_of(child) == []


def test_what_a_process_uses_grows_with_its_descendants(family):
    parent, child = family
    together, alone = usage_of(parent, with_descendants=True), usage_of(parent, with_descendants=False)
    assert together.memory_bytes > alone.memory_bytes > 2**20
    assert together.memory_bytes == pytest.approx(
        alone.memory_bytes + usage_of(child, with_descendants=False).memory_bytes, rel=0.2
    )


def test_processor_time_is_that_of_the_process():
    before = usage_of(os.getpid(), with_descendants=False).cpu_seconds
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass
    after = usage_of(os.getpid(), with_descendants=False).cpu_seconds
    assert 0.15 <= after - before < 0.2 + 0.1


def test_a_process_that_is_gone_uses_nothing():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert wait_until(lambda: usage_of(process.pid, with_descendants=True).memory_bytes == 0.0, 5)
    assert descendants_of(process.pid) == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="marks are Linux's")
def test_marks_of_runs_beside_each_other_differ():
    marks = [mark_number(count) for count in range(1, 2000)]
    assert len(set(marks)) == len(marks)
    assert min(marks) > 0


def test_merging_pages_changes_no_content():
    held = [bytes([number % 251]) * 2**16 for number in range(200)]
    merge_pages()
    assert all(piece == bytes([number % 251]) * 2**16 for number, piece in enumerate(held))
