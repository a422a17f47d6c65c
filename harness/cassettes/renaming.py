"""Declared renames at work: what a request is called today, what it was called when it was recorded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit, urlunsplit

from harness.cassettes.canonical import is_model_api, read_body
from harness.cassettes.content import fit_length
from harness.cassettes.toolnames import named_in_request, rename_calls
from harness.records.base import JsonObject
from harness.records.exchange import Exchange, HttpRequest
from harness.records.renames import Renames

__all__ = ["Renaming"]

_Names = dict[str, set[str]]
"""Names by kind."""


class Renaming:
    """The renames that hold for one cassette: those of whose names it knows one only.

    Where a recording holds both, they are two things in it, and stay two.
    """

    def __init__(self, renames: Renames, requests: Iterable[HttpRequest]) -> None:
        self._renames = renames
        declared = renames.declared()
        self._newest = {(kind, name): new for kind, old, new in declared for name in (old, new)}
        if not declared:
            return
        recorded: dict[tuple[str, str], set[str]] = {}
        for request in requests:
            for kind, names in self._names(request).items():
                for name in names:
                    recorded.setdefault((kind, self._newest[kind, name]), set()).add(name)
        mixed = {key for key, names in recorded.items() if len(names) > 1}
        self._newest = {(kind, name): new for (kind, name), new in self._newest.items() if (kind, new) not in mixed}

    def __bool__(self) -> bool:
        return bool(self._newest)

    def newest(self, request: HttpRequest) -> HttpRequest:
        """The request under the newest names; one that uses two names of the same thing keeps them."""
        names = {kind: {name: self._newest[kind, name] for name in used} for kind, used in self._names(request).items()}
        for kind, renamed in names.items():
            if len(set(renamed.values())) < len(renamed):
                names[kind] = {}
        return self._rename(request, names)

    def translate(self, exchange: Exchange, request: HttpRequest) -> Exchange:
        """What was recorded, as the request of today would have met it; notes which renames that took."""
        if not self or (request.uri, request.body) == (exchange.request.uri, exchange.request.body):
            return exchange
        recorded, current = self._names(exchange.request), self._names(request)
        tools = {}
        changed = False
        for kind, names in recorded.items():
            for name in names:
                today = [other for other in current[kind] if self._newest[kind, other] == self._newest[kind, name]]
                if today and name not in today:
                    changed = True
                    self._note(kind, name, today[0])
                    if kind == "tools":
                        tools[name] = today[0]
        if not changed:
            return exchange
        response = exchange.response
        if tools:
            response = fit_length(rename_calls(response, tools), exchange.request.method)
        return exchange.model_copy(update={"request": request, "response": response})

    def _note(self, kind: str, *names: str) -> None:
        self._renames.used.update((kind, name) for name in names if self._newest[kind, name] != name)

    def _names(self, request: HttpRequest) -> _Names:
        """Which of the declared names a request uses."""
        names: _Names = {"models": set(), "tools": set(), "endpoints": set()}
        names["endpoints"] = {self._begins(request.uri)} - {""}
        bodily = any(kind != "endpoints" for kind, _ in self._newest) and is_model_api(request)
        data = read_body(request.body) if bodily else None
        if data is not None:
            if ("models", str(data.get("model"))) in self._newest:
                names["models"].add(str(data["model"]))
            found = {str(holder["name"]) for holder in named_in_request(data)}
            names["tools"] = {name for name in found if ("tools", name) in self._newest}
        return names

    def _begins(self, uri: str) -> str:
        """The longest declared beginning of an address; empty where none fits."""
        parts = urlsplit(uri)
        whole, path = f"{parts.scheme}://{parts.netloc}{parts.path}/", f"{parts.path}/"
        fits = [
            name
            for kind, name in self._newest
            if kind == "endpoints" and (path if name.startswith("/") else whole).startswith(f"{name}/")
        ]
        return max(fits, key=len, default="")

    def _rename(self, request: HttpRequest, names: dict[str, dict[str, str]]) -> HttpRequest:
        changes: dict[str, object] = {}
        for old, new in names["endpoints"].items():
            if old != new:
                changes["uri"] = _readdress(request.uri, old, new)
        bodily = {**names["models"], **names["tools"]}
        data = read_body(request.body) if any(old != new for old, new in bodily.items()) else None
        if data is not None:
            _rename_body(data, names["models"], names["tools"])
            changes["body"] = json.dumps(data).encode()
        return request.model_copy(update=changes) if changes else request


def _rename_body(data: JsonObject, models: Mapping[str, str], tools: Mapping[str, str]) -> None:
    model = data.get("model")
    if isinstance(model, str):
        data["model"] = models.get(model, model)
    for holder in named_in_request(data):
        name = str(holder["name"])
        holder["name"] = tools.get(name, name)


def _readdress(uri: str, old: str, new: str) -> str:
    """An address that begins otherwise. A path goes for a path, a host with its path for such."""
    if not old.startswith("/"):
        return new + uri[len(old) :]
    parts = urlsplit(uri)
    return urlunsplit(parts._replace(path=new + parts.path[len(old) :]))
