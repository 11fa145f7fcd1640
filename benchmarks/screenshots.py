"""Take the pictures of a report in headless Chromium: light and dark, the network and one subgraph.

python benchmarks/screenshots.py

Writes docs/img/plant-*.png from the last run of the demo, and docs/img/ait-*.png, which is not kept in the repository, where
the real alert sets lie beside it.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from quality.lakes import ALL, Lake, shared_lake
from quality.runs import run_job
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

REPO = Path(__file__).resolve().parent.parent
IMAGES = REPO / "docs" / "img"
AIT = Lake("ait_fox", ALL["ait_ads"].sources, shared_lake("ait_ads/fox"), is_shared=True)
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--force-color-profile=srgb"),
)
WIDTH, TALLEST = 1366, 1600
"""Of a laptop, and of what is kept of a page."""


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
                    make_small(file)
                    taken.append(file)
        finally:
            driver.quit()
    return taken


def make_small(file: Path) -> None:
    """Keep the top of a long picture in 256 colours: the most frequent, for areas, and some far apart, for small marks."""
    with Image.open(file) as picture:
        top = picture.convert("RGB").crop((0, 0, picture.width, min(picture.height, TALLEST)))
    frequent = sorted(top.getcolors(top.width * top.height) or [], reverse=True)[:192]
    parts = [part for _, colour in frequent if isinstance(colour, tuple) for part in colour]  # RGB: each is a tuple
    parts += (top.quantize(64, method=Image.Quantize.MAXCOVERAGE).getpalette() or [])[: 3 * 64]
    palette = Image.new("P", (1, 1))
    palette.putpalette(parts)
    top.quantize(palette=palette, dither=Image.Dither.NONE).save(file, optimize=True)


def last_demo() -> Path | None:
    """The folder of the last run of `make demo` that has a page."""
    pages = sorted(REPO.glob(".demo/results/*/report.html"), key=lambda page: page.stat().st_mtime)
    return pages[-1].parent if pages else None


def main() -> int:
    """Take the pictures of the plant, and of one network of real alerts where there is one."""
    demo = last_demo()
    if demo is None:
        raise SystemExit("no page of the plant: make demo writes one")
    folders = {"plant": demo}
    if AIT.is_there():
        folders["ait"], _ = run_job(AIT)
    for prefix, folder in folders.items():
        for file in take(folder / "report.html", prefix):
            print(file.relative_to(REPO))
    return 0


if __name__ == "__main__":
    sys.exit(main())
