"""A webhook is told once of each subgraph that is shown, whatever happens on the way; no text of an attacker acts there."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import re
import secrets
import signal
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from told import Subgraph, record_of, tables_of

from alertgraph_spark.access.hosts import is_webhook
from alertgraph_spark.access.secret import Secret
from alertgraph_spark.commands.cli import check_notified, notified_words
from alertgraph_spark.config.loading import load_settings
from alertgraph_spark.config.settings import Settings
from alertgraph_spark.errors import ConfigError, PublishError
from alertgraph_spark.publish import notices, results
from alertgraph_spark.publish.files import MemoryFiles
from alertgraph_spark.publish.http_post import Response
from alertgraph_spark.publish.notification import NotifyCounts, Webhook, tell
from alertgraph_spark.publish.notification.forms import MOST_TEAMS_BYTES, body_of
from alertgraph_spark.publish.notification.ledger import KEPT, Ledger
from alertgraph_spark.publish.notification.notice import defanged, named, notices_of
from alertgraph_spark.publish.results import LocalFolder, Runs

sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))  # the examples are no part of the wheel

from emulator.faults import KILLS, Fault, FaultPlan
from emulator.server import LogsIngestionEmulator

REFERENCE = "env:ALERTGRAPH_TEST_WEBHOOK"
TOKEN = secrets.token_hex(16)
FORMS = ("teams", "slack", "json")
NOW = datetime(2026, 3, 2, tzinfo=timezone.utc)


@dataclass
class Channel:
    """A webhook of the emulator and the folder of all runs; what is waited for passes at once."""

    emulator: LogsIngestionEmulator
    db: Path
    form: str = "json"
    link: str | None = None
    files: MemoryFiles = field(default_factory=MemoryFiles)
    waits: list[float] = field(default_factory=list)
    url: str = ""

    def run(self, run_id: str, subgraphs: Mapping[str, Subgraph], **more: Any) -> NotifyCounts:
        now = 0.0

        def sleep(seconds: float) -> None:
            nonlocal now
            now += seconds
            self.waits.append(seconds)

        url = self.url or self.emulator.webhook(self.form)
        edges = {"clock": lambda: now, "sleep": sleep, "jitter": lambda: 0.0, "timeout_seconds": 5.0} | more
        webhook = Webhook(REFERENCE, self.form, lambda _: Secret(url), host=None, link=self.link, **edges)
        return tell(webhook, tables_of(subgraphs), run_id, self.files)

    @property
    def heard(self) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(self.db)) as connection:
            return [json.loads(body) for (body,) in connection.execute("SELECT Body FROM Notified")]

    @property
    def ids(self) -> list[str]:
        return [body["subgraph_id"] for body in self.heard]


@pytest.fixture
def channel(tmp_path: Path) -> Iterator[Channel]:
    with LogsIngestionEmulator(tmp_path / "posted.sqlite", TOKEN) as emulator:
        yield Channel(emulator, tmp_path / "posted.sqlite")


ONE, TWO = {"sg-1": Subgraph("ab")}, {"sg-1": Subgraph("ab"), "sg-2": Subgraph("c")}

# --- once for each ---------------------------------------------------------------------------------------------------


def test_each_shown_subgraph_is_told_once_and_best_first(channel: Channel) -> None:
    assert channel.run("run-1", TWO) == NotifyCounts(n_shown=2, n_told=2)
    assert channel.run("run-2", TWO) == NotifyCounts(n_shown=2, n_before=2)
    assert channel.ids == ["sg-1", "sg-2"]
    assert channel.waits == [1.0], "one second between two calls"


def test_what_is_not_shown_is_not_told_until_it_is(channel: Channel) -> None:
    assert channel.run("run-1", {**ONE, "sg-2": Subgraph("c", row={"is_shown": False})}).n_shown == 1
    assert channel.run("run-2", TWO) == NotifyCounts(n_shown=2, n_told=1, n_before=1)
    assert channel.ids == ["sg-1", "sg-2"]


def test_what_an_exception_hides_is_not_told(channel: Channel) -> None:
    until = datetime(2026, 4, 1, tzinfo=timezone.utc)
    by = [{"id": "x1", "owner": "ann", "reason": "scan", "ticket": None, "until": until}]
    assert channel.run("run-1", {"sg-1": Subgraph("a", row={"suppressed_by": by})}) == NotifyCounts(n_shown=0)
    assert channel.heard == []


def test_what_has_grown_or_gone_and_come_back_is_not_told_again(channel: Channel) -> None:
    channel.run("run-1", ONE)
    channel.run("run-2", {"sg-1": Subgraph("abcd", hosts=("ws1", "fs1", "plc3"))})
    channel.run("run-3", {"sg-2": Subgraph("c")})
    channel.run("run-4", TWO)
    assert channel.ids == ["sg-1", "sg-2"]


def test_one_id_at_two_sites_is_two_subgraphs(channel: Channel) -> None:
    channel.run("run-1", {"sg-1": Subgraph("a", site="north")})
    channel.run("run-2", {"sg-1": Subgraph("a", site="south")})
    assert [body["site"] for body in channel.heard] == ["north", "south"]


def test_a_url_that_is_renewed_leads_to_the_same_people_and_another_reference_to_others() -> None:
    files = MemoryFiles()
    Ledger.open(files, REFERENCE, NOW).mark(("plant", "sg-1"), NOW)
    assert ("plant", "sg-1") in Ledger.open(files, REFERENCE, NOW).told
    assert Ledger.open(files, "env:OTHER", NOW).told == {}


# --- the ledger ------------------------------------------------------------------------------------------------------


def tell_in_a_process(url: str, place: str) -> None:
    """Be a process that tells of two subgraphs."""
    webhook = Webhook(REFERENCE, "json", lambda _: Secret(url), sleep=lambda _: None)
    tell(webhook, tables_of(TWO), "run-1", LocalFolder(place))


@pytest.mark.parametrize(
    ("kill", "heard"),
    [(KILLS[0], ["sg-1", "sg-2"]), (KILLS[1], ["sg-1", "sg-2", "sg-2"])],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_killed_run_loses_nothing_and_repeats_at_most_the_call_under_way(
    channel: Channel, tmp_path: Path, kill: Fault, heard: list[str]
) -> None:
    url, place = channel.emulator.webhook("json"), str(tmp_path / "runs")
    process = multiprocessing.get_context("forkserver").Process(target=tell_in_a_process, args=(url, place))
    channel.emulator.faults = FaultPlan([None, kill], kill=lambda: os.kill(process.pid or 0, signal.SIGKILL))
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL

    tell_in_a_process(url, place)
    tell_in_a_process(url, place)
    assert channel.ids == heard


def test_the_ledger_stays_one_file_and_two_runs_at_one_time_both_count() -> None:
    files = MemoryFiles()
    first, second = (Ledger.open(files, REFERENCE, NOW) for _ in range(2))
    first.mark(("plant", "sg-1"), NOW)
    second.mark(("plant", "sg-2"), NOW)
    first.close(NOW)
    second.close(NOW)
    later = Ledger.open(files, REFERENCE, NOW)
    assert set(later.told) == {("plant", "sg-1"), ("plant", "sg-2")}
    later.close(NOW)
    assert len(files.content) == 1


def test_the_ledger_forgets_after_more_than_a_year_and_not_before() -> None:
    files = MemoryFiles()
    Ledger.open(files, REFERENCE, NOW).mark(("plant", "sg-1"), NOW)
    for days, kept in ((400, [("plant", "sg-1"), ("plant", "sg-2")]), (401, [("plant", "sg-2")])):
        then = NOW + timedelta(days=days)
        ledger = Ledger.open(files, REFERENCE, then)
        ledger.mark(("plant", "sg-2"), then)
        ledger.close(then)
        assert [*Ledger.open(files, REFERENCE, then).told] == kept
    assert timedelta(hours=8760) < KEPT, "the longest history"


def test_a_ledger_that_cannot_be_read_is_told_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    files = MemoryFiles()
    place = Ledger.open(files, REFERENCE, NOW).place
    files.write(f"{place}/told-20260301T000000-aaaa.json", b'[["plant"')
    files.write(f"{place}/told-20260301T000001-aaaa.json", b'[["plant","sg-2",1]]')
    assert [*Ledger.open(files, REFERENCE, NOW).told] == [("plant", "sg-2")]
    assert "cannot be read: what it knew to be told is told again" in caplog.text


# --- what goes wrong on the way --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "waited"),
    [
        (Fault("429", status=429, headers=(("Retry-After", "7"),)), 7.0),
        (Fault("503", status=503), 0.5),
        (Fault("cut", ends="cut"), 0.5),
        (Fault("hang", ends="hang"), 0.5),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_call_is_repeated_where_that_may_help(channel: Channel, fault: Fault, waited: float) -> None:
    channel.emulator.faults = FaultPlan([fault])
    assert channel.run("run-1", ONE, timeout_seconds=0.3) == NotifyCounts(n_shown=1, n_told=1)
    assert channel.ids == ["sg-1"]
    assert channel.waits == [waited]


def test_a_receiver_that_stays_away_is_left_at_the_deadline_and_the_next_run_tells_the_rest(channel: Channel) -> None:
    channel.emulator.faults = FaultPlan([None, *[Fault("503", status=503)] * 50])
    counts = channel.run("run-1", TWO)
    assert (counts.n_told, counts.n_missing, counts.n_refused) == (1, 1, 0)
    assert re.fullmatch(r"webhook: 503 after \d+ attempts, for 300 s", counts.error)
    assert sum(channel.waits) < 302

    channel.emulator.faults = FaultPlan()
    assert channel.run("run-2", TWO) == NotifyCounts(n_shown=2, n_told=1, n_before=1)


@pytest.mark.parametrize("status", [401, 403, 404, 410, 302, 405])
def test_an_address_that_refuses_is_called_once(channel: Channel, status: int) -> None:
    channel.emulator.faults = FaultPlan([Fault("no", status=status)] * 9)
    counts = channel.run("run-1", TWO)
    assert (counts.n_told, counts.n_refused, counts.n_missing) == (0, 0, 2)
    assert counts.error.startswith(f"webhook: {status}: ")
    assert channel.emulator.traffic[0] == 1
    assert channel.waits == []


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_message_that_is_refused_keeps_no_other_back(channel: Channel, status: int) -> None:
    channel.emulator.faults = FaultPlan([Fault("no", status=status)])
    counts = channel.run("run-1", TWO)
    assert (counts.n_told, counts.n_refused, counts.n_missing) == (1, 1, 1)
    assert counts.error.startswith(f"webhook: {status}: the receiver")
    assert channel.ids == ["sg-2"]
    assert channel.run("run-2", TWO).n_told == 1, "it is tried again"


def test_the_answer_of_a_login_page_is_no_yes(channel: Channel) -> None:
    def page(*_: object) -> Response:
        return Response(200, {"content-type": "text/html; charset=utf-8"})

    for form in FORMS:
        channel.form = form
        counts = channel.run("run-1", ONE, transport=page)
        assert counts.error == "webhook: 200: not an answer of a webhook; check notify.url, notify.form and the proxy"
    assert channel.files.content == {}


def test_a_webhook_that_was_removed_is_told_in_the_receivers_word(channel: Channel) -> None:
    channel.form, channel.url = "slack", f"{channel.emulator.url}/webhooks/slack/old"
    assert channel.run("run-1", ONE).error.startswith("webhook: 404 (no_service): no such webhook")


# --- the address -----------------------------------------------------------------------------------------------------

FLOW = "https://prod-1.westeurope.logic.azure.com:443/workflows/x/triggers/manual/paths/invoke?api-version=1&sig=S3"


@pytest.mark.parametrize(
    ("url", "form", "host", "is_right"),
    [
        (FLOW, "teams", None, True),
        ("https://d1.2f.environment.api.powerplatform.com/powerautomate/x/invoke?sig=S3", "teams", None, True),
        ("https://hooks.slack.com/services/T0/B0/xyz", "slack", None, True),
        ("https://hooks.slack-gov.com/services/T0/B0/xyz", "slack", None, True),
        ("http://127.0.0.1:8080/webhooks/json/x", "json", None, True),
        ("https://soar.example/hook", "json", "soar.example", True),
        ("https://soar.example:8443/hook", "json", "SOAR.example:8443", True),
        ("https://chat.example/hooks/x", "slack", "chat.example", True),
        (FLOW.replace("https", "http"), "teams", None, False),
        (FLOW.replace(":443", ":444"), "teams", None, False),
        (FLOW, "slack", None, False),
        ("https://hooks.slack.com.evil.example/x", "slack", None, False),
        ("https://evil.example/logic.azure.com", "teams", None, False),
        ("https://logic.azure.com@evil.example/", "teams", None, False),
        ("https://tenant.webhook.office.com/webhookb2/x", "teams", None, False),  # the retired connectors
        ("https://soar.example/hook", "json", None, False),
        ("https://soar.example:8443/hook", "json", "soar.example", False),
        ("http://soar.example/hook", "json", "soar.example", False),
        ("https://soar.example/ho\nok", "json", "soar.example", False),
        ("ftp://127.0.0.1/x", "json", None, False),
        ("https://[::1", "json", None, False),
    ],
)
def test_an_address_is_https_at_the_host_of_its_form(url: str, form: str, host: str | None, is_right: bool) -> None:
    assert is_webhook(url, form, host) is is_right


def test_a_secret_that_is_no_such_address_is_refused_and_not_repeated() -> None:
    webhook = Webhook(REFERENCE, "slack", lambda _: Secret("https://evil.example/S3CRET"))
    with pytest.raises(
        ConfigError, match=r"notify\.url: what env:\w+ names is no https address of an incoming"
    ) as error:
        webhook.url()
    assert "S3CRET" not in str(error.value)
    assert "evil" not in str(error.value)


def test_the_address_stays_out_of_logs_messages_and_the_ledger(
    channel: Channel, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    channel.emulator.faults = FaultPlan([Fault("cut", ends="cut"), Fault("503", status=503), Fault("404", status=404)])
    counts = channel.run("run-1", ONE)
    channel.run("run-2", ONE)
    kept = [*channel.files.content, *(text.decode() for text in channel.files.content.values())]
    assert "attempt 2" in caplog.text
    assert not [text for text in (caplog.text, repr(counts), *kept) if TOKEN in text or "127.0.0.1" in text]


# --- the configuration -----------------------------------------------------------------------------------------------

CONFIG = """
export: {root: lake}
sources: [{table: SecurityAlert, format: security_alert}]
results: {path: out}
"""


def loaded(tmp_path: Path, **notify: Any) -> Settings:
    file = tmp_path / "job.yaml"
    file.write_text(f"{CONFIG}notify: {json.dumps(notify)}\n", encoding="utf-8")
    return load_settings(file)


def test_a_webhook_is_configured_by_two_lines(tmp_path: Path) -> None:
    found = loaded(tmp_path, url="keyvault://soc/alertgraph-webhook", form="slack").notify
    assert (found.form, found.host, found.link, found.strict) == ("slack", None, None, False)
    assert loaded(tmp_path).notify.url is None, "nobody is told unless it is asked for"


@pytest.mark.parametrize(
    ("notify", "said"),
    [
        ({"url": "https://hooks.slack.com/services/T0/B0/xyz"}, "notify.url: found a value that is not shown"),
        ({"url": "default"}, "notify.url: found a value that is not shown"),
        ({"url": "env:W", "form": "discord"}, "notify.form: found 'discord'; allowed: `teams`, `slack`, `json`"),
        ({"url": "env:W", "form": "json"}, "notify.host: required where notify.form is json"),
        ({"url": "env:W", "host": "https://soar.example"}, "notify.host: found 'https://soar.example'"),
        (
            {"url": "env:W", "link": "http://soc.example/{site}"},
            "notify.link: found 'http://soc.example/{site}'",
        ),
        ({"url": "env:W", "link": "https://soc.example/{title}"}, "allowed in braces: subgraph_id, site, run_id"),
        ({"url": "env:W", "link": "https://soc.example/{site"}, "allowed in braces: subgraph_id, site, run_id"),
        ({"url": "env:W", "link": "https://soc.example/|x>"}, "allowed: an https URL"),
        ({"url": "env:W", "link": "https://soc.example/" + "x" * 2000}, "allowed: an https URL of at most 2000"),
    ],
)
def test_what_is_wrong_is_refused_before_the_work(tmp_path: Path, notify: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        loaded(tmp_path, **notify)
    assert said in str(error.value)
    assert "xyz" not in str(error.value)


# --- the forms -------------------------------------------------------------------------------------------------------

EVIL = (
    "@channel <!here> <@U024BE7LH> <at>Ann</at> [click](https://evil.example/x) <https://evil.example|mail> **b** `c` "
    "http://10.0.0.5/a www.evil.example evil.example file://evil/x mailto:ann@evil.example \u202e\x1b[2J\n# head & more"
)


def forms_of(subgraphs: Mapping[str, Subgraph], link: str | None = None) -> dict[str, dict[str, Any]]:
    (notice,) = notices_of(tables_of(subgraphs), "run-1", link)
    return {form: json.loads(body_of(notice, form)) for form in FORMS}


def texts_of(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        part = [*part.values()]
    if isinstance(part, list):
        for one in part:
            yield from texts_of(one)
    elif isinstance(part, str):
        yield part


def test_plain_json_has_the_documented_keys() -> None:
    row = {
        "title": "Lateral movement: ws1 → fs1",
        "summary": "Lateral movement: ws1 → fs1; 2 alerts",
        "score": 0.61234,
        "probability": 0.4801,
        "path": ["host:ws1", "host:fs1"],
    }
    link = "https://soc.example/report?id={subgraph_id}&site={site}#{run_id}"
    assert forms_of({"sg-1": Subgraph("ab", site="plant north", row=row)}, link)["json"] == {
        "subgraph_id": "sg-1",
        "site": "plant north",
        "title": "Lateral movement: ws1 → fs1",
        "score": 0.612,
        "probability": 0.48,
        "summary": "Lateral movement: ws1 → fs1; 2 alerts",
        "first_seen": "2026-03-02T00:00:00Z",
        "last_seen": "2026-03-02T12:00:00Z",
        "hosts": ["fs1", "ws1"],
        "path": ["ws1", "fs1"],
        "run_id": "run-1",
        "link": "https://soc.example/report?id=sg-1&site=plant%20north#run-1",
    }
    assert forms_of(ONE)["json"]["link"] is None


def test_teams_gets_one_adaptive_card_without_markdown_and_a_button() -> None:
    row = {"title": "Spray *on* fs1"}
    message = forms_of({"sg-1": Subgraph("ab", row=row)}, "https://soc.example/{subgraph_id}")["teams"]
    (attachment,) = message["attachments"]
    card = attachment["content"]
    assert (message["type"], attachment["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert {part["type"] for part in card["body"]} == {"RichTextBlock"}, "a TextBlock and facts are read as Markdown"
    said = [run["text"] for part in card["body"] for run in part["inlines"]]
    assert said[0] == "Spray on fs1"
    assert said[1] == "plant · score 0.500 · P 0.30 · 2026-03-02 00:00 to 2026-03-02 12:00 UTC"
    assert card["actions"] == [{"type": "Action.OpenUrl", "title": "Open", "url": "https://soc.example/sg-1"}]


def test_slack_gets_blocks_and_a_text_beside_them() -> None:
    row = {"title": "R&D host"}
    message = forms_of({"sg-1": Subgraph("ab", row=row)}, "https://soc.example/?a=1&b={subgraph_id}")["slack"]
    assert message["text"] == "plant: R&amp;D host"
    title = {"type": "plain_text", "text": "R&amp;D host", "emoji": False}
    assert message["blocks"][0] == {"type": "header", "text": title}
    link = {"type": "mrkdwn", "text": "<https://soc.example/?a=1&amp;b=sg-1|Open>", "verbatim": True}
    assert message["blocks"][-1]["text"] == link
    texts = [
        text for block in message["blocks"][:-1] for text in [block.get("text"), *block.get("elements", [])] if text
    ]
    assert {text["type"] for text in texts} == {"plain_text"}, "what an attacker wrote is never mrkdwn"
    assert (message["unfurl_links"], message["unfurl_media"], message["mrkdwn"]) == (False, False, False)


@pytest.mark.parametrize("form", FORMS)
def test_text_of_an_attacker_mentions_nobody_and_links_nowhere(form: str) -> None:
    row = {"title": EVIL, "summary": EVIL, "path": [f"host:{EVIL}"]}
    message = forms_of({"sg-1": Subgraph("ab", hosts=(EVIL,), site=EVIL[:40], row=row)})[form]
    said = [text for text in texts_of(message) if not text.startswith(("http://adaptivecards.io", "application/"))]
    assert any("hxxps://evil" in text for text in said), "what was written is told"
    for text in said:
        assert not re.search(r"(?<!\w)@|[<>`\[\]{}*|#]", text.replace("[.]", "").replace("[:]", "")), text
        assert "://" not in text.replace("hxxp://", "").replace("hxxps://", ""), text
        assert text.isprintable(), repr(text)
    sentences = [message["title"], message["summary"]] if form == "json" else said
    assert not [text for text in sentences if "evil.example" in text], "a client makes a link of it"


@pytest.mark.parametrize("sign", ["a", "&", "<", "😀", "é", ".", "@", "a.bc ", "\u0301"], ids=ascii)
@pytest.mark.parametrize("form", FORMS)
def test_no_text_is_too_long_for_the_receiver(channel: Channel, form: str, sign: str) -> None:
    flood, key = 5000 * sign, f"host:{500 * sign}"
    hosts = [f"{n}{200 * sign}" for n in range(90)]
    found = {"sg-1": Subgraph("ab", hosts=hosts, row={"title": flood, "summary": flood, "path": [key] * 100})}
    channel.form, channel.link = form, f"https://soc.example/{'x' * 1900}/{{subgraph_id}}"
    assert channel.run("run-1", found) == NotifyCounts(n_shown=1, n_told=1)
    (notice,) = notices_of(tables_of(found), "run-1", channel.link)
    assert len(body_of(notice, "teams")) < MOST_TEAMS_BYTES
    assert len(notice.hosts) == 50


def test_names_stay_what_another_program_looks_up() -> None:
    assert named("fs01.corp.example") == "fs01.corp.example"
    assert named(r"corp\svc_sql$") == r"corp\svc_sql$"
    assert named("http://evil.example") == "hxxp://evil.example"
    assert defanged("cmd.exe at 10.0.0.5, 3.5 h", 99) == "cmd[.]exe at 10.0.0.5, 3.5 h"


def test_of_a_run_of_an_older_version_what_is_shown_is_told() -> None:
    tables = tables_of(ONE)
    tables["subgraphs"] = tables["subgraphs"].drop_columns(["suppressed_by"])
    assert [notice.subgraph_id for notice in notices_of(tables, "run-1", None)] == ["sg-1"]


# --- the run ---------------------------------------------------------------------------------------------------------


def test_run_json_and_the_console_say_what_was_told(channel: Channel, tmp_path: Path) -> None:
    folder = LocalFolder(str(tmp_path / "run-1"))
    results.save_tables(tables_of(TWO), folder)
    results.save_run(folder, {**record_of("run-1", 2), "posted": {}})
    notify = {"url": REFERENCE, "form": "slack", "host": None, "link": None}
    webhook, runs = notices.webhook_of(notify, lambda _: Secret(channel.emulator.webhook("slack"))), Runs(str(tmp_path))
    assert webhook

    counts = notices.tell_run(webhook, folder, runs)

    record = results.read_run(folder)
    assert record["notified"] == {"n_shown": 2, "n_told": 2, "n_before": 0, "n_refused": 0, "error": ""}
    assert "posted" in record
    assert notified_words(counts, "slack") == "2 of 2 shown, by slack"
    assert (
        notified_words(notices.tell_run(webhook, folder, runs), "slack") == "0 of 2 shown, by slack; 2 had been before"
    )
    assert [path.name[:5] for path in (tmp_path / "notified").rglob("*.json")] == ["told-"]


def test_what_was_not_told_is_a_warning_of_the_run(
    channel: Channel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = LocalFolder(str(tmp_path / "run-1"))
    results.save_tables(tables_of(TWO), folder)
    results.save_run(folder, record_of("run-1", 2))
    channel.emulator.faults = FaultPlan([Fault("410", status=410)])
    notify = {"url": REFERENCE, "form": "slack", "host": None, "link": None}
    webhook, runs = notices.webhook_of(notify, lambda _: Secret(channel.emulator.webhook("slack"))), Runs(str(tmp_path))
    assert webhook

    notices.tell_run(webhook, folder, runs)

    assert "2 subgraphs were not told: webhook: 410: the webhook or its channel is gone" in caplog.text
    assert results.read_run(folder)["notified"]["n_told"] == 0


def test_nobody_is_told_where_no_webhook_is_named() -> None:
    notify = {"url": None, "form": "teams", "host": None, "link": None}
    assert notices.webhook_of(notify, lambda _: Secret("")) is None


@pytest.mark.parametrize(
    ("notified", "is_told"),
    [
        (None, False),  # killed before
        ({"n_shown": 2, "n_told": 1, "n_before": 1}, True),
        ({"n_shown": 2, "n_told": 1, "error": "webhook: 503 after 9 attempts, for 300 s"}, False),
        ({"n_shown": 2, "n_told": 1, "n_refused": 1, "error": "webhook: 413: the receiver"}, True),
    ],
)
def test_a_tick_tries_again_what_may_still_be_told(notified: dict[str, Any] | None, is_told: bool) -> None:
    record = {"notified": notified} if notified else {}
    assert notices.is_told(record, REFERENCE) is is_told
    assert notices.is_told(record, None)


def test_only_strict_makes_an_error_of_what_was_not_told() -> None:
    missing = NotifyCounts(n_shown=3, n_told=1, error="webhook: 410: gone")
    assert notified_words(missing, "teams") == "1 of 3 shown, by teams; 2 NOT told: webhook: 410: gone"
    check_notified(missing, "run-1", is_strict=False)
    check_notified(NotifyCounts(n_shown=3, n_told=3), "run-1", is_strict=True)
    check_notified(None, "run-1", is_strict=True)
    with pytest.raises(
        PublishError, match=r"2 subgraphs were not told: webhook: 410: gone; .* --post-only run-1 tells"
    ):
        check_notified(missing, "run-1", is_strict=True)
