"""The keys below `notify`: who is told of a subgraph that is newly shown, and in which form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from alertgraph_spark.access.hosts import WEBHOOK_FORMS
from alertgraph_spark.access.secret import NAMED_REFERENCE, NAMED_REFERENCE_WORDS
from alertgraph_spark.config.keys import key

LINK_FIELDS = ("subgraph_id", "site", "run_id")
"""What a link may name, each in braces."""

MOST_OF_A_LINK = 2000
"""Characters of a link's pattern: what every browser and both chats take."""


_LINK = r"https://[!#-;=?-\[\]_a-z{}~]+"  # what a URL may hold, and braces


@dataclass(frozen=True)
class Notify:
    """A webhook that is called once for each newly shown subgraph."""

    url: str | None = key(
        "reference to the URL of a webhook that is told once of each subgraph that is shown, never the URL: whoever has it "
        "can write to the channel; none: nobody is told",
        None,
        like=NAMED_REFERENCE,
        like_words=NAMED_REFERENCE_WORDS,
        is_reference=True,
    )
    form: str = key(
        "`teams`: Adaptive Card for a Teams workflow; `slack`: blocks for an incoming webhook; `json`: plain keys",
        "teams",
        choices=WEBHOOK_FORMS,
    )
    host: str | None = key(
        "host that the URL must have, with its port where that is not 443; by default those of Power Automate or Slack, "
        "required for `json`",
        None,
        like=r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:\d{1,5})?",
        like_words="host, or host and port",
    )
    link: str | None = key(
        "https URL that a message leads to, such as the workbook's or the report's; `{subgraph_id}`, `{site}` and `{run_id}` "
        "are filled in",
        None,
    )
    strict: bool = key("a message that is not delivered fails the run", False)

    def conflicts(self) -> Iterator[tuple[str, str]]:
        """Yield the key and the problem for everything that does not fit together."""
        if self.url is None:
            return
        if self.form == "json" and self.host is None:
            yield "host", "required where notify.form is json: any host may take it, so the right one is named"
        if self.link is None:
            return
        unknown = set(re.findall(r"\{(.*?)\}", self.link)) - set(LINK_FIELDS)
        if unknown or re.search(r"[{}]", re.sub(r"\{\w+\}", "", self.link)):
            yield "link", f"found {self.link!r}; allowed in braces: {', '.join(LINK_FIELDS)}"
        elif len(self.link) > MOST_OF_A_LINK or not re.fullmatch(_LINK, self.link):
            yield (
                "link",
                f"found {self.link[:60]!r}; allowed: an https URL of at most {MOST_OF_A_LINK} characters of ASCII",
            )
