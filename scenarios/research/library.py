"""The island library: documents on disk, and a full-text index over them that ranks alike on every machine."""

from __future__ import annotations

import re
import sqlite3
import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["Document", "Library", "island_library", "read_documents"]

FOLDER = Path(__file__).parent / "documents"

_FORM = re.compile(r"# (?P<title>.+)\n\nPublished: (?P<published>\d{4}-\d\d-\d\d)\n\n(?P<text>.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Document:
    """One document."""

    id: str
    """The file's name without its suffix."""
    title: str
    published: str
    """ISO date."""
    text: str

    def holds(self, quote: str) -> bool:
        """Whether the quote occurs word for word; where lines break does not matter."""
        return bool(quote.strip()) and " ".join(quote.split()) in " ".join(self.text.split())


class Library:
    """Documents by id, and a search over their titles and texts."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._documents = {document.id: document for document in documents}
        # Trials may run in several threads; after this, the index is only read.
        self._index = sqlite3.connect(":memory:", check_same_thread=False)
        weakref.finalize(self, self._index.close)
        self._index.execute("CREATE VIRTUAL TABLE document USING fts5(id UNINDEXED, title, text, tokenize='porter')")
        rows = [(document.id, document.title, document.text) for document in self._documents.values()]
        self._index.executemany("INSERT INTO document VALUES (?, ?, ?)", rows)

    def __contains__(self, document_id: object) -> bool:
        return document_id in self._documents

    def __getitem__(self, document_id: str) -> Document:
        return self._documents[document_id]

    def search(self, query: str, limit: int = 3) -> list[Document]:
        """The best documents that hold all the words of the query, in any inflection; equal ones by id."""
        words = re.findall(r"\w+", query)
        if not words:
            return []
        found = self._index.execute(
            # Rounded, because the last bits of a rank differ between builds of SQLite.
            "SELECT id FROM document WHERE document MATCH ? ORDER BY round(bm25(document), 6), id LIMIT ?",
            (" ".join(f'"{word}"' for word in words), limit),
        )
        return [self._documents[document_id] for (document_id,) in found]


def read_documents(folder: Path) -> list[Document]:
    """The documents of a folder, by name. Raises :class:`ValueError` where one has another form."""
    documents = []
    for file in sorted(folder.glob("*.md")):
        found = _FORM.fullmatch(file.read_text(encoding="utf-8"))
        if not found:
            raise ValueError(f"{file}: write '# Title', 'Published: YYYY-MM-DD' and a text, with blank lines between")
        documents.append(Document(file.stem, found["title"], found["published"], found["text"].strip()))
    return documents


@cache
def island_library() -> Library:
    """The library of this world, read once."""
    return Library(read_documents(FOLDER))
