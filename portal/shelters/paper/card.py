"""The card of one household, for whoever has one at hand."""

from __future__ import annotations

from portal.shelters.paper import documents
from portal.shelters.paper.household import Household, Member

__all__ = ["Household", "Member", "pdf"]


def pdf(household: Household, language: str) -> bytes:
    """The finished PDF, one A4 page. Nothing of the household is kept. Raises Invalid for an unknown community."""
    return documents.card(household, language).pdf
