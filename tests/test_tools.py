import importlib

import pytest

from tests.conftest import ROOT

TOOLS = [
    path.stem
    for path in sorted((ROOT / "tools").glob("[!_]*.py"))
    if "\ndef main(" in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_does_nothing_where_it_is_given_a_word_that_it_does_not_know(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)  # the search names the stages of params.yaml
    monkeypatch.setattr("sys.argv", [name, "--nosuch"])
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"tools.{name}").main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"{name}: error: ")
