"""Errors of a commit cycle and of a partition's start, named after what they ask for."""

from __future__ import annotations


class MustAbort(Exception):
    """The transaction cannot be committed: abort it and rewind."""


class RecordRefused(MustAbort):
    """The brokers refuse a record of the transaction, such as one that is too large, and would refuse it again."""


class MustEnd(Exception):
    """This producer can do nothing more, for it was fenced or is broken: end the process and start it again."""


class NeedsPerson(Exception):
    """Going on would do harm, and starting again would not help: end the process; a person has to decide."""


class OtherZones(NeedsPerson):
    """The worker has other time zones than those on which its prefix rests."""


class TopicsChanged(NeedsPerson):
    """A topic has other partitions than the settings say, or is gone."""


class TopicMadeAgain(Exception):
    """A topic was deleted and made again while the worker ran: end the process; the next start rebuilds its state."""


class ChangelogLost(NeedsPerson):
    """A changelog does not hold all that was written to it, so that no state can be restored from it."""


class RecordsLost(NeedsPerson):
    """Records of an input were deleted before they were read."""


class OffsetMissing(NeedsPerson):
    """There is state without its offset."""
