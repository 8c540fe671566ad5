"""The page in headless Chromium: no error on its console, sorting, filtering, opening, both themes."""

from __future__ import annotations

import io
import shutil

import numpy as np
import pytest
from matplotlib.image import imread

from srbench_ext.record import Metrics
from srbench_ext.report import make_report
from srbench_ext.report.page import write_page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WHITE, BLACK = (255, 255, 255), (0x14, 0x17, 0x1B)  # the grounds of the two themes

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="Chromium is not installed (Debian: apt-get install chromium)"
)


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def file(folder):
    return write_page(make_report(folder), folder, None)


@pytest.fixture
def open_page(browser, file):
    """Open the page; at the end nothing may have been said on the console or asked of a network."""
    told, pages = [], []

    def opened(scheme="light", route="", path=file):
        page = browser.new_page(color_scheme=scheme, viewport={"width": 1200, "height": 900})
        pages.append(page)
        page.on("console", lambda message: told.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: told.append(f"error: {error}"))
        page.on("request", lambda request: told.append(request.url) if request.url != url else None)
        url = path.as_uri()
        page.goto(f"{url}#/{route}")
        page.wait_for_selector("body[data-ready]")
        return page

    yield opened
    for page in pages:
        page.close()
    assert [line for line in told if "#/" not in line] == []


def column(page, grid, key):
    """The texts of a column, top to bottom."""
    place = page.evaluate(
        f"""[...document.querySelectorAll("{grid} th")].findIndex((th) => th.dataset.key === "{key}")"""
    )
    return page.locator(f"{grid} tbody td:nth-child({place + 1})").all_inner_texts()


def colours_of(png):
    """The distinct colours of a screenshot, as (red, green, blue) from 0 to 255."""
    pixels = np.rint(imread(io.BytesIO(png), "png")[..., :3] * 255).astype(int)
    return set(map(tuple, pixels.reshape(-1, 3).tolist()))


def test_a_heading_sorts_and_once_more_sorts_the_other_way(open_page):
    page = open_page()
    head = page.locator('#scores th[data-key="rate_r2_gt_0.99"] button')
    head.click()
    down = [float(text) for text in column(page, "#scores", "rate_r2_gt_0.99") if text != "–"]
    assert down == sorted(down, reverse=True)
    assert len(set(down)) > 2
    assert column(page, "#scores", "rate_r2_gt_0.99")[-1] == "–"  # unknown stays below
    head.click()
    up = [float(text) for text in column(page, "#scores", "rate_r2_gt_0.99") if text != "–"]
    assert up == down[::-1]
    assert page.locator('#scores th[aria-sort="ascending"]').count() == 1


def test_words_and_choices_filter(open_page):
    page = open_page(route="problems")
    assert page.locator("#problems tbody tr").count() == 4
    page.locator("#problems input").fill("vdp2 ALPHA")
    assert column(page, "#problems", "method") == ["alpha"]
    assert page.locator("#problems .count").inner_text() == "1 of 4 rows"
    page.locator("#problems input").fill("")
    page.locator('#problems select[data-key="method"]').select_option("beta")
    assert column(page, "#problems", "method") == ["beta", "beta"]


def test_a_row_opens_the_problem_with_truth_formula_front_and_predictions(open_page):
    page = open_page(route="problems")
    page.locator("#problems tbody tr", has_text="vdp2").first.click()
    page.wait_for_selector("#run")
    assert "strogatz_vdp2" in page.url
    assert page.locator(".formula math").count() == 2
    assert page.locator(".formula math").first.bounding_box()["height"] > 10
    assert page.locator("#prediction circle").count() == 100
    page.locator("#front-grid tbody tr").first.click()
    assert page.locator("#front-formula code").inner_text() == "0.5"
    page.locator("#problem-runs tbody tr", has_text="beta").click()
    page.wait_for_selector("#run h2:has-text('beta')")


