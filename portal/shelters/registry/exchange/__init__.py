"""Shelters as files: CSV in our own model, GeoJSON, and Japan's lists; in and out, in bounded memory.

`check` says what an import would do, `apply` does it; both give a `Report`. `export` gives a file's bytes piece by piece.
"""

from portal.shelters.registry.exchange.export import MEDIA_TYPES, export
from portal.shelters.registry.exchange.importer import FORMATS, apply, check
from portal.shelters.registry.exchange.report import CHANGED, NEW, Change, Finding, Report

__all__ = ["CHANGED", "FORMATS", "MEDIA_TYPES", "NEW", "Change", "Finding", "Report", "apply", "check", "export"]
