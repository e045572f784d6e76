"""Rights are what the duties say, one by one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.config import TIERS
from portal.core.errors import Forbidden
from portal.identity.models import Account, Duty
from portal.identity.rights import ROLES, has_role, may, regions_for, require, tiers_for

TREE = {  # code: everything that it is or lies below, written out by hand
    "440310000000": {"440310000000"},
    "440310001000": {"440310001000", "440310000000"},
    "440310002000": {"440310002000", "440310000000"},
    "440310001001": {"440310001001", "440310001000", "440310000000"},
    "440310001002": {"440310001002", "440310001000", "440310000000"},
    "440310002001": {"440310002001", "440310002000", "440310000000"},
    "440311000000": {"440311000000"},
    "440311001000": {"440311001000", "440311000000"},
}
codes_ = st.sampled_from(sorted(TREE))
duties_ = st.lists(st.tuples(st.sampled_from(ROLES), codes_, st.sampled_from(TIERS)), max_size=6)
account_ = st.builds(
    lambda duties, active: Account(
        username="x",
        active=active,
        duties=[Duty(role=r, region_code=c, highest_tier=t) for r, c, t in duties],
    ),
    duties_,
    st.sampled_from([True, True, True, False]),
)


def brute_force(account: Account, role: str, wanted: list[str], tier: str) -> bool:
    return (
        bool(wanted)
        and account.active
        and all(
            any(
                d.role == role
                and d.region_code in TREE[w]
                and TIERS.index(tier) <= TIERS.index(d.highest_tier)
                for d in account.duties
            )
            for w in wanted
        )
    )


@given(account_, st.sampled_from(ROLES), st.lists(codes_, max_size=4), st.sampled_from(TIERS))
def test_one_may_exactly_what_some_duty_covers(account, role, wanted, tier):
    assert may(account, role, wanted, tier) == brute_force(account, role, wanted, tier)


@given(account_, st.sampled_from(ROLES), codes_)
def test_the_tiers_offered_are_those_one_may(account, role, code):
    assert tiers_for(account, role, code) == [t for t in TIERS if brute_force(account, role, [code], t)]
    assert tiers_for(account, role) == [
        t for t in TIERS if any(brute_force(account, role, [c], t) for c in TREE)
    ]


@given(account_, st.sampled_from(ROLES), st.sampled_from(TIERS))
def test_the_regions_offered_are_the_topmost_that_one_may(account, role, tier):
    allowed = {c for c in TREE if brute_force(account, role, [c], tier)}
    assert regions_for(account, role, tier) == sorted(c for c in allowed if not (TREE[c] - {c}) & allowed)


@given(account_, st.sampled_from(ROLES))
def test_a_role_is_held_by_active_accounts_with_a_duty_in_it(account, role):
    assert has_role(account, role) == (account.active and role in {d.role for d in account.duties})
    assert not has_role(account)


@pytest.mark.parametrize(
    ("role", "regions", "tier", "said"),
    [
        ("approver", ["440310001001"], "blue", "no duty"),
        ("drafter", ["440310001001", "440310002001"], "blue", "440310002001"),
        ("drafter", ["440310001001"], "red", "tier"),
    ],
)
def test_a_refusal_says_what_is_missing(app, role, regions, tier, said):
    account = Account(
        username="x",
        active=True,
        duties=[Duty(role="drafter", region_code="440310001000", highest_tier="orange")],
    )
    with app.test_request_context(headers={"Accept-Language": "en"}), pytest.raises(Forbidden) as refusal:
        require(account, role, regions, tier)
    assert said in str(refusal.value.message)
    require(account, "drafter", ["440310001001"], "orange")
