"""Rules for every test: one thread, external data found in one place, absent data counted aloud.

A test that needs external data says which files, relative to the data folder::

    @pytest.mark.data("cifar10_test.npz")
    def test_...(data_dir: Path) -> None: ...

It is skipped when one of them is absent; with ``--require-data`` (``make test-data``) it fails instead.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)


def data_folder() -> Path:
    """The folder of external data: ``CAISAR_EXT_DATA``, by default ``~/.cache/caisar-ext``."""
    return Path(os.environ.get("CAISAR_EXT_DATA") or "~/.cache/caisar-ext").expanduser()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--require-data", action="store_true", help="a test whose external data is absent fails")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> object:
    """Turn a data test's skip into a failure when data is required, however the test came to be skipped."""
    report: pytest.TestReport = yield
    if report.skipped and item.get_closest_marker("data") and item.config.getoption("--require-data"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"external data is required: {reason}"
    return report


def pytest_runtest_setup(item: pytest.Item) -> None:
    folder = data_folder()
    for marker in item.iter_markers("data"):
        for name in marker.args:
            if not (folder / name).exists():
                pytest.skip(f"no {folder / name}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if "data" in report.keywords]
    if skipped:
        terminalreporter.write_line(
            f"{len(skipped)} tests skipped for want of external data in {data_folder()} (set CAISAR_EXT_DATA)"
        )


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of external data; a test that uses it bears the mark ``data``."""
    return data_folder()
