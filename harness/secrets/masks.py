"""What stands in the place of a secret.

A mask says that it is one and nothing of what it hides: ``*masked*``, filled up with asterisks to the length of the
secret where lengths matter. A redacted value keeps a name and two digits of a digest (``*email:7f*``): enough to tell
two customers of one conversation apart, and too little to find one out, since every 256th guess fits.
"""

from __future__ import annotations

import hashlib
import re

__all__ = ["MASK", "fit", "is_mask", "mark_masks", "pseudonym", "settle"]

MASK = b"*masked*"

_FILLED = re.compile(rb"(\*(?:masked|[a-z][a-z0-9-]{0,40}:[0-9a-f]{2}))\*+")
_IN_ADDRESS = re.compile(rb"%2A(?:masked|[a-z][a-z0-9-]{0,40}(?::|%3A)[0-9a-f]{2})(?:%2A)+")
"""A mask that a client has put into an address or a form."""
_EARLIER = re.compile(rb"sk-\*{20,}|(?<=earer )\*{20,}|(?<=EARER )\*{20,}|(?<==)\*{6,}|(?<=://)\*+(?=@)")
"""How keys were masked before masks had a form of their own."""


def pseudonym(name: str, value: bytes) -> bytes:
    """What stands for a redacted value: the same for the same value, everywhere."""
    digest = hashlib.blake2b(value, key=name.encode()[:64], digest_size=1).hexdigest()
    return f"*{name}:{digest}*".encode()


def fit(mask: bytes, length: int) -> bytes:
    """A mask filled up to a length; one that is longer stays as it is."""
    return mask + b"*" * (length - len(mask))


def settle(text: bytes) -> bytes:
    """The text with every mask in its shortest form, which does not tell how long the secret was.

    Requests are kept and compared in this form: the key at the replay is another one.
    """
    if b"****" in text:
        text = _EARLIER.sub(MASK, text)
    if b"%2A" in text:
        text = _IN_ADDRESS.sub(lambda match: match.group().replace(b"%2A", b"*").replace(b"%3A", b":"), text)
    return _FILLED.sub(rb"\1*", text) if b"*" in text else text


def mark_masks(text: bytes) -> bytearray:
    """As long as the text, with a 1 where a mask stands."""
    marks = bytearray(len(text))
    for match in _FILLED.finditer(text):
        marks[match.start() : match.end()] = b"\1" * len(match.group())
    return marks


def is_mask(text: bytes) -> bool:
    """Whether the text is nothing but a mask."""
    return _FILLED.fullmatch(text) is not None
