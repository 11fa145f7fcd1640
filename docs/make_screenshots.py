"""Take the pictures of a report in headless Chromium: light and dark, the network and one subgraph.

python docs/make_screenshots.py RESULTS_FOLDER PREFIX    writes docs/img/PREFIX-*.png
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

IMAGES = Path(__file__).resolve().parent / "img"
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--force-color-profile=srgb"),
)
WIDTH = 1366
"""Of a laptop."""


def take(page: Path, prefix: str) -> list[Path]:
    """Write the pictures; return their files."""
    IMAGES.mkdir(exist_ok=True)
    taken = []
    with TemporaryDirectory() as profile:
        options = webdriver.ChromeOptions()
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.binary_location = shutil.which("chromium") or ""
        driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        try:
            driver.set_window_size(WIDTH, 900)
            driver.get(page.resolve().as_uri())
            WebDriverWait(driver, 60).until(lambda d: d.execute_script("return document.body.dataset.ready") == "true")
            for theme in ("light", "dark"):
                driver.execute_script(
                    "if ((document.documentElement.dataset.theme || 'light') !== arguments[0])"
                    " document.getElementById('theme').click()",
                    theme,
                )
                height = driver.execute_script("return document.documentElement.scrollHeight")
                driver.set_window_size(WIDTH, min(height + 150, 4000))
                WebDriverWait(driver, 10).until(
                    lambda d: d.execute_script("return Bokeh.documents.every((x) => x.is_idle)")
                )
                for part, name in (("overview", "network"), ("subgraph", "subgraph")):
                    file = IMAGES / f"{prefix}-{name}-{theme}.png"
                    driver.find_element(By.ID, part).screenshot(str(file))
                    taken.append(file)
        finally:
            driver.quit()
    return taken


def main() -> int:
    """Take the pictures of one report."""
    folder, prefix = Path(sys.argv[1]), sys.argv[2]
    for file in take(folder / "report.html", prefix):
        sys.stdout.write(f"{file}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
