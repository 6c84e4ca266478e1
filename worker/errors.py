"""What can go wrong with the job store.

RecordsError
 |- UnknownJob             never existed
 |- ExpiredJob             existed, was deleted or outlived its lifetime
 |- ForeignJob             written by another version, which this one does not read
 |- IdempotencyMismatch    the key is bound to another request
 |- Overloaded             try again later
     |- QueueFull
     |- StoreFull
"""


class RecordsError(Exception):
    """Base of all below."""


class UnknownJob(RecordsError):
    pass


class ExpiredJob(RecordsError):
    pass


class ForeignJob(RecordsError):
    pass


class IdempotencyMismatch(RecordsError):
    pass


class Overloaded(RecordsError):
    pass


class QueueFull(Overloaded):
    pass


class StoreFull(Overloaded):
    pass
