"""The parser's complaints in plain English, each with what to do."""

from __future__ import annotations

import re
from typing import Any

from yaml.error import MarkedYAMLError

__all__ = ["reword"]

_WORDINGS = (
    (r"mapping values are not allowed here", "a `: ` is not allowed here; quote the text, or mend the indentation"),
    (r"could not find expected ':'", "this line has no `:` and is no text either; mend the indentation, or quote it"),
    (r"found character '\\t'", "a tab is not allowed here; indent with blanks"),
    (r"found character '([@`%])'", "text can't begin with `{0}` unquoted; quote it"),
    (r"found unexpected (end of stream|document separator)", "this quote is never closed; close it"),
    (
        r"found unknown escape character (.+)",
        "the escape {0} is unknown; use single quotes, or `\\\\`",
    ),
    (r"expected escape sequence of (\d+) hexadecimal", "this escape needs {0} hexadecimal digits; complete it"),
    (r"found undefined tag handle (.+)", "tags ({0}) are not read; remove it, or quote the text"),
    (r"expected ',' or '([\]}])'", "a `,` or `{0}` is missing before this place; add it, or quote the text"),
    (r"expected <block end>, but found '<?([^'>]+)'?", "the indentation does not fit what is above; align it"),
    (r"expected the node content, but found", "a value is missing before this place; add it, or quote the text"),
    (r"sequence entries are not allowed here", "a `- ` is not allowed here; put it on a line of its own"),
    (r"expected '<document start>'", "text stands after the end of the document; remove it, or mend the indentation"),
    (r"did not find expected alphabetic|expected alphabetic or numeric", "`*` or `&` begins no text; quote it"),
    (r"expected chomping or indentation indicators", "text after `|` or `>` begins on the next line; move it there"),
    (r"mapping keys are not allowed here", "a `? ` is not allowed here; quote the text"),
)


def reword(error: MarkedYAMLError) -> tuple[Any, str]:
    """Where a parser's error is, and what to tell the author."""
    problem = error.problem or error.context or "it can't be read"
    mark = error.problem_mark or error.context_mark
    assert mark is not None
    if error.context_mark is not None and "unexpected end of stream" in problem and "quoted" in (error.context or ""):
        mark = error.context_mark
    for pattern, wording in _WORDINGS:
        found = re.search(pattern, problem)
        if found:
            return mark, wording.format(*found.groups())
    return mark, f"this is no YAML: {problem}; mend it, or quote the text"
