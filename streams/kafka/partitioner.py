"""The partition of a key, as Kafka's own clients choose it, from a number of partitions that the caller knows.

The client's partitioner would go by the number that it sees in the brokers' metadata. If somebody adds a partition, it
would begin to put the records of a customer elsewhere, in the middle of a cycle. So whatever we send names its
partition, and the number comes from the settings.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct
from typing import Final

_SEED: Final = 0x9747B28C
_FACTOR_HIGH: Final = 0x5BD1
_FACTOR_LOW: Final = 0xE995
_BITS: Final = 0xFFFFFFFF
_HALF: Final = 16
_LOW: Final = 0xFFFF
_POSITIVE: Final = 0x7FFFFFFF
_WORDS: Final = tuple(Struct(f"<{count}I") for count in range(32))
"""Readers of so many words; a longer key is read word by word."""
_KEYS_KEPT = 1 << 15


def partition_of(customer: str, partitions: int) -> int:
    """Return a customer's partition, the same as in every Kafka client with murmur2."""
    return partition_of_key(customer.encode(), partitions)


def partition_of_key(key: bytes, partitions: int) -> int:
    """Return the same for a key in bytes."""
    return _positive_hash(key) % partitions


@lru_cache(_KEYS_KEPT)
def _positive_hash(key: bytes) -> int:
    # kept, because a customer's records come close together, and hashing one takes longer than all else here
    return murmur2(key) & _POSITIVE


def murmur2(data: bytes) -> int:
    """Return the hash of `org.apache.kafka.common.utils.Utils.murmur2`, without a sign."""
    length = len(data)
    whole = length >> 2
    words = _WORDS[whole].unpack_from(data) if whole < len(_WORDS) else Struct(f"<{whole}I").unpack_from(data)
    hashed = _SEED ^ (length & _BITS)
    for word in words:
        mixed = _multiplied(word)
        hashed = _multiplied(hashed) ^ _multiplied(mixed ^ (mixed >> 24))
    if length & 3:
        hashed = _multiplied(hashed ^ int.from_bytes(data[whole << 2 :], "little"))
    hashed = _multiplied(hashed ^ (hashed >> 13))
    return hashed ^ (hashed >> 15)


def _multiplied(word: int) -> int:
    # by halves: where a factor has more than 30 bits, the compiled wheel multiplies objects, which takes far longer
    low = word & _LOW
    high = (low * _FACTOR_HIGH + (word >> _HALF) * _FACTOR_LOW) & _LOW
    return (low * _FACTOR_LOW + (high << _HALF)) & _BITS
