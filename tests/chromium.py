"""A headless Chromium for the tests, which tells what a page logged and what it asked the network for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")

FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)
LAPTOP = (1366, 768)

needs_chromium = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no Chromium here: apt-get install chromium chromium-driver"
)


@contextmanager
def browser(profile: Path) -> Iterator[Any]:
    """A browser of a laptop's size with a profile of its own."""
    options = webdriver.ChromeOptions()
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.binary_location = CHROMIUM or ""
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    try:
        driver.set_window_size(*LAPTOP)
        yield driver
    finally:
        driver.quit()


def load(driver: Any, page: Path, fragment: str = "") -> None:
    """Open a report and wait until it says that it is ready."""
    driver.get("about:blank")
    said(driver)
    asked(driver)
    driver.get(page.resolve().as_uri() + fragment)
    WebDriverWait(driver, 60).until(lambda d: d.execute_script("return document.body.dataset.ready === 'true'"))
    settle(driver)


def settle(driver: Any) -> None:
    WebDriverWait(driver, 30).until(lambda d: d.execute_script("return Bokeh.documents.every((x) => x.is_idle)"))


def said(driver: Any) -> list[str]:
    """What was logged as a warning or an error since it was last asked."""
    return [entry["message"] for entry in driver.get_log("browser") if entry["level"] in ("WARNING", "SEVERE")]


def asked(driver: Any) -> list[str]:
    """The addresses that pages asked for since it was last asked."""
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]


def source(driver: Any, name: str) -> dict[str, list[Any]]:
    """The columns of a data source of the page's figures."""
    found: dict[str, list[Any]] = driver.execute_script(
        """for (const doc of Bokeh.documents) {
             const model = doc.get_model_by_name(arguments[0]);
             if (model) return Object.fromEntries(Object.entries(model.data).map(([k, v]) => [k, Array.from(v)]));
           }
           return null;""",
        name,
    )
    assert found is not None, f"no data source {name}"
    return found
