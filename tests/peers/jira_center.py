"""Starts jira820 on a port, for a project SEC.

Jira takes an issue's id wherever it takes its key, and jira820 the key only: here an id becomes the
key. It closes with a resolution alone, as most workflows do.
"""

import sys

import uvicorn
from jira820.config import load_config
from jira820.serialize import iid
from jira820.server import make_app

config = load_config()
config.project_key = "SEC"
config.transition_screens = {"Done": ["resolution"]}
jira = make_app(config=config)


async def by_id(scope, receive, send):
    parts = scope.get("path", "").split("/")
    if parts[:5] == ["", "rest", "api", "2", "issue"] and len(parts) > 5 and parts[5].isdigit():
        keys = (key for key in jira.state.store.issues if iid(key) == parts[5])
        parts[5] = next(keys, parts[5])
        scope = {**scope, "path": "/".join(parts)}
    await jira(scope, receive, send)


uvicorn.run(by_id, host="127.0.0.1", port=int(sys.argv[1]), log_level="info")
