"""Under granian, in a process of its own, callbacks are kept as under waitress: doubled ones, forged ones, many at once."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import create_engine, text

from tools.bench import callbacks, caller


def test_granian_keeps_each_signed_report_before_it_answers_and_no_forged_one(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'anlan.db'}"
    callbacks.lay_tables(url)
    sign = {"base_url": callbacks.PUBLIC_URL, "account": callbacks.ACCOUNT}
    good = caller.requests(60, token=callbacks.TOKEN, **sign)
    forged = caller.requests(20, token=callbacks.ACCOUNT, first=1000, **sign)
    stranger = caller.requests(20, base_url=callbacks.PUBLIC_URL, account="AC" + "9" * 32, token=callbacks.TOKEN, first=2000)
    with callbacks.served("portal", "granian", tmp_path, url, processes=1) as port:
        _seconds, answers = caller.call(port, [*good, *forged, *good, *stranger], 16)
    assert answers == {"200": 120, "403": 20, "400": 20}
    engine = create_engine(url)
    with engine.connect() as connection:
        grouped = "SELECT recipient_id, status, carrier, carrier_id, count(*) FROM receipt GROUP BY 1, 2, 3, 4"
        rows = connection.execute(text(grouped))
        assert sorted(tuple(row) for row in rows) == [(n, "delivered", "twilio", f"SM{n:032x}", 2) for n in range(1, 61)]
    engine.dispose()
