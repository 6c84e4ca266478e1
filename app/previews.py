"""The images of a job as its `progress` events tell of them. One a listener: each image is drawn on, not anew."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.growing_png import GrowingPng
from app.levels import to_bytes
from app.pictures import levels_of, shown_columns
from worker.records import JobRecord, Records


class Previews:
    """Not thread-safe; what it is asked of one event it must be asked before the next."""

    def __init__(self, records: Records, record: JobRecord) -> None:
        self._records, self._record = records, record
        self._growing: dict[int, GrowingPng] = {}

    def after(self, rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, int, bytes]]:
        """The images that an event has added `rows` to, by sample: its number, how many rows it shows, the PNG.

        Finished rows are final, so a canvas cut there is the image as it stood. Those of a hole that is swept are not:
        its images are shown as they stand now, with all rows that they have.
        """
        numbers: dict[int, list[int]] = {}
        for row in rows:
            numbers.setdefault(row["sample"], []).append(row["row"])
        for sample, told in sorted(numbers.items()):
            picture = self._swept(sample) if self._record.request.sweeps else self._grown(sample, told[0], told[-1] + 1)
            yield sample, picture.rows, picture.file()

    def _grown(self, sample: int, start: int, stop: int) -> GrowingPng:
        """The image of a sample up to row `stop`, of which the rows before `start` were told before."""
        request = self._record.request
        picture = self._growing.pop(sample, None)
        if picture is None or picture.rows != start:  # the first event, or the job has begun again
            picture, start = GrowingPng(request.height, request.width), 0
        where = range(request.hidden_rows + start, request.hidden_rows + stop)
        fresh = self._records.canvas_rows(self._record.id, sample, request, where)
        picture.add(to_bytes(shown_columns(fresh, request), request.num_levels))
        if picture.rows < request.height:
            self._growing[sample] = picture
        return picture

    def _swept(self, sample: int) -> GrowingPng:
        request = self._record.request
        picture = GrowingPng(request.height, request.width)
        canvas = self._records.canvas(self._record.id, sample)
        picture.add(to_bytes(levels_of(canvas, request), request.num_levels))
        return picture
