"""Where the records of a customer are."""

from __future__ import annotations

from streams.operations.prefix import partition_of


def test_a_customers_partition_is_that_of_kafkas_own_murmur2() -> None:
    # org.apache.kafka.common.utils.Utils.murmur2 of "21" is -973932308
    assert partition_of("21", 1024) == (-973932308 & 0x7FFFFFFF) % 1024
