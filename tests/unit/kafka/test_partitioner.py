"""Where the records of a key are: where Kafka's own clients put them."""

from __future__ import annotations

import ctypes
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import confluent_kafka
import pytest

from streams.kafka.partitioner import murmur2, partition_of, partition_of_key

if TYPE_CHECKING:
    from collections.abc import Callable

KEYS = 5_000
KEY_BYTES_MAX = 300

# UtilsTest.testMurmur2 of Apache Kafka
JAVA = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.fixture(scope="module")
def of_librdkafka() -> Callable[[bytes, int], int]:
    """The partitioner `murmur2` within the library that our clients are made of."""
    folder = Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs"
    [library] = folder.glob("librdkafka*")
    choose: Any = ctypes.CDLL(str(library)).rd_kafka_msg_partitioner_murmur2
    choose.restype = ctypes.c_int32
    choose.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int32, *[ctypes.c_void_p] * 2]
    return lambda key, partitions: int(choose(None, key, len(key), partitions, None, None))


@pytest.mark.parametrize(("key", "hashed"), JAVA.items())
def test_the_hash_is_the_one_of_java(key: bytes, hashed: int) -> None:
    assert murmur2(key) == hashed & 0xFFFFFFFF


def test_a_key_has_the_partition_that_librdkafka_chooses(of_librdkafka: Callable[[bytes, int], int], seed: int) -> None:
    chance = Random(seed)
    for _ in range(KEYS):
        key = chance.randbytes(chance.randrange(KEY_BYTES_MAX))
        partitions = chance.randint(1, 1_024)
        assert partition_of_key(key, partitions) == of_librdkafka(key, partitions), f"key {key!r}"


def test_every_length_about_a_whole_number_of_words_is_hashed(of_librdkafka: Callable[[bytes, int], int]) -> None:
    for length in range(140):
        key = bytes(range(length))
        assert partition_of_key(key, 997) == of_librdkafka(key, 997), f"{length} bytes"


def test_a_customers_partition_is_that_of_their_key() -> None:
    assert partition_of("u:jörg", 12) == partition_of_key("u:jörg".encode(), 12)
