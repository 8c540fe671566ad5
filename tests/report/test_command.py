"""What `srbench-ext report` and `srbench-ext tables` write and say."""

import sys

import pytest

from srbench_ext.cli import main


@pytest.fixture
def call(monkeypatch, capsys):
    """Run the command line here; return what it printed."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["srbench-ext", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 0
        return capsys.readouterr().out

    return run


@pytest.fixture
def folder(make_record, save_records, monkeypatch):
    monkeypatch.delenv("SRBENCH_EXT_PMLB", raising=False)
    return save_records([make_record(problem="strogatz_vdp1")])


def test_report_writes_the_page_unless_told_not_to(call, folder):
    assert "html" not in call("report", folder, "--no-page")
    assert not (folder / "report.html").exists()
    assert f"One page with everything: {folder / 'report.html'}" in call("report", folder)
    assert (folder / "report.html").is_file()


def test_tables_says_what_it_leaves_out(call, folder, tmp_path):
    out = call("tables", folder, "--out", tmp_path / "tables")
    assert "Left out: table `ablation`" in out
    assert (tmp_path / "tables" / "headline.md").is_file()
