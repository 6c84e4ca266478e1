"""What a part of the benchmark found: tables, printed as Markdown, and figures."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Table:
    """`rows` under `header`; `notes` say how it was measured."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[object]]
    notes: str = ""

    def markdown(self) -> str:
        lines = [self.header, ["---"] * len(self.header), *self.rows]
        body = "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
        return "\n\n".join(part for part in (self.title and f"### {self.title}", self.notes, body) if part) + "\n"


@dataclass(frozen=True, slots=True)
class Findings:
    """Tables of a part, and its figures: file name -> SVG."""

    tables: Sequence[Table]
    figures: dict[str, str] = field(default_factory=dict)
