"""The generated pages: fresh, complete, and honest about being stale."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from doc_blocks import ROOT


def generate(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "docs.generate", *arguments],
        cwd=root,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_stale_page_is_named_and_written_anew_and_ours_are_fresh(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copytree(ROOT / "tests" / "metrics", tmp_path / "tests" / "metrics")
    page = tmp_path / "docs" / "reference" / "metrics.md"
    fresh = page.read_text(encoding="utf-8")
    page.write_text(fresh.replace("wrong_value", "worng_value"), encoding="utf-8")
    (tmp_path / "docs" / "reference" / "errors.md").unlink()
    done = generate(tmp_path, "--check")
    assert done.returncode == 1
    stale = [line.partition(":")[0] for line in done.stderr.splitlines() if ": stale" in line]
    assert sorted(stale) == ["docs/reference/errors.md", "docs/reference/metrics.md"]
    assert generate(tmp_path).returncode == 0
    assert page.read_text(encoding="utf-8") == fresh
