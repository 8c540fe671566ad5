from __future__ import annotations

import doctest
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_the_session_prints_what_the_readme_says():
    text = README.read_text("utf8")
    session = text.split("<!-- session -->")[1].split("<!-- /session -->")[0]
    code = session.replace("```python", "").replace("```", "")
    example = doctest.DocTestParser().get_doctest(code, {}, "README", str(README), 0)
    assert len(example.examples) == 6
    result = doctest.DocTestRunner().run(example)
    assert result.attempted == 6
    assert result.failed == 0
