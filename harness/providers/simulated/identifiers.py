"""Identifiers in the providers' formats that depend on nothing but what they are made from."""

from __future__ import annotations

import hashlib
import string
from dataclasses import dataclass

__all__ = ["Identifiers", "digest"]

_BASE62 = string.digits + string.ascii_letters
_BASE58 = "".join(letter for letter in _BASE62 if letter not in "0OIl")


def digest(*parts: object) -> int:
    """A number of 512 bits that depends on the parts and their order."""
    text = "\x1f".join(map(str, parts))
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass")).digest(), "big")


@dataclass(frozen=True, slots=True)
class Identifiers:
    """The identifiers of one response."""

    origin: str
    """What tells this response from all others: seed, conversation, how often it was met."""

    def base62(self, length: int, *what: object) -> str:
        """As in ``chatcmpl-…`` and ``call_…``."""
        return _spell(digest(self.origin, *what), _BASE62, length)

    def base58(self, length: int, *what: object) -> str:
        """As in Anthropic's ``msg_01…``."""
        return _spell(digest(self.origin, *what), _BASE58, length)

    def hexadecimal(self, length: int, *what: object) -> str:
        """As in ``resp_…`` and ``req_…``."""
        return _spell(digest(self.origin, *what), _BASE62[:16], length)


def _spell(number: int, alphabet: str, length: int) -> str:
    letters = []
    for _ in range(length):
        number, place = divmod(number, len(alphabet))
        letters.append(alphabet[place])
    return "".join(letters)
