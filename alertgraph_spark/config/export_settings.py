"""The keys of what is read: where the export is, and which of its tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from alertgraph_spark.access.hosts import is_storage_account
from alertgraph_spark.access.secret import REFERENCE, REFERENCE_WORDS
from alertgraph_spark.config.keys import key


@dataclass(frozen=True)
class Export:
    """Where the alerts are, and how far around the window they are read."""

    root: str = key(
        "folder or URL that holds the `am-<table>` folders of the export, or a URL with `{container}` in that place; "
        "or `https://ACCOUNT.blob.core.windows.net`, which is mirrored first"
    )
    workspaces: str | tuple[str, ...] = key("workspaces to read, each one a site", "all", choices=("all",))
    look_back_hours: float = key(
        "rows that are written late: subgraphs with an alert received at most so long before the window are told again",
        48.0,
        within="[0, 720]",
    )
    history_hours: float = key(
        "how far before the window alerts count as history for rarity; from two days on whole days",
        720.0,
        within="[0, 8760]",
    )
    incidents: str = key(
        "exported table with Sentinel's incidents, whose classifications come back as verdicts; read where it is there; or "
        "`none`",
        "SecurityIncident",
        like=r"[A-Za-z]\w*",
        like_words="letters, digits, _",
    )
    credential: str = key(
        "https root: reference to what opens the account, never the secret: azure-identity's default chain, or where a "
        "connection string, SAS token or account key is kept",
        "default",
        like=REFERENCE,
        like_words=REFERENCE_WORDS,
        is_reference=True,
    )
    staging: str | None = key(
        "https root: folder for the mirror, by default in the user's cache; on a cluster one that each machine sees",
        None,
    )

    def conflicts(self) -> Iterator[tuple[str, str]]:
        """Yield the key and the problem for everything that does not fit together."""
        if not self.workspaces:
            yield "workspaces", "empty; allowed: `all` or the names of workspaces"
        if self.root and self.root.lower().startswith(("http:", "https:")):
            if not is_storage_account(self.root):
                yield (
                    "root",
                    (
                        f"found {self.root!r}; allowed: https://ACCOUNT.blob.core.windows.net or its like in another cloud, "
                        "and nothing after the host; a host and the account's name for an emulator on 127.0.0.1"
                    ),
                )
        elif self.credential != "default" or self.staging is not None:
            yield "root", "credential and staging are for an https root; any other is opened by Spark's own settings"


@dataclass(frozen=True)
class Source:
    """One exported table and the format that reads it; `file` is where the format was found."""

    table: str = key("exported table, as Log Analytics names it", like=r"[A-Za-z]\w*", like_words="letters, digits, _")
    format: str = key("name of a shipped format, or a YAML file beside this file or in the working directory")
    container: str | None = key("container that holds the table, where it is not `am-` and the table's name", None)
    file: Path = field(default=Path(), compare=False)
