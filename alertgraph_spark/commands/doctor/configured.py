"""What the configuration names beside the export: lists, formats, secrets, where results go, who is told, what tracks."""

from __future__ import annotations

import importlib.util
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from alertgraph_spark.access.principal import sign_in_for_tracking
from alertgraph_spark.access.secrets import resolve
from alertgraph_spark.commands.doctor.findings import FAIL, OK, WARN, Finding, reason_of
from alertgraph_spark.commands.doctor.machine import nearest
from alertgraph_spark.commands.exceptions import listed_exceptions
from alertgraph_spark.config import format_files
from alertgraph_spark.config.settings import LISTS, Settings
from alertgraph_spark.errors import AlertGraphError
from alertgraph_spark.history import place_of
from alertgraph_spark.publish import log_analytics, notices, results, tracking
from alertgraph_spark.read.assets import load_assets, load_maintenance
from alertgraph_spark.read.verdict_list import load_verdicts
from alertgraph_spark.short_text import many

_LOADERS: dict[str, Any] = {
    "assets": load_assets,
    "maintenance": load_maintenance,
    "exceptions": listed_exceptions,
    "verdicts": load_verdicts,
}


def lists(settings: Settings) -> Iterator[Finding]:
    """Each file with rows that is named: it is read as a run reads it."""
    for name in LISTS:
        file = getattr(settings, f"{name}_file")
        if file is None:
            continue
        try:
            n = len(_LOADERS[name](file))
        except AlertGraphError as error:
            yield Finding(FAIL, name, str(error), "mend the rows that it names")
        else:
            yield Finding(OK, name, f"{file}: {many(n, 'row')}")


def formats(settings: Settings) -> Iterator[Finding]:
    """The format of each source, as it is written; what it makes of rows Spark alone can tell."""
    good = []
    for source in settings.sources:
        try:
            format_files.load_format(source.file)
        except AlertGraphError as error:
            yield Finding(FAIL, "format", str(error), "mend the format file: docs/formats.md")
        else:
            good.append(source.format)
    if good:
        yield Finding(OK, "formats", f"well written: {', '.join(good)}")


def secrets(settings: Settings) -> Iterator[Finding]:
    """Each reference to a secret: something is there. What it is, is not said."""
    post, n_asked = settings.post, 0
    named = {"export.credential": settings.export.credential}
    named |= {"post.credential": post.credential} if post.mode in ("logs_ingestion", "data_collector") else {}
    named |= {"notify.url": settings.notify.url} if settings.notify.url else {}
    for key, reference in named.items():
        if reference == "default":
            continue
        n_asked += 1
        try:
            resolve(reference)
        except AlertGraphError as error:
            yield Finding(FAIL, f"secret of {key}", str(error), "put the secret where the reference leads")
        else:
            yield Finding(OK, f"secret of {key}", f"{reference} leads to one")
    if not n_asked:
        yield Finding(OK, "secrets", "no reference to one is needed")


def results_folder(settings: Settings) -> Iterator[Finding]:
    """The folders that a run writes, where they are of this machine."""
    for key, place in written_places(settings).items():
        if not results.is_local(place):
            continue
        there = nearest(Path(local_path(place)))
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            what = "may not be written" if there.is_dir() else "is no folder"
            yield Finding(
                FAIL, key, f"{there} {what}", "name another folder, or give the user of the job rights to write there"
            )
        else:
            yield Finding(OK, key, f"{place} can be written")


def written_places(settings: Settings) -> dict[str, str]:
    """Key to the folder or URL of all that a run writes by files."""
    places = {"results.path": settings.results.path}
    history = place_of(settings.history.path, settings.results.path)
    places |= {"history.path": history} if history else {}
    return places | (
        {"post.folder": settings.post.folder} if settings.post.mode == "file" and settings.post.folder else {}
    )


def local_path(place: str) -> str:
    """The path of a place of this machine, without a scheme."""
    return "/" + place.removeprefix("file:").lstrip("/") if place.startswith("file:") else place


