"""Data files: rows for workers, over all processes of a run."""

import os
import sys

from molotov import _core, _measures

DataExhausted = _core.DataExhausted


class Data:
    """The rows of a file. Make one with `molotov.data` where the script is loaded, so that all processes share it."""

    def __init__(self, rows):
        self._rows = rows

    def row(self):
        """Returns the row of the worker: the same one until the worker ends or, with `each="run"`, in one run of a scenario.

        A worker that ends and starts again takes the next row.
        """
        return self._rows.kept(_measures._worker("Data.row"))

    def next(self):
        """Takes another row."""
        return self._rows.take()

    def __len__(self):
        return len(self._rows)


def data(path, *, each="worker", order="circular"):
    """Opens a data file.

        users = molotov.data("users.csv")

        @scenario()
        async def log_in(session):
            user = users.row()
            await session.post(URL, data={"name": user["name"], "password": user["password"]})

    Rows of `.csv` and `.tsv` files are dictionaries of strings. Those of `.jsonl`, `.ndjson` and `.json` files are what their
    JSON is in Python. A relative path belongs to the working directory, or to the folder of the script if there is no such file
    in the working directory.

    `order` is "circular", "queue" (each row once), "shuffle" or "random". After the last row of a queue, `row` and `next` raise
    `DataExhausted`, which ends the worker and is no failure.
    """
    script = sys._getframe(1).f_globals.get("__file__")
    folder = os.path.dirname(os.path.abspath(script)) if script else None
    return Data(_core.Rows(os.fspath(path), folder, each, order))
