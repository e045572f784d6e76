"""Where the pictures of a version of a course are had."""

from __future__ import annotations

from collections.abc import Mapping

from flask import url_for

from portal.training import courses_store
from portal.training.content.markdown import Picture


def pictures(version_id: int) -> Mapping[str, Picture]:
    """Name of a medium → where it is had behind the learners' door: the same for ever, whatever later versions hold."""
    course, shown = courses_store.of(version_id), {}
    for name, sha256 in courses_store.media(version_id).items():
        url = url_for("learners.media", sha256=sha256, ending=name.rpartition(".")[2])
        shown[name] = Picture(url, course.media[name].width, course.media[name].height)
    return shown
