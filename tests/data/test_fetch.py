import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pmlb
import pytest

from srbench_ext.data import URL_VARIABLE, ProblemStatus, Suite, fetch_suite, load_table
from srbench_ext.errors import DataError

from .tables import small_problem, small_suite, table_bytes, write_table


class Handler(SimpleHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, *_: object) -> None:
        pass


class Mirror:
    """A server on the loopback that offers tables under refs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        self.asked: list[str] = []
        handler = partial(type("Asked", (Handler,), {"asked": self.asked}), directory=str(root))
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def offer(self, ref: str, name: str, content: bytes) -> None:
        write_table(self.root / ref / "datasets", name, content)


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    mirror = Mirror(tmp_path / "mirror")
    thread = threading.Thread(target=mirror.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield mirror
    mirror.server.shutdown()
    mirror.server.server_close()
    thread.join()


@pytest.fixture
def suite() -> Suite:
    return small_suite(
        small_problem("one"), small_problem("two", content=table_bytes(seed=2)), refs=("abc", "master")
    )


def offer_all(mirror: Mirror) -> None:
    mirror.offer("abc", "one", table_bytes())
    mirror.offer("abc", "two", table_bytes(seed=2))


def test_fetched_tables_lie_in_pmlbs_layout(mirror: Mirror, suite: Suite, tmp_path: Path) -> None:
    offer_all(mirror)
    cache = tmp_path / "new" / "cache"
    seen: list[ProblemStatus] = []
    done = fetch_suite(suite, cache, mirror.url, on_status=seen.append)
    assert [s.state for s in done] == ["fetched", "fetched"]
    assert seen == done
    assert sorted(p.relative_to(cache).as_posix() for p in cache.rglob("*.*")) == [
        "one/one.tsv.gz",
        "two/two.tsv.gz",
    ]
    assert load_table(suite.problems[1], cache).y[0] == 2.0
    assert len(pmlb.fetch_data("one", local_cache_dir=str(cache), dropna=False)) == 8


def test_what_is_there_is_not_asked_for_again(mirror: Mirror, suite: Suite, tmp_path: Path) -> None:
    offer_all(mirror)
    fetch_suite(suite, tmp_path, mirror.url)
    asked = len(mirror.asked)
    assert [s.state for s in fetch_suite(suite, tmp_path, mirror.url)] == ["ok", "ok"]
    assert len(mirror.asked) == asked == 2


def test_refs_are_tried_until_the_hash_fits(mirror: Mirror, suite: Suite, tmp_path: Path) -> None:
    mirror.offer("abc", "one", table_bytes(seed=9))
    mirror.offer("master", "one", table_bytes())
    mirror.offer("master", "two", table_bytes(seed=2))
    assert [s.state for s in fetch_suite(suite, tmp_path, mirror.url)] == ["fetched", "fetched"]
    assert mirror.asked == [
        f"/{ref}/datasets/{n}/{n}.tsv.gz" for n in ("one", "two") for ref in ("abc", "master")
    ]


def test_a_wrong_hash_is_an_error_and_leaves_nothing(mirror: Mirror, suite: Suite, tmp_path: Path) -> None:
    mirror.offer("abc", "one", table_bytes(seed=9))
    mirror.offer("abc", "two", table_bytes(seed=2))
    cache = tmp_path / "cache"
    with pytest.raises(DataError) as caught:
        fetch_suite(suite, cache, mirror.url)
    message = str(caught.value)
    assert "1 of 2 tables of tiny are missing" in message
    assert str(suite.problems[0].sha256) in message
    assert "the server answered 404" in message
    assert [p.name for p in cache.rglob("*") if p.is_file()] == ["two.tsv.gz"]


def test_an_altered_file_is_not_overwritten(mirror: Mirror, suite: Suite, tmp_path: Path) -> None:
    offer_all(mirror)
    cache = tmp_path / "cache"
    path = write_table(cache, "one", b"mine")
    with pytest.raises(DataError, match=r"one\.tsv\.gz is not the table.*Remove the file"):
        fetch_suite(suite, cache, mirror.url)
    assert path.read_bytes() == b"mine"


def test_a_server_that_cannot_be_reached_ends_it_at_once(
    mirror: Mirror, suite: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(URL_VARIABLE, "http://127.0.0.1:9")
    with pytest.raises(DataError, match=f"127.0.0.1:9.*cannot be reached.*{URL_VARIABLE}") as caught:
        fetch_suite(suite, tmp_path / "cache")
    assert "two" not in str(caught.value)


def test_the_variable_names_a_mirror(
    mirror: Mirror, suite: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer_all(mirror)
    monkeypatch.setenv(URL_VARIABLE, mirror.url + "/")
    assert len(fetch_suite(suite, tmp_path / "cache")) == 2


def test_a_problem_without_a_hash_is_not_fetched(mirror: Mirror, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="lists no sha256"):
        fetch_suite(small_suite(small_problem(sha256=None)), tmp_path / "cache", mirror.url)
    assert mirror.asked == []
