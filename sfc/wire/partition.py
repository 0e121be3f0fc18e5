"""The default partitioner of Kafka's Java client: murmur2 of the key."""

from __future__ import annotations

from functools import lru_cache
from struct import unpack_from

_M = 0x5BD1E995
_SEED = 0x9747B28C
_MASK = 0xFFFFFFFF


def _hash(data: bytes) -> int:
    """murmur2 as an unsigned 32-bit integer."""
    length = len(data)
    words = length >> 2
    h = _SEED ^ length
    for k in unpack_from(f"<{words}I", data):
        k = (k * _M) & _MASK  # noqa: PLW2901 - the hot loop of every keyed record
        h = ((h * _M) & _MASK) ^ (((k ^ (k >> 24)) * _M) & _MASK)
    if length & 3:
        h = ((h ^ int.from_bytes(data[words << 2 :], "little")) * _M) & _MASK
    h = ((h ^ (h >> 13)) * _M) & _MASK
    return h ^ (h >> 15)


def murmur2(data: bytes) -> int:
    """The hash as Java has it: a signed 32-bit integer."""
    h = _hash(data)
    return h - 0x1_0000_0000 if h & 0x8000_0000 else h


@lru_cache(maxsize=10_000)  # a flow's key comes again with each of its commands, and hashing it takes 3 µs
def partition_of(key: bytes, partitions: int) -> int:
    """The partition where the Java client puts a key."""
    return (_hash(key) & 0x7FFFFFFF) % partitions
