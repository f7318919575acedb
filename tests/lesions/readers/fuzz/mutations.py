"""Damage to bytes, whatever they mean; the same for the same chance."""

import struct
from collections.abc import Callable, Sequence
from random import Random

# Where counts, sizes and signs break.
INTEGERS = (
    0, 1, 2, 7, 16, 127, 128, 255, 256, 4096, 4097, 32767, 32768, 65535, 65536, 2**24, 2**31 - 1,
    2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1,
)  # fmt: skip
FLOATS = (0.0, -0.0, -1.0, 1e-320, 1e-30, 1e30, 1e308, float("inf"), float("-inf"), float("nan"))
TEXTS = (
    "", " ", "nan", "NaN", "inf", "-inf", "1e308", "-1e308", "1e-320", "1e999", "-1", "0", "-0.0",
    "0.5", "1_0", "0x10", "٣", "１２", "½", "9" * 40, "9" * 400, "1,2", "1;2", "1\\2", "None", "-",
    '"', '"a', "'", "a\nb", "a\r\nb", "a\rb", "\0", "\x1b[2J", "%s%n", "{0}", "🙂", "\udc80",
    "../../etc/passwd", "/etc/passwd", "C:\\a", "x" * 5000,
)  # fmt: skip


def mutate(
    whole: bytes, chance: Random, *, others: Sequence[bytes] = (), front: int = 512
) -> bytes:
    """One to four kinds of damage, often near the front, where headers are; never none."""
    assert whole
    mutated = whole
    while mutated == whole:
        for _ in range(chance.choice((1, 1, 1, 2, 4))):
            if not mutated:
                break
            if others and chance.random() < 0.1:
                mutated = _splice(mutated, chance.choice(others), chance)
            else:
                mutated = chance.choice(_DAMAGES)(mutated, chance, front)
    return mutated


def _place(whole: bytes, chance: Random, front: int) -> int:
    return chance.randrange(min(len(whole), front) if chance.random() < 0.5 else len(whole))


def _span(whole: bytes, chance: Random, front: int) -> tuple[int, int]:
    start = _place(whole, chance, front)
    return start, min(start + chance.choice((1, 2, 4, 8, 64, 1024)), len(whole))


def _flip(whole: bytes, chance: Random, front: int) -> bytes:
    at = _place(whole, chance, front)
    return whole[:at] + bytes([whole[at] ^ 1 << chance.randrange(8)]) + whole[at + 1 :]


def _set(whole: bytes, chance: Random, front: int) -> bytes:
    start, end = _span(whole, chance, front)
    return whole[:start] + chance.randbytes(end - start) + whole[end:]


def _fill(whole: bytes, chance: Random, front: int) -> bytes:
    start, end = _span(whole, chance, front)
    return whole[:start] + chance.choice((b"\0", b"\xff")) * (end - start) + whole[end:]


def _integer(whole: bytes, chance: Random, front: int) -> bytes:
    at, size = _place(whole, chance, front), chance.choice((1, 2, 4, 8))
    value = chance.choice(INTEGERS) % (1 << 8 * size)
    return whole[:at] + value.to_bytes(size, chance.choice(("big", "little"))) + whole[at + size :]


def _float(whole: bytes, chance: Random, front: int) -> bytes:
    at, kind = _place(whole, chance, front) & ~3, chance.choice(("<f", "<d", ">f"))
    value = chance.choice(FLOATS)
    packed = struct.pack(kind, value if kind == "<d" or abs(value) < 1e38 else float("inf"))
    return whole[:at] + packed + whole[at + len(packed) :]


def _delete(whole: bytes, chance: Random, front: int) -> bytes:
    start, end = _span(whole, chance, front)
    return whole[:start] + whole[end:]


def _insert(whole: bytes, chance: Random, front: int) -> bytes:
    at = _place(whole, chance, front)
    return whole[:at] + chance.randbytes(chance.choice((1, 2, 4, 64))) + whole[at:]


def _repeat(whole: bytes, chance: Random, front: int) -> bytes:
    start, end = _span(whole, chance, front)
    return whole[:end] + whole[start:end] * chance.choice((1, 2, 16)) + whole[end:]


def _move(whole: bytes, chance: Random, front: int) -> bytes:
    start, end = _span(whole, chance, front)
    rest = whole[:start] + whole[end:]
    at = chance.randrange(len(rest) + 1)
    return rest[:at] + whole[start:end] + rest[at:]


def _truncate(whole: bytes, chance: Random, front: int) -> bytes:
    return whole[: _place(whole, chance, front)]


def _splice(whole: bytes, other: bytes, chance: Random) -> bytes:
    return whole[: chance.randrange(len(whole) + 1)] + other[chance.randrange(len(other) + 1) :]


_DAMAGES: tuple[Callable[[bytes, Random, int], bytes], ...] = (
    _flip, _flip, _flip, _set, _fill, _integer, _integer, _float, _delete, _insert, _repeat, _move,
    _truncate,
)  # fmt: skip
