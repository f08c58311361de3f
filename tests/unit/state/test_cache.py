"""Decoded values in memory: bounded by the bytes they come from, and the ones in use stay."""

from __future__ import annotations

from state.cache import Cache, share


def held(cache: Cache[str], count: int) -> list[int]:
    return [number for number in range(count) if number in kept(cache)]


def kept(cache: Cache[str]) -> set[int]:
    """Without a use, which would keep them longer."""
    return {int(key) for generation in (cache._young, cache._old) for key in generation}  # noqa: SLF001 - as said


def filled(cache: Cache[str], count: int, size: int) -> Cache[str]:
    for number in range(count):
        cache.put(b"%d" % number, f"v{number}", size)
    return cache


def test_few_values_are_all_kept() -> None:
    assert held(filled(Cache(1_000), 40, 10), 40) == list(range(40))


def test_the_bytes_are_bounded_however_many_values_come() -> None:
    for count in (200, 2_000, 20_000):
        assert len(kept(filled(Cache(1_000), count, 10))) * 10 <= 1_000


def test_of_larger_values_fewer_are_kept() -> None:
    assert len(kept(filled(Cache(1_000), 1_000, 100))) * 100 <= 1_000


def test_a_value_used_often_stays_while_others_pass() -> None:
    cache = Cache[str](1_000)
    cache.put(b"0", "regular", 10)
    for number in range(1, 5_000):
        cache.put(b"%d" % number, "once", 10)
        assert cache.get(b"0") == "regular"


def test_a_value_put_again_is_the_new_one_and_counts_once() -> None:
    cache = filled(Cache(1_000), 40, 10)
    for _ in range(1_000):
        cache.put(b"7", "newer", 10)
    assert cache.get(b"7") == "newer"
    assert held(cache, 40) == list(range(40))


def test_a_value_used_again_and_then_changed_is_not_found_as_it_was() -> None:
    cache = filled(Cache(1_000), 60, 10)
    cache.put(b"0", "newer", 10)
    for number in range(100, 140):
        cache.put(b"%d" % number, "other", 10)
        assert cache.get(b"0") == "newer"


def test_a_value_taken_out_is_gone_from_both_generations() -> None:
    cache = filled(Cache(1_000), 60, 10)
    for number in (1, 55):
        cache.pop(b"%d" % number)
        assert cache.get(b"%d" % number) is None


def test_partitions_share_what_one_would_have() -> None:
    caches = [Cache[str]() for _ in range(4)]
    share(caches, 1_000)
    assert [cache.bytes_max for cache in caches] == [250] * 4
    share(caches[:1], 1_000)
    assert caches[0].bytes_max == 1_000
