"""The build's own step: GraphiQL goes into the wheel where Node.js is at hand; elsewhere the page says what is missing."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class GraphiqlBuildHook(BuildHookInterface[Any]):
    PLUGIN_NAME = "custom"

    def initialize(self, version: str, _build_data: dict[str, Any]) -> None:
        built = Path(self.root, "gateway/static/graphiql/graphiql.js")
        if version == "editable" or built.is_file():  # a checkout's set-up builds it
            return
        if shutil.which("npm") is None:
            self.app.display_warning("No Node.js: this wheel is built without GraphiQL.")
            return
        try:
            subprocess.run([Path(self.root, "scripts/graphiql/build")], check=True)  # noqa: S603  our own script
        except (OSError, subprocess.CalledProcessError) as error:
            self.app.display_warning(f"This wheel is built without GraphiQL: {error}")
