"""The results of a sweep: a list of dictionaries that can show and filter itself."""

from ._optional import require
from ._text import in_table


class Rows(list):
    """Results as a list of dictionaries: one row a setting, one key a column."""

    def column(self, name):
        """The values of one column; None where a row has none."""
        return [row.get(name) for row in self]

    def where(self, **wanted):
        """The rows whose columns have these values: `rows.where(technique="prune")`."""
        return Rows(row for row in self if all(row.get(name) == value for name, value in wanted.items()))

    @property
    def columns(self):
        """Every column that a row has, in the order of their first appearance."""
        return list(dict.fromkeys(name for row in self for name in row))

    def frame(self):
        """The rows as a pandas frame.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        return require("pandas", "rows.frame() needs pandas").DataFrame(list(self))

    def _repr_html_(self):
        return in_table(self.columns, [[_shown(row.get(name)) for name in self.columns] for row in self])


def _shown(value):
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
