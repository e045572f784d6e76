"""An officer at the desk without a browser: follows forms as they stand on the pages."""

from __future__ import annotations

import http.cookiejar
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from lxml import html

from portal.identity.demo import PASSWORD


class Operator:
    """Signed in as `name`. `page` is the page that was read last, `where` its path, `status` how it was answered."""

    def __init__(self, base: str, name: str, language: str = "zh-CN") -> None:
        self.base, self.status, self.where, self.page = base, 0, "", html.fromstring("<p>")
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()), urllib.request.ProxyHandler({}))
        self._opener.addheaders = [("Accept-Language", language)]
        self.read("/desk/")
        self.post("form:has([name=username])", username=name, password=PASSWORD)
        assert self.status == 200, self.text
        assert "/sign-in" not in self.where, self.text

    @property
    def text(self) -> str:
        return " ".join(self.page.text_content().split())

    def read(self, path: str) -> Any:
        return self._ask(urllib.parse.urljoin(self.base, path), None)

    def post(self, form: str, button: tuple[str, str] | None = None, **typed: str) -> Any:
        """Fill a form of the page (a CSS selector without pseudo-classes, or `form:has([name=x])`) and send it."""
        found = self._form(form)
        fields = [(name, typed.pop(name, value)) for name, value in found.form_values()]
        fields += list(typed.items())
        if button:
            fields.append(button)
        return self._ask(urllib.parse.urljoin(self.base + self.where, found.get("action") or ""), fields)

    def approve(self, draft: str, confirm: str = "") -> str:
        """Approve a draft; the number of the warning that came of it."""
        self.read(draft)
        self.post("form[action$=approve]", confirm=confirm)
        assert "/warnings/" in self.where, self.text
        return self.where.rstrip("/").rpartition("/")[2]

    def all_clear(self, number: str) -> str:
        """Write and submit the all-clear; the path of its draft."""
        self.read(f"/desk/warnings/{number}/cancel")
        self.post("form#compose", button=("do", "submit"))
        assert "/drafts/" in self.where, self.text
        return self.where

    def waiting(self) -> str:
        """The path of the draft that waits for this approver, as the board links it."""
        self.read("/desk/")
        return self.page.xpath("//section[contains(@class, 'waiting')]//a/@href")[0]

    def _form(self, selector: str) -> Any:
        name = selector.partition("[name=")[2].partition("]")[0] if ":has(" in selector else ""
        action = selector.partition("action$=")[2].rstrip("]")
        identity = selector.partition("#")[2]
        for form in self.page.forms:
            if (name and name in form.fields) or (action and (form.get("action") or "").endswith(action)) or (
                    identity and form.get("id") == identity):
                return form
        raise AssertionError(f"no form {selector} on {self.where}: {self.text[:2000]}")

    def _ask(self, url: str, fields: list[tuple[str, str]] | None) -> Any:
        data = None if fields is None else urllib.parse.urlencode(fields).encode()
        try:
            answer = self._opener.open(url, data, timeout=30)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            self.status, self.where = answer.status, urllib.parse.urlsplit(answer.url).path
            self.page = html.document_fromstring(answer.read().decode())
        return self.page
