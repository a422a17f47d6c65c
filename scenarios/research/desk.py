"""The research desk of an island library: it answers questions from documents, with citations, or declines."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, model_validator

import harness
from harness.providers import api_for, connect
from harness.records.message import Api
from scenarios.research.library import island_library

__all__ = ["Answer", "Citation", "CitedAnswer", "Settings", "answer_question", "read", "search"]

_FIGURE = re.compile(r"\d+(?:[.,:]\d+)*")


def search(
    query: Annotated[str, Field(description="Two to five keywords. All of them must occur, so fewer words find more.")],
) -> list[dict[str, str]] | str:
    """Search the library's documents. Gives at most three, the best first, with their id, title and date."""
    found = island_library().search(query)
    if not found:
        return "No document holds all of these words. Try fewer words, or other ones."
    return [{"document": each.id, "title": each.title, "published": each.published} for each in found]


def read(
    world: harness.World,
    document: Annotated[str, Field(description="The document's id, as a search gave it.")],
) -> dict[str, str]:
    """Read one document in full. Only what was read may be cited."""
    library = island_library()
    if document not in library:
        raise harness.ToolError(f"there is no document {document!r}; use an id that a search gave")
    if document not in world.state["read"]:
        world.state["read"].append(document)
    found = library[document]
    return {"title": found.title, "published": found.published, "text": " ".join(found.text.split())}


TOOLS = (search, read)


class Citation(BaseModel):
    """Where a statement comes from."""

    model_config = ConfigDict(extra="forbid")

    document: str = Field(description="The id of a document that was read.")
    quote: str = Field(description="The supporting words, exactly as they stand in the document.")


class Answer(BaseModel):
    """What the desk gives to a reader."""

    model_config = ConfigDict(extra="forbid")

    answer: str = Field(description="One to three sentences for the reader.")
    citations: list[Citation] = Field(description="What supports the answer; empty only where it is declined.")
    declined: bool = Field(description="True where the documents don't answer the question.")

    @model_validator(mode="after")
    def _is_consistent(self) -> Answer:
        if self.declined and self.citations:
            raise ValueError("a declined answer cites nothing; leave citations empty, or answer")
        if not self.declined and not self.citations:
            raise ValueError("an answer needs at least one citation; cite the document, or set declined to true")
        return self


@harness.validator("cited-answer")
class CitedAnswer(Answer):
    """An answer whose citations exist, were read, are word for word, and hold every figure that the answer names."""

    @model_validator(mode="after")
    def _is_supported(self, info: ValidationInfo[dict[str, Any]]) -> CitedAnswer:
        for citation in self.citations:
            _check_citation(citation, info.context["world"]["read"])
        if not self.declined:
            self._check_figures(_questions(info.context["trace"]))
        return self

    def _check_figures(self, questions: str) -> None:
        quotes = " ".join(citation.quote for citation in self.citations)
        supported = {*_FIGURE.findall(quotes), *_FIGURE.findall(questions)}
        for figure in _FIGURE.findall(self.answer):
            if figure not in supported:
                raise ValueError(f"the answer says {figure}, which no quote holds")


class Settings(BaseModel):
    """What a scenario's ``settings`` may say to this desk."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    api: Api | None = None
    """The wire protocol; without it, the one that is usual for the model."""
    prompt: str = "research-desk"


@harness.subject("research-desk", tools=TOOLS)
async def answer_question(task: harness.Task) -> Any:
    """Answer one question of a reader, as an :class:`Answer`."""
    settings = Settings.model_validate(task.settings)
    agent = harness.Agent(
        client=connect(settings.api or api_for(settings.model)),
        model=settings.model,
        system=task.prompt(settings.prompt),
        tools=task.world.tools,
        output=Answer,
        seams=task.seams,
    )
    state = await agent.run(harness.AgentState(), task.input)
    return state.answer


def _check_citation(citation: Citation, documents_read: list[str]) -> None:
    library = island_library()
    if citation.document not in library:
        raise ValueError(f"there is no document {citation.document!r}")
    if citation.document not in documents_read:
        raise ValueError(f"{citation.document!r} is cited but was never read")
    if not library[citation.document].holds(citation.quote):
        raise ValueError(f"{citation.quote!r} does not stand in {citation.document!r}")


def _questions(trace: Any) -> str:
    """What the user said; figures from there may be repeated."""
    return " ".join(event.text for event in trace.events if event.kind == "user_turn")
