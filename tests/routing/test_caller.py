"""Whose address counts: golden cases, and an oracle that knows who wrote each entry of the header."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing import caller
from routing.allowlist import parse

pytestmark = pytest.mark.pure

PROXIES = parse("10.0.0.0/8; 2001:db8:ffff::/48")


@pytest.mark.parametrize(
    ("seen", "forwarded", "address"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", "203.0.113.9", "192.0.2.1"),
        ("192.0.2.1", "nonsense", "192.0.2.1"),
        ("::ffff:192.0.2.1", None, "192.0.2.1"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("2001:db8:ffff::1", "2001:db8::9", "2001:db8::9"),
        ("10.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1, 203.0.113.9 ,10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "garbage, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "203.0.113.9:4711", "203.0.113.9"),
        ("10.0.0.1", "[2001:db8::9]", "2001:db8::9"),
        ("10.0.0.1", "[2001:db8::9]:4711", "2001:db8::9"),
        ("10.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "", None),
        ("10.0.0.1", "203.0.113.9,", None),
        ("10.0.0.1", "203.0.113.9,,10.0.0.2", None),
        ("10.0.0.1", "unknown", None),
        ("10.0.0.1", "_hidden", None),
        ("10.0.0.1", "fe80::1%eth0", None),
        ("10.0.0.1", "[fe80::1%eth0]:1", None),
        ("10.0.0.1", "[203.0.113.9]", None),
        ("10.0.0.1", "203.0.113.9:", None),
        ("10.0.0.1", "203.0.113.9:x", None),
        ("10.0.0.1", "203.0.113.09", None),
        ("10.0.0.1", "3405803785", None),
        ("10.0.0.1", "203.0.113.9/32", None),
        ("10.0.0.1", '"203.0.113.9"', None),
        ("10.0.0.1", "203.0.113.9, nonsense", None),
        ("", None, None),
        ("", "203.0.113.9", None),
        ("fe80::1%eth0", None, None),
    ],
)
def test_the_caller_is_the_first_from_the_right_that_is_no_proxy(seen, forwarded, address):
    found = caller.find(seen, forwarded, PROXIES)
    assert (str(found.address) if found.address else None) == address
    assert (found.seen, found.forwarded) == (seen, forwarded)


def test_without_trusted_proxies_the_header_is_nothing(settings):
    settings.TRUSTED_PROXIES = []
    meta = {"REMOTE_ADDR": "192.0.2.1", "HTTP_X_FORWARDED_FOR": "203.0.113.9"}
    assert str(caller.of(meta)) == "192.0.2.1"


def test_the_settings_name_the_proxies(settings):
    settings.TRUSTED_PROXIES = ["192.0.2.0/24", "::1"]
    meta = {"REMOTE_ADDR": "192.0.2.1", "HTTP_X_FORWARDED_FOR": "203.0.113.9, 192.0.2.2"}
    assert str(caller.of(meta)) == "203.0.113.9"
    assert str(caller.of({})) == "an unreadable address"


proxies = st.integers(1, 254).map(lambda n: f"10.0.0.{n}")
others = st.integers(1, 254).map(lambda n: f"203.0.113.{n}")
lies = st.lists(st.one_of(proxies, others, st.sampled_from(["", "unknown", "198.51.100.1", "[::1"])), max_size=4)


@given(lie=lies, client=others, chain=st.lists(proxies, max_size=4), blank=st.sampled_from(["", " ", "\t "]))
def test_nothing_that_a_caller_writes_changes_whose_address_counts(lie, client, chain, blank):
    """Each proxy appends the peer it saw: the caller, then the proxies before it. The last one is our own peer."""
    appended = [client, *chain[:-1]] if chain else []
    header = f",{blank}".join([*lie, *appended]) if lie or appended else None
    found = caller.find(chain[-1] if chain else client, header, PROXIES)
    assert str(found.address) == client


@given(st.text(max_size=40))
def test_any_header_gives_an_address_or_none(text):
    caller.find("10.0.0.1", text, PROXIES)
