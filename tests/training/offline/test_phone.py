"""What the phone does by itself: nothing that was done is lost or counted twice, nothing goes to the wrong learner, and practice
waits for exams."""

from __future__ import annotations

from random import Random

from portal.training.content.values import Question
from portal.training.learners import practice
from tests.training.offline.phone import run

SCRIPTS = ("sync.js",)


def thing(n, owner="7", **more):
    return {"n": n, "ref": f"ref-{n}", "owner": owner, "kind": "answer", "slug": "sample", "version_id": 1, "question": f"q{n}",
            "rev": 1, "answer": n, "right": True, "at": n, "state": "waiting", **more}


def state(learner="7", *, sits=False, **more):
    return [200, {"learner": learner, "csrf": "token", "courses": {"sample": {
        "version_id": 1, "version": "1", "sits": sits, "lessons": [], "answers": {}, "due": {}}}, **more}]


def result(n, outcome="taken", **more):
    return {"ref": f"ref-{n}", "outcome": outcome, "right": True, "old": False, "message": "", **more}


def taken(*numbers, **more):
    return state(results=[result(n) for n in numbers], **more)


def flush(things, replies, **more):
    store = {"owner": "7", "things": things, "courses": [{"slug": "sample", "owner": "7"}]} | more.pop("store", {})
    return run("flush", *SCRIPTS, store=store, replies=replies, **more)


def states(got):
    return [one["state"] for one in got["kept"]["things"]]


def test_what_waits_is_sent_in_its_order_and_goes_off_the_list_when_the_portal_has_said_so():
    got = flush([thing(1), thing(2), thing(3, state="sent")], [state(), taken(1, 2)])
    assert got["states"] == ["ok"]
    assert states(got) == ["sent"] * 3
    url, body, token = got["heard"][1]
    assert (url, token, body["who"]) == ("/learn/offline/sync", "token", "7")
    assert [one["ref"] for one in body["things"]] == ["ref-1", "ref-2"]
    assert all(set(one) == {"ref", "kind", "slug", "at", "version_id", "question", "rev", "answer"} for one in body["things"])


def test_a_network_that_fails_after_the_portal_heard_loses_nothing_and_the_same_refs_go_again():
    first = flush([thing(1), thing(2)], [state(), None])
    assert (first["states"], states(first)) == (["offline"], ["waiting", "waiting"])
    second = flush(first["kept"]["things"], [state(), taken(1, 2)])
    assert states(second) == ["sent", "sent"]
    assert [one["ref"] for one in first["heard"][1][1]["things"]] == [one["ref"] for one in second["heard"][1][1]["things"]]


def test_a_portal_in_trouble_keeps_everything_waiting():
    for reply in ([500, None], [503, {}], [400, None], [429, None]):
        assert states(flush([thing(1)], [state(), reply])) == ["waiting"]
        assert flush([thing(1)], [reply])["states"] == ["offline"]


def test_whoever_presses_twice_sends_once():
    got = flush([thing(1)], [state(), taken(1)], times=3)
    assert got["states"] == ["ok"] * 3
    assert len(got["heard"]) == 2


def test_more_than_one_request_takes_go_in_several_and_what_must_wait_is_not_asked_again_and_again():
    things = [thing(n) for n in range(1, 121)]
    later = state(sits=True, results=[result(n, "later", right=None) for n in range(1, 51)])
    got = flush(things, [state(), later, taken(*range(51, 101)), taken(*range(101, 121))])
    assert got["states"] == ["ok"]
    assert [len(body["things"]) for _url, body, _token in got["heard"][1:]] == [50, 50, 20]
    assert states(got) == ["waiting"] * 50 + ["sent"] * 70
    assert all(one["later"] for one in got["kept"]["things"][:50])


def test_what_is_refused_stays_on_the_list_with_the_reason():
    got = flush([thing(1)], [state(), state(results=[result(1, "refused", message="why")])])
    assert (states(got), got["kept"]["things"][0]["message"]) == (["refused"], "why")


def test_without_a_session_nothing_is_sent_nothing_is_lost_and_nothing_is_shown():
    got = flush([thing(1)], [[401, {"sign_in": True}]])
    assert (got["states"], states(got), got["kept"]["locked"]) == (["sign_in"], ["waiting"], True)
    got = flush([thing(1)], [state(), [401, {}]])
    assert (got["states"], states(got), got["kept"]["locked"]) == (["sign_in"], ["waiting"], True)


def test_when_somebody_else_has_signed_in_the_first_ones_courses_go_and_his_answers_wait_for_him():
    got = flush([thing(1), thing(2, state="sent"), thing(3, owner="8")], [state("8"), taken(3, learner="8")])
    assert [(one["ref"], one["state"]) for one in got["kept"]["things"]] == [("ref-1", "waiting"), ("ref-3", "sent")]
    assert [one["ref"] for one in got["heard"][1][1]["things"]] == ["ref-3"]
    assert got["kept"]["courses"] == []
    again = flush(got["kept"]["things"], [state("7"), taken(1)], store={"owner": "8"})
    assert states(again) == ["sent"]
    assert flush([thing(1)], [state(), [409, {"state": "other"}]])["states"] == ["other"]


