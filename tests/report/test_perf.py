from srbench_ext.report.perf import measure_loading, synthetic_records, table


def test_every_synthetic_record_is_a_run_of_its_own():
    assert len({record.run_id for record in synthetic_records(600)}) == 600


def test_the_second_reading_comes_from_the_index(monkeypatch):
    from srbench_ext.report import index

    reads = []
    rows_of = index._rows_of
    monkeypatch.setattr(
        index, "_rows_of", lambda path, complain: reads.append(path.name) or rows_of(path, complain)
    )
    monkeypatch.setattr(index, "LEAST_INDEXED", 5)
    loading = measure_loading(20)
    assert len(reads) == len(set(reads)) == 20
    assert loading.kilobytes > 2
    assert "| loading 20 records" in table(loading)