def test_published_figures_stand_below_ours_on_the_page_of_a_problem(open_page):
    page = open_page(route="problem/strogatz/strogatz_vdp2")
    rows = page.locator("#problem-published tbody tr")
    assert rows.nth(0).get_attribute("class") is rows.nth(1).get_attribute("class") is None  # alpha and beta
    assert page.locator("#problem-published tr.published").count() == rows.count() - 2 > 10
    assert open_page(route="problem/strogatz/p2").locator("#problem-published").count() == 0


def test_pairs_with_published_figures_are_filtered(open_page):
    page = open_page()
    page.locator('#beside select[data-key="method"]').select_option("beta")
    page.locator("#beside input").fill("SRBench recovered")
    assert set(column(page, "#beside", "method")) == {"beta"}
    assert set(column(page, "#beside", "measure")) == {"recovered"}


def test_a_diagram_of_ranks_joins_what_does_not_differ(open_page, make_record, save_records):
    long = "a method (with=many, long=settings)"
    losses = {long: (0.1, 0.2), "b": (0.2, 0.1), "c": (0.3, 0.3)}
    records = [
        make_record(
            method=method,
            problem=f"p{i}",
            protocol="ranked",
            protocol_hash="beef" * 4,
            metrics={"test": Metrics(0.5, both[i % 2], 1.0)},
        )
        for method, both in losses.items()
        for i in range(12)
    ]
    folder = save_records(records)
    report = make_report(folder)
    (ranked,) = [table.slug for table in report.tables if table.protocol == "ranked"]
    page = open_page(route=f"table/{ranked}", path=write_page(report, folder, None))
    assert page.locator("#ranks path.alike").count() == 1  # of the first two
    svg = page.locator("#ranks svg").bounding_box()
    for label in page.locator("#ranks svg text").all():
        box = label.bounding_box()
        assert svg["x"] <= box["x"] <= box["x"] + box["width"] <= svg["x"] + svg["width"]


def test_the_plot_names_the_point_under_the_pointer(open_page):
    page = open_page()
    circle = page.locator('#pareto-complexity circle[data-name^="alpha"]')
    box = circle.bounding_box()
    assert page.locator("#tip").is_hidden()
    circle.scroll_into_view_if_needed()
    box = circle.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2 + 3, box["y"] + box["height"] / 2)
    assert page.locator("#tip").inner_text().startswith("alpha\nshare of runs with R² > 0.99")
    page.mouse.move(2, 2)
    assert page.locator("#tip").is_hidden()


def test_failures_show_their_traceback_as_text(open_page):
    page = open_page(route="failures")
    assert page.locator("#failed").inner_text().startswith("1 of 4 runs failed")
    page.locator("details.failure summary").click(position={"x": 3, "y": 8})
    assert page.locator("details.failure pre").inner_text() == "Traceback\nValueError: <b>no</b> formula"
    page.locator("details.failure a").click()
    assert page.locator("#run pre.error").inner_text() == "Traceback\nValueError: <b>no</b> formula"
    assert page.locator("#run .failed").inner_text() == "error"


def test_provenance_names_protocol_machine_and_methods(open_page):
    text = open_page(route="provenance").locator("main").inner_text()
    assert all(part in text for part in ("cafecafe", "a processor", "0123456789ab", "alpha"))


def test_light_and_dark_follow_the_system_and_the_button(open_page):
    colours = {}
    for scheme in ("light", "dark"):
        page = open_page(scheme)
        colours[scheme] = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.locator("#theme").click()
        colours[f"{scheme} toggled"] = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.evaluate("localStorage.clear()")
    assert colours["light"] == "rgb(255, 255, 255)" == colours["dark toggled"]
    assert colours["dark"] == colours["light toggled"] != colours["light"]


@pytest.mark.parametrize(("scheme", "ground"), [("light", WHITE), ("dark", BLACK)])
def test_a_screenshot_is_drawn_in_the_colours_of_the_theme(open_page, scheme, ground):
    page = open_page(scheme)
    page.locator("#pareto-complexity").scroll_into_view_if_needed()
    seen = colours_of(page.screenshot())
    assert ground in seen
    assert ({WHITE, BLACK} - {ground}).isdisjoint(seen)
    assert len(seen) > 20  # text, lines and points, not a blank page
