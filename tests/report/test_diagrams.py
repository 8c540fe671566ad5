import pytest

from srbench_ext.record import FrontPoint, Metrics
from srbench_ext.report import make_report
from srbench_ext.report.diagrams import anytime_figure, critical_difference_figure, noise_figure
from srbench_ext.report.figures import look_of, pareto_figure


def curve(*pairs):
    return tuple(FrontPoint(None, 0.1, 3, seconds, r2_test=r2) for seconds, r2 in pairs)


def test_every_method_has_an_anytime_curve(make_record, save_records):
    records = [make_record(curve=curve((1.0, 1.0))), make_record(method="beta", status="oom")]
    left, right = anytime_figure(make_report(save_records(records)).tables[0]).axes
    assert [line.get_label() for line in left.lines] == ["alpha", "beta"]
    assert [line.get_ydata()[-1] for line in left.lines] == [1.0, 0.0]
    assert min(right.lines[1].get_ydata()) == 0.0  # minus infinity is drawn at the bottom


def test_accuracy_is_drawn_against_the_levels_of_noise(make_record, save_records):
    records = [
        make_record(noise=noise, problem=f"p{i}", r2=1.0 if i > fails else 0.0)
        for noise, fails in ((0.0, -1), (0.1, 1))
        for i in range(4)
    ]
    tables = make_report(save_records(records)).tables
    left, right = noise_figure(tables).axes
    assert [label.get_text() for label in left.get_xticklabels()] == ["0", "0.1"]
    assert left.lines[0].get_ydata().tolist() == [1.0, 0.5]
    assert right.get_ylabel() == "share recovered"


def test_noise_on_a_suite_without_truths_has_an_empty_panel(make_record, save_records):
    records = [make_record(noise=noise, truth=None, recovered=None) for noise in (0.0, 0.1)]
    _, right = noise_figure(make_report(save_records(records)).tables).axes
    assert not right.lines


@pytest.mark.parametrize("same", [False, True])
def test_ranks_are_drawn_with_every_method_and_its_mean_rank(make_record, save_records, same):
    records = [
        make_record(
            method=method, problem=f"p{i}", metrics={"test": Metrics(0.5, 0.5 if same else loss, 1.0)}
        )
        for method, loss in (("a", 0.1), ("b", 0.2), ("c", 0.3))
        for i in range(12)
    ]
    (table,) = make_report(save_records(records)).tables
    (axes,) = critical_difference_figure(table.ranks, table.title).axes
    texts = " ".join(text.get_text() for text in axes.texts)
    expected = ["a (2.00)", "b (2.00)", "c (2.00)"] if same else ["a (1.00)", "b (2.00)", "c (3.00)"]
    assert all(label in texts for label in expected)
    assert "12 problems, critical difference 0.96" in axes.get_title()


def test_bars_of_the_diagram_run_from_left_to_right_whatever_the_order_of_names(make_record, save_records):
    records = [
        make_record(
            method=f"m{m}", problem=f"p{i}", metrics={"test": Metrics(0.5, 0.1 + (m + i) % 7 / 10, 1.0)}
        )
        for m in range(7)
        for i in range(8)
    ]
    (table,) = make_report(save_records(records)).tables
    (axes,) = critical_difference_figure(table.ranks, table.title).axes
    bars = [list(line.get_xdata()) for line in axes.lines if len(line.get_xdata()) == 7]
    assert len(bars) == 1
    assert bars == [sorted(bars[0])]
    assert len(set(bars[0])) > 2


def test_twenty_eight_methods_look_different():
    looks = [look_of(index) for index in range(28)]
    assert len({(look.colour, look.marker) for look in looks}) == 28
    assert len({(look.colour, look.line) for look in looks}) == 28


@pytest.mark.parametrize("draw", [pareto_figure, anytime_figure])
def test_the_legend_of_many_methods_fits_into_the_figure(make_record, save_records, draw):
    records = [make_record(method=f"method-{index:02}", curve=curve((1.0, 1.0))) for index in range(30)]
    figure = draw(make_report(save_records(records)).tables[0])
    figure.draw_without_rendering()
    (legend,) = figure.legends
    assert len(legend.get_texts()) >= 30
    assert figure.bbox.padded(1).containsy(legend.get_window_extent().y0)


def test_long_names_of_methods_fit_into_the_diagram_of_ranks(make_record, save_records):
    records = [
        make_record(
            method=f"a-method-with-a-long-name-that-is-number-{m:02}",
            problem=f"p{i}",
            metrics={"test": Metrics(0.5, 0.1 + m + i / 10, 1.0)},
        )
        for m in range(12)
        for i in range(3)
    ]
    (table,) = make_report(save_records(records)).tables
    figure = critical_difference_figure(table.ranks, table.title)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    assert axes.get_window_extent().width > figure.bbox.width / 5
    assert all(text.get_window_extent().x0 > -1 for text in axes.texts)
