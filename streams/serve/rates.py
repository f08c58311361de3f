"""How much a key may send: buckets that fill with time, in seconds of any clock that only goes on."""

from __future__ import annotations


class Bucket:
    """What is left of a rate: it fills at `per_second`, up to what one second brings."""

    def __init__(self, per_second: float, now_s: float) -> None:
        self._per_second = per_second
        self._most = max(per_second, 1.0)
        self._left = self._most
        self._seen_s = now_s

    def wait_s(self, amount: float, now_s: float) -> float:
        """Take `amount` and return 0; or take nothing, and return after how many seconds it will be there.

        More than ever fits is taken from a full bucket, which is then empty for longer.
        """
        self._left = min(self._most, self._left + (now_s - self._seen_s) * self._per_second)
        self._seen_s = now_s
        missing = min(amount, self._most) - self._left
        if missing > 0:
            return missing / self._per_second
        self._left -= amount
        return 0.0

    def take(self, amount: float) -> None:
        """Take what has come in already, though less may be left."""
        self._left -= amount
