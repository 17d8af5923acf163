"""`embargo schema`: JSON that an editor can use."""

import json

from click.testing import CliRunner

from embargo.cli.main import main
from embargo.policy.editor import json_schema


def test_printed() -> None:
    result = CliRunner().invoke(main, ["schema"])
    assert result.exit_code == 0
    assert json.loads(result.output) == json_schema()
