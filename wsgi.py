"""The WSGI entry for any server: `granian --interface wsgi wsgi:app`, `waitress-serve wsgi:app`."""

from portal import create_app

app = create_app()