def posting(settings: Settings) -> Iterator[Finding]:
    """Whether a post can sign in; nothing is sent."""
    post = settings.post
    if post.mode in ("none", "file"):
        yield Finding(OK, "post", f"post.mode is {post.mode}: nothing leaves by network")
        return
    target = log_analytics.Target.of(resolve, **asdict(post))
    target.check()
    target.sign_in()
    yield Finding(OK, "post", f"signed in for {post.endpoint}; that it may post, the first post shows")


def rule(settings: Settings) -> Iterator[Finding]:
    """The columns of the data collection rule as it is deployed, against those that are posted."""
    what, post = "data collection rule", settings.post
    if post.mode != "logs_ingestion":
        yield Finding(OK, what, f"not asked for: post.mode is {post.mode}")
    elif post.rule is None:
        yield Finding(
            WARN,
            what,
            "post.rule is not set: columns that the rule does not declare would be dropped without a word",
            "save what `az monitor data-collection rule show` prints, and name the file by post.rule",
        )
    elif problems := log_analytics.undeclared(log_analytics.read_rule(post.rule)):
        few = "; ".join(problems[:_MOST_COLUMNS])
        more = f"; and {len(problems) - _MOST_COLUMNS} more" if len(problems) > _MOST_COLUMNS else ""
        yield Finding(FAIL, what, few + more, "redeploy the rule and its tables from deploy/")
    else:
        yield Finding(OK, what, f"{post.rule} declares all columns of {len(log_analytics.POSTED)} tables")


_MOST_COLUMNS = 5
"""Columns that are named."""


def notification(settings: Settings) -> Iterator[Finding]:
    """The webhook's address; it is not called."""
    webhook = notices.webhook_of(asdict(settings.notify), resolve)
    if webhook is None:
        yield Finding(OK, "notify", "nobody is told: notify.url is not set")
    else:
        webhook.url()
        yield Finding(
            OK, "notify", f"{settings.notify.url} leads to an address for {settings.notify.form}; it is not called"
        )


def track(settings: Settings) -> Iterator[Finding]:
    """The MLflow store; a SQLite file that is not there yet is not made."""
    wanted, uri = settings.tracking, settings.tracking.uri
    level = FAIL if wanted.strict else WARN
    if uri == "none":
        yield Finding(OK, "MLflow", "not asked for: tracking.uri is none")
        return
    if importlib.util.find_spec("mlflow") is None:
        todo = "install alertgraph-spark[mlflow], or set tracking.uri: none"
        yield Finding(level, "MLflow", "mlflow is not installed; runs are not logged", todo)
        return
    if uri.startswith("sqlite:///"):
        yield _sqlite_store(Path(uri.removeprefix("sqlite:///").partition("?")[0]), level)
        return
    try:
        sign_in_for_tracking(uri, wanted.strict, settings.post.principal, lambda: resolve(settings.post.credential))
        tracking.warm_up(uri)
    except Exception as error:  # noqa: BLE001 - whatever a server, its storage or its SDK raises
        yield Finding(level, "MLflow", f"{uri}: {reason_of(error)}", "check tracking.uri and who may sign in there")
    else:
        yield Finding(OK, "MLflow", f"{uri} answers")


def _sqlite_store(file: Path, level: str) -> Finding:
    if not file.is_file():
        folder = nearest(file.parent)
        if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
            return Finding(OK, "MLflow", f"{file} is not there yet; the first run makes it")
        return Finding(level, "MLflow", f"{folder} may not be written", "name another file by tracking.uri")
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as opened:
            ((n,),) = opened.execute("SELECT count(*) FROM experiments").fetchall()
    except sqlite3.Error as error:
        return Finding(level, "MLflow", f"{file} is no store of MLflow: {error}", "name another file by tracking.uri")
    return Finding(OK, "MLflow", f"{file} has {many(n, 'experiment')}")
