"""The page on data prints what it says."""

import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "data.md"
SNIPPET = re.compile(
    r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL
)


def test_what_the_page_prints(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for snippet in SNIPPET.finditer(PAGE.read_text("utf-8")):
        printed = StringIO()
        with redirect_stdout(printed):
            exec(snippet[1], names)
        assert printed.getvalue() == (snippet[2] or ""), snippet[1]
