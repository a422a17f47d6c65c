"""Strict YAML with the place of every value: for whatever comes from a pull request."""

from __future__ import annotations

from harness.strictyaml.document import Document, Node, Place
from harness.strictyaml.reading import Places, read_file, read_yaml

__all__ = ["Document", "Node", "Place", "Places", "read_file", "read_yaml"]
