"""The demonstration district: real codes and names; populations and boundaries made up, and marked so."""

from __future__ import annotations

from portal import current_settings
from portal.regions.importer import import_files
from portal.regions.report import Report


def seed() -> Report:
    """Import the regions that come with the content; a second time changes nothing. Raises RuntimeError
    naming the first fault when the content itself is broken."""
    directory = current_settings().content / "regions"
    files = sorted([*directory.glob("*.csv"), *directory.glob("*.geojson")])
    report = import_files(files)
    if not report.written:
        raise RuntimeError(f"the demonstration regions cannot be imported: {report.faults[0]}")
    return report
