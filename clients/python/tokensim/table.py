"""Rows and columns, without a package behind them; a pandas frame when there is pandas.

    table = result.requests()
    table["ttft_s"][0]; table.rows()[0]; table.frame().describe(); table.to_csv("requests.csv")
"""

import csv
import os
import typing

from tokensim.errors import NotFound


class Table:
    """Columns of equal length, in order. None stands for what is undefined. Not to be changed."""

    def __init__(self, columns: typing.Mapping[str, typing.Sequence[typing.Any]]):
        self.columns: typing.Dict[str, typing.Sequence[typing.Any]] = dict(columns)
        if len({len(values) for values in self.columns.values()}) > 1:
            raise ValueError("columns of unequal length")

    @classmethod
    def from_rows(cls, rows: typing.Sequence[typing.Mapping[str, typing.Any]],
                  columns: typing.Optional[typing.Sequence[str]] = None) -> "Table":
        """Columns in the order in which rows first have them."""
        names = list(columns) if columns is not None else list(dict.fromkeys(k for row in rows for k in row))
        return cls({name: [row.get(name) for row in rows] for name in names})

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def __getitem__(self, name: str) -> typing.Sequence[typing.Any]:
        return self.columns[name]

    def __iter__(self) -> typing.Iterator[typing.Dict[str, typing.Any]]:
        names = list(self.columns)
        return (dict(zip(names, values)) for values in zip(*self.columns.values()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Table) and self.columns == other.columns

    def rows(self) -> typing.List[typing.Dict[str, typing.Any]]:
        return list(self)

    def where(self, **values: typing.Any) -> "Table":
        """The rows whose columns have these values."""
        return Table.from_rows([row for row in self if all(row[k] == v for k, v in values.items())],
                               list(self.columns))

    def frame(self):
        """A pandas.DataFrame. NotFound without pandas."""
        try:
            import pandas
        except ImportError as error:
            raise NotFound("frames need pandas: apt install python3-pandas, or pip install pandas") from error
        return pandas.DataFrame({name: list(values) for name, values in self.columns.items()})

    def to_csv(self, path: typing.Union[str, os.PathLike]) -> None:
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(self.columns)
            writer.writerows(zip(*self.columns.values()))

    def __repr__(self) -> str:
        return f"Table({len(self)} rows: {', '.join(self.columns)})"

    def _repr_html_(self) -> str:
        try:
            return self.frame()._repr_html_()
        except NotFound:
            return ""
