"""`--json` on every command, and that what it prints is nothing but JSON."""

from __future__ import annotations

import json

import pytest
import typer

from srbench_ext.cli import app, main


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("SRBENCH_EXT_PMLB", raising=False)

    def run(*arguments, code=0):
        monkeypatch.setattr("sys.argv", ["srbench-ext", *map(str, arguments), "--json"])
        with pytest.raises(SystemExit) as exit_:
            main()
        assert (exit_.value.code or 0) == code
        return json.loads(capsys.readouterr().out)

    return run


def commands(group, path=()):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def test_every_command_has_it():
    found = dict(commands(typer.main.get_command(app)))
    assert {"run", "published", "import", "data verify", "weights list"} <= set(found)
    lacking = {
        name
        for name, command in found.items()
        if not any("--json" in option.opts for option in command.params)
    }
    assert lacking == set()


def test_a_plan_and_a_run(call, tmp_path):
    arguments = ("run", "--method", "linear", "--only", "strogatz_vdp*", "--out", tmp_path / "out")
    plan = call(*arguments, "--dry-run")
    assert [run["run"] for run in plan["runs"]] == [
        "linear on strogatz/strogatz_vdp1 trial 0",
        "linear on strogatz/strogatz_vdp2 trial 0",
    ]
    done = call(*arguments)
    assert (done["done"], done["by_status"], done["stored_before"]) == (2, {"ok": 2}, 0)
    assert call(*arguments)["stored_before"] == 2
    packed = call("pack", tmp_path / "out")
    assert (packed["records"], packed["left"]) == (2, [])
    assert call("pack", tmp_path / "out", "--undo") == {"unpacked": 2}
    pairs = call("published", tmp_path / "out")["rows"]
    assert {(row["method"], row["suite"]) for row in pairs} == {("linear", "strogatz")}


def test_tables_of_the_suites(call):
    where = call("data", "where", "strogatz")
    assert where["cache"] is None
    assert [(row["suite"], row["n_problems"]) for row in where["suites"]] == [("strogatz", 14)]
    assert {row["state"] for row in call("data", "verify", "strogatz")["strogatz"]} == {"absent"}


def test_a_new_method(call, tmp_path):
    made = call("new-method", "mine", "--in", tmp_path)
    assert made["name"] == "mine"
    assert "method.toml" in made["files"]


def test_training_prints_its_log_elsewhere_and_the_cards_as_json(call, tmp_path, monkeypatch):
    folder = tmp_path / "plugins" / "learner"
    folder.mkdir(parents=True)
    (folder / "method.toml").write_text('name = "learner"\nclass = "method:Learner"\nsummary = "learns"\n')
    (folder / "train.py").write_text(
        "def main(out, minutes=None, examples=None, resume=False):\n"
        "    print('step 1')\n"
        "    out.mkdir()\n"
        "    (out / 'learner.safetensors').touch()\n"
        "    (out / 'learner.json').write_text('{\"examples\": %d}' % examples)\n"
    )
    monkeypatch.setenv("SRBENCH_EXT_PLUGINS", str(folder.parent))
    done = call("train", "learner", "--out", tmp_path / "out", "--examples", "7")
    path = str(tmp_path / "out" / "learner.safetensors")
    assert done["weights"] == [{"path": path, "card": {"examples": 7}}]


def test_published_figures(call):
    figures = call("published", "--suite", "feynman", "--noise", "0.1")
    assert {row["suite"] for row in figures["rows"]} == {"feynman"}
    assert {row["noise"] for row in figures["rows"]} == {0.1}
    assert "not ours" in figures["note"]
    assert call("published")["rows"]
