"""Names of run folders."""

from pathlib import Path

from ganglion.training.run_folder import new_folder


def test_a_name_holds_nothing_that_a_shell_would_take_for_more_than_a_letter(tmp_path: Path) -> None:
    path = new_folder(tmp_path, "2026_mlp-y = sin(6 * x), x = -2..2")
    assert path.name == "2026_mlp-y-sin-6-x-x-2..2" and path.is_dir()
    assert new_folder(tmp_path, "2026_mlp-y = sin(6 * x), x = -2..2").name == path.name + "-2"
    assert len(new_folder(tmp_path, "ключ" * 100).name) == 100
