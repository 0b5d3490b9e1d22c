"""As much of protocol buffers as we need: numbers and byte strings, by the numbers of their fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def write(fields: Mapping[int, int | bytes]) -> bytes:
    """Write a message."""
    raw = b""
    for number, value in fields.items():
        if isinstance(value, int):
            raw += _varint(number << 3) + _varint(value)
        else:
            raw += _varint(number << 3 | 2) + _varint(len(value)) + value
    return raw


def read(raw: bytes) -> dict[int, int | bytes]:
    """Read a message, as far as it is of these two kinds; raises ValueError where it is cut off."""
    fields: dict[int, int | bytes] = {}
    at = 0
    try:
        while at < len(raw):
            tag, at = _number(raw, at)
            value, at = _number(raw, at)
            if tag & 7 == 0:
                fields[tag >> 3] = value
            elif tag & 7 == 2:
                fields[tag >> 3] = raw[at : at + value]
                at += value
            else:
                break
    except IndexError:
        raise ValueError("it is cut off") from None
    return fields


def _varint(value: int) -> bytes:
    """Write a number, seven bits a byte."""
    raw = bytearray()
    while value > 127:
        raw.append(value & 127 | 128)
        value >>= 7
    raw.append(value)
    return bytes(raw)


def _number(raw: bytes, at: int) -> tuple[int, int]:
    """Read a number; returns where the next thing is."""
    value = shift = 0
    while True:
        byte = raw[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
