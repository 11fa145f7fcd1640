"""The forms of a notice: what Teams, Slack and other programs take.

References
----------
Teams: a message with one Adaptive Card, as the Workflows trigger "When a Teams webhook request is received" takes it, at most
28 KB: https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook
The MessageCard of the retired connectors is not sent. Markdown is read in a TextBlock and in facts, not in a RichTextBlock:
https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-format

Slack: at most 50 blocks, 3,000 characters in the text of one and 150 in a header: https://docs.slack.dev/reference/block-kit/blocks;
`&`, `<` and `>` are escaped: https://docs.slack.dev/messaging/formatting-message-text
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from alertgraph_spark.publish.notification.notice import Notice
from alertgraph_spark.publish.plain_text import clock
from alertgraph_spark.short_text import short

MOST_TEAMS_BYTES = 28_000
MOST_BLOCK, MOST_HEADER = 3000, 150

_LONGEST_ESCAPE = len("&amp;")


def body_of(notice: Notice, form: str) -> bytes:
    """A notice as the body of a call: JSON, in ASCII."""
    return json.dumps(_FORMS[form](notice)).encode()


def _json(notice: Notice) -> dict[str, Any]:
    return {
        "subgraph_id": notice.subgraph_id,
        "site": notice.site,
        "title": notice.title,
        "score": round(notice.score, 3),
        "probability": round(notice.probability, 3),
        "summary": notice.summary,
        "first_seen": _iso(notice.first_seen),
        "last_seen": _iso(notice.last_seen),
        "hosts": list(notice.hosts),
        "path": list(notice.path),
        "run_id": notice.run_id,
        "link": notice.link,
    }


def _teams(notice: Notice) -> dict[str, Any]:
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "fallbackText": notice.title,
        "body": [
            _run(notice.title, size="large", weight="bolder"),
            _run(_numbers(notice), isSubtle=True),
            _run(notice.summary),
            _run(_origin(notice), size="small", isSubtle=True),
        ],
    }
    if notice.link:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Open", "url": notice.link}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _run(text: str, **looks: Any) -> dict[str, Any]:
    """One paragraph in which no sign is read as Markdown."""
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **looks}]}


def _slack(notice: Notice) -> dict[str, Any]:
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _text(notice.title, MOST_HEADER)},
        {"type": "context", "elements": [_text(_numbers(notice))]},
        {"type": "section", "text": _text(notice.summary)},
        {"type": "context", "elements": [_text(_origin(notice))]},
    ]
    if notice.link:
        link = f"<{html.escape(notice.link, quote=False)}|Open>"
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": link, "verbatim": True}})
    return {
        "text": escaped(f"{notice.site}: {notice.title}", MOST_BLOCK),
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": blocks,
    }


def _text(text: str, most: int = MOST_BLOCK) -> dict[str, Any]:
    return {"type": "plain_text", "text": escaped(text, most), "emoji": False}


def escaped(text: str, most: int) -> str:
    """A text as Slack wants it, at most so many characters with its escapes.

    Examples
    --------
    >>> escaped("R&D <x>", 150), escaped("&" * 100, 30)
    ('R&amp;D &lt;x&gt;', '&amp;&amp;&amp;&amp;…')
    """
    whole = html.escape(text, quote=False)
    return whole if len(whole) <= most else html.escape(short(text, most // _LONGEST_ESCAPE - 1), quote=False)


def _numbers(notice: Notice) -> str:
    seen = f"{clock(notice.first_seen)} to {clock(notice.last_seen)} UTC"
    return f"{notice.site} · score {notice.score:.3f} · P {notice.probability:.2f} · {seen}"


def _origin(notice: Notice) -> str:
    return f"{notice.subgraph_id} · run {notice.run_id} · alertgraph-spark"


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")


_FORMS: Mapping[str, Callable[[Notice], dict[str, Any]]] = {"teams": _teams, "slack": _slack, "json": _json}
