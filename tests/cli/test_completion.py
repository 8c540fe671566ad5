"""What the shell is offered on Tab."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from srbench_ext.cli import completion

COMMAND = "from srbench_ext.cli import main; main()"


def offered(words):
    """Ask as bash does: the words typed so far, the last one incomplete."""
    position = str(len(words.split(" ")) - 1)
    asked = {"_SRBENCH_EXT_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": position}
    done = subprocess.run(
        [sys.executable, "-c", COMMAND],
        env=os.environ | asked,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_is_offered_commands_and_the_names_of_methods():
    assert {"report", "run"} <= set(offered("srbench-ext r"))
    assert offered("srbench-ext run --method lin") == ["linear"]


@pytest.mark.parametrize(
    ("complete", "incomplete", "expected"),
    [
        (completion.complete_method, "linea", ["linear"]),
        (completion.complete_method, "operon@", ["operon@all-rows"]),
        (completion.complete_method, "nobody@x", []),
        (completion.complete_methods, "linear,oper", ["linear,operon"]),
        (completion.complete_suite, "strog", ["strogatz"]),
        (completion.complete_suites, "feynman,strog", ["feynman,strogatz"]),
        (completion.complete_protocol, "qui", ["quick"]),
    ],
)
def test_names_complete(complete, incomplete, expected):
    assert complete(incomplete) == expected


def test_a_broken_plugin_does_not_break_the_shell(tmp_path, monkeypatch):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "method.toml").write_text("name = ")
    monkeypatch.setenv("SRBENCH_EXT_PLUGINS", str(tmp_path))
    assert completion.complete_method("l") == []
