"""What phones write to the portal, and what they are answered. This room knows words; carriers are known elsewhere.

:func:`ask` reads a text, :func:`answer` does what it asks for and gives the words. Another room adds a word of its own to
:data:`COMMANDS` by :func:`register`.
"""

from portal.subscribers.texts import basics, joining, leaving  # noqa: F401  (they register their words)
from portal.subscribers.texts.answering import answer, ask
from portal.subscribers.texts.commands import COMMANDS, Asked, Command, register

__all__ = ["COMMANDS", "Asked", "Command", "answer", "ask", "register"]
