"""What made-up workers say."""

from typing import Any

from embargo.core.request import Surface
from embargo.enforce.uninspected import Uninspected


def answer(blocked: int = 0, **others: Any) -> dict[str, Any]:
    """What a worker says, as far as metrics read it."""
    return {
        "pid": 17,
        "version": "1.2.3",
        "started": "2026-11-24T08:00:00+00:00",
        "mode": "enforce",
        "connections": 3,
        "policy": {
            "digest": "5f" * 32,
            "since": "2026-11-24T08:00:01+00:00",
            "catalogue": "2026-11-01",
            "app_ids": ["alipay", "qq"],
        },
        "reloads": {"ok": 2, "refused": 1},
        "decisions": [
            {"verdict": "block", "app": "alipay", "surface": "connect", "shadow": False, "count": blocked},
            {"verdict": "log", "app": "alipay", "surface": "http", "shadow": True, "count": 5},
            {"verdict": "pass", "app": "", "surface": "http", "shadow": False, "count": 100},
        ],
        "failures": [{"surface": surface.value, "count": 0} for surface in Surface],
        "uninspected": [{"reason": reason.value, "count": 2} for reason in Uninspected],
        "latency": {"every": 16, "bounds": [1e-6, 1e-5], "counts": [1, 2, 3], "seconds": 0.5},
        "log": {
            "written": 9,
            "lost": 1,
            "queue": 4,
            "waited": 0.25,
            "error": None,
            "seal": {"key": "ab", "error": None, "unsigned": 3, "at": "2026-11-24 08:00:30+00:00"},
        },
        "anchors": [{"to": "/mnt/anchor", "state": "idle", "failures": 1, "last": "2026-11-24T08:00:31+00:00"}],
        "ca": {"not_after": "2036-01-01T00:00:00+00:00"},
        **others,
    }
