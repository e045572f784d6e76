"""Forms that carry a file."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from flask import request

from portal.web import csrf

View = TypeVar("View", bound=Callable[..., Any])


def takes_files(most: int) -> Callable[[View], View]:
    """A view whose form may carry files, and have `most` bytes in all. The protection against forgery reads the form, and would
    refuse a large one before the view could say how large it may be: so the limit is raised first, and the protection asked
    then."""
    def marked(view: View) -> View:
        @wraps(view)
        def with_room(*args: Any, **kwargs: Any) -> Any:
            request.max_content_length = request.max_form_memory_size = most
            if request.method == "POST":
                csrf.protect()
            return view(*args, **kwargs)

        csrf.exempt(with_room)
        return with_room  # type: ignore[return-value]
    return marked
