"""The pictures of the manual: `python tests/console/pictures.py` takes them anew, or those that are named."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "addon"), str(ROOT / "tests")]

from console import a_site, a_week  # noqa: E402
from console.in_a_browser import Scheme, chromium, serving, watched  # noqa: E402
from embargo.console.access.rights import Role  # noqa: E402

PICTURES: dict[str, tuple[str, Role, Scheme, tuple[int, int]]] = {  # name: (page, role, theme, pixels)
    "console-overview": ("/", Role.AUDITOR, "light", (1280, 1000)),
    "console-log": ("/log?q=class:blocked+since:7d", Role.AUDITOR, "light", (1280, 620)),
    "console-record": ("/record/019dc9a8-0000-7000-8000-000000001523", Role.ADMIN, "light", (1280, 900)),
    "console-phone": ("/", Role.VIEWER, "dark", (375, 760)),
}
SITE: dict[str, tuple[str, Role, Scheme, tuple[int, int]]] = {  # of a site with all that happens beside decisions
    "console-app": ("/apps/wechat", Role.AUDITOR, "light", (1180, 820)),
    "console-policy": ("/policy", Role.ADMIN, "light", (1280, 700)),
    "console-health": ("/health", Role.AUDITOR, "light", (1280, 760)),
    "console-reviews": ("/reviews", Role.AUDITOR, "light", (1280, 900)),
}


def main() -> None:
    """Write all pictures to `docs/images`."""
    a_week.HOSTILE = {}
    with TemporaryDirectory() as directory, chromium() as browser:
        for app, pictures in (
            (a_week.a_week(Path(directory, "week"), count=1200), PICTURES),
            (a_site.a_site(Path(directory, "site"), count=600), SITE),
        ):
            with serving(app) as base:
                for name, (path, role, scheme, (width, height)) in pictures.items():
                    if sys.argv[1:] and name not in sys.argv[1:]:
                        continue
                    with watched(browser, app, base, role, scheme=scheme) as session:
                        page = session.open(path)
                        page.set_viewport_size({"width": width, "height": height})
                        page.screenshot(path=ROOT / "docs/images" / f"{name}.png")


if __name__ == "__main__":
    main()
