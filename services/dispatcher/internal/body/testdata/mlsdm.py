"""Writes mlsdm_bodies.txt: what the Python client posts for each event of mlsdm_events.json.

The dataclass is that of the client; run it again when that changes: python3 mlsdm.py
"""

import dataclasses
import datetime
import json
import pathlib
from typing import Any, Dict, Optional


@dataclasses.dataclass
class WebhookEvent:
    event_type: str
    timestamp: float
    data: Dict[str, Any]
    source: str = "mlsdm"
    event_id: Optional[str] = None


here = pathlib.Path(__file__).parent
lines = []
for case in json.loads((here / "mlsdm_events.json").read_text()):
    event = WebhookEvent(
        event_type=case["type"],
        timestamp=datetime.datetime.fromisoformat(case["time"]).timestamp(),
        data=json.loads(case["data"]),
    )
    if case.get("source"):
        event.source = case["source"]
    if case.get("id"):
        event.event_id = case["id"]
    lines.append(json.dumps(dataclasses.asdict(event)))
(here / "mlsdm_bodies.txt").write_text("\n".join(lines) + "\n")
