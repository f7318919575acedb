"""Commands that only read make nothing where there is nothing."""

from pathlib import Path

import pytest

from tests.platform.conftest import command


@pytest.mark.parametrize(
    "words", [("models",), ("models", "--champion", "a:1"), ("compare", "pdnet")]
)
def test_a_storage_that_is_not_there_is_not_made(
    words: tuple[str, ...], tmp_path: Path, capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    for storage in (tmp_path / "typo", empty):
        assert command(*words, "--storage", storage) == 2
        said = capfd.readouterr().err
        assert said.startswith(f"error: {storage / 'mlflow.db'}: nothing ")
        assert "say --storage" in said
    assert [*tmp_path.iterdir()] == [empty]
    assert [*empty.iterdir()] == []