def test_practice_waits_until_the_portal_says_that_the_exam_is_over():
    assert list(flush([], [state(sits=True)])["kept"]["pauses"]) == ["sample"]
    paused = {"pauses": {"sample": "one"}, "courses": []}
    assert flush([], [state(sits=True)], store=paused)["kept"]["pauses"] == {"sample": "one"}
    assert flush([], [None], store=paused)["kept"]["pauses"] == {"sample": "one"}
    over = flush([], [state()], store=paused)
    assert over["kept"]["pauses"] == {}
    assert over["heard"][0][0].endswith("slugs=sample")


def test_an_exam_that_begins_while_the_portal_is_asked_is_not_taken_for_over():
    got = flush([], [state()], store={"pauses": {"sample": "one"}}, meanwhile=[{"sample": "two"}])
    assert got["kept"]["pauses"] == {"sample": "two"}
    got = flush([], [state()], meanwhile=[{"sample": "two"}])
    assert got["kept"]["pauses"] == {"sample": "two"}


# -- what is shown -------------------------------------------------------------------------------------------
def test_what_was_done_here_lies_over_what_the_portal_said_last():
    questions = [{"id": f"q{n}"} for n in range(1, 6)]
    store = {"owner": "7", "pauses": {}, "standing": {"sample": {
        "owner": "7", "slug": "sample", "version_id": 2, "version": "new", "lessons": ["a"], "answers": {"q1": False, "q4": True},
        "due": {"q1": 50, "q5": 900}}},
        "courses": [{"slug": "sample", "owner": "7", "version_id": 1, "bundle": {"modules": [{"questions": questions}]}}],
        "things": [thing(1), thing(2, right=False), thing(3, state="sent", right=False), thing(4, owner="8", right=False),
                   thing(6, kind="lesson", lesson="b", done=True), thing(7, kind="lesson", lesson="a", done=False)]}
    one = run("progress", "progress.js", store=store, now=100)[0]
    assert one["done"] == ["b"]
    assert one["answered"] == {"q1": True, "q2": False, "q4": True}
    assert one["review"] == ["q2"]
    assert one["newer"] == "new"
    paused = run("progress", "progress.js", store=store | {"pauses": {"sample": "x"}}, now=100)[0]
    assert (paused["paused"], paused["review"]) == (True, [])


def test_what_is_due_is_due_by_the_portals_clock_whatever_the_phone_says():
    day = 24 * 3600 * 1000
    course = {"slug": "sample", "owner": "7", "bundle": {"modules": [{"questions": [{"id": "q1"}]}]}}
    standing = {"owner": "7", "slug": "sample", "lessons": [], "answers": {}, "due": {"q1": 10 * day}}
    for ahead, now, due in ((day, 9 * day, ["q1"]), (day, 9 * day - 1, []), (-day, 10 * day, []), (-day, 11 * day, ["q1"])):
        store = {"owner": "7", "courses": [course], "standing": {"sample": standing | {"ahead": ahead}}}
        assert run("progress", "progress.js", store=store, now=now)[0]["review"] == due


def test_the_phone_asks_the_question_that_the_portal_would_ask():
    random, asked, wanted = Random(5), [], []
    for _n in range(200):
        ids = [f"q{n}" for n in range(random.randrange(6))]
        answered = {name: random.random() < .5 for name in ids if random.random() < .6}
        after = random.choice([*ids, "", "gone"])
        questions = [_question(name) for name in ids]
        following, turn = practice.following(questions, answered, after), practice.turn(questions, after)
        asked.append([ids, answered, after])
        wanted.append([following and following.id, turn and turn.id])
    assert run("following", "progress.js", ask=asked) == wanted


def _question(name):
    words = dict.fromkeys(("source", "words", "explanation"))
    return Question(id=name, type="single", difficulty=1, objective="", rev=1, medical=False, line=1, **words)


def test_the_worker_does_not_begin_with_a_page_of_another_version_and_keeps_all_of_its_own():
    head = {"version": "1", "files": ["/learn/offline/static/a.js?v=new"], "pages": {"zh": "/learn/offline/zh/"},
            "store": "", "sync": ""}
    page = '<html lang="zh-CN"><script src="/learn/offline/static/a.js?v={}"></script></html>'
    got = run("install", "sw.js", head=head, pages={"/learn/offline/zh/": page.format("old")})
    assert got == {"refused": "/learn/offline/zh/"}
    got = run("install", "sw.js", head=head, pages={"/learn/offline/zh/": page.format("new")})
    assert sorted(got["kept"]) == sorted([*head["files"], *head["pages"].values()])
