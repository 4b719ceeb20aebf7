"""The allow-list against golden cases and an oracle that counts bits by itself."""

import socket
from datetime import date, timedelta
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.allowlist import MAX_ENTRIES, AllowListRefused, parse, utc_today

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("", ""),
        (" ; ;\n;", ""),
        ("203.0.113.7", "203.0.113.7/32"),
        ("2001:DB8::1", "2001:db8::1/128"),
        ("10.0.0.0/8;", "10.0.0.0/8"),
        ("2001:db8::/32; 10.0.0.1;\n10.0.0.0/8;10.0.0.1/32", "10.0.0.0/8; 10.0.0.1/32; 2001:db8::/32"),
        ("::ffff:10.0.0.1", "10.0.0.1/32"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("0.0.0.0/0;::/0", "0.0.0.0/0; ::/0"),
        ("10.0.0.1\r\n10.0.0.2\r\n", "10.0.0.1/32; 10.0.0.2/32"),
        ("10.0.0.2;10.0.0.1#Ann's  office ", "10.0.0.1/32 # Ann's office\n10.0.0.2/32"),
        ("10.0.0.1  until\t2027-03-31", "10.0.0.1/32 until 2027-03-31"),
        ("10.0.0.1 until 2027-03-31 # room #7, until then", "10.0.0.1/32 until 2027-03-31 # room #7, until then"),
        ("10.0.0.1 # a\n10.0.0.1 # b\n10.0.0.1 # a", "10.0.0.1/32 # a\n10.0.0.1/32 # b"),
        ("10.0.0.1 #", "10.0.0.1/32"),
    ],
)
def test_a_list_has_one_canonical_text(text, canonical):
    assert str(parse(text)) == canonical
    assert str(parse(canonical)) == canonical


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("10.0.0.1/8", "Write 10.0.0.0/8 for the network, or 10.0.0.1 for one address."),
        ("2001:db8::1/32", "Write 2001:db8::/32 for the network"),
        ("::ffff:10.0.0.1/104", "Write 10.0.0.0/8 for the network, or 10.0.0.1"),
        ("10.0.0.0/33", "a number from 0 to 32"),
        ("2001:db8::/129", "a number from 0 to 128"),
        ("10.0.0.0/255.0.0.0", "a number from 0 to 32"),
        ("10.0.0.0/", "a number from 0 to 32"),
        ("10.0.0.0/08", "a number from 0 to 32"),
        ("10.0.0.0/8/8", "a number from 0 to 32"),
        ("10.0.0.1, 10.0.0.2", "Separate entries with a semicolon."),
        ("10.0.0.1 10.0.0.2", "Separate entries with a semicolon."),
        ("010.0.0.1", "Leave out the leading zeros."),
        ("10.0.0.1:443", "Leave out the port"),
        ("[::1]", "Leave out the port and the brackets."),
        ("fe80::1%eth0", "names a network interface"),
        ("10.0.*.*", "in place of the star"),
        ("partner.example", "Host names can't be used"),
        ("٣.0.0.1", "is not an IP address"),
        ("167772161", "is not an IP address"),
        ("/8", "is not an IP address"),
        ("10.0.0.1 until 2027-02-30", "there is no day 2027-02-30"),
        ("10.0.0.1 until", "needs one day after “until”, written like 2027-03-31"),
        ("10.0.0.1 until 31.3.2027", "needs one day"),
        ("10.0.0.1 until 20270331", "needs one day"),
        ("10.0.0.1 until 2027-03-31 Ann", "A note begins with #."),
        ("10.0.0.1 Ann", "A note begins with #."),
        ("until 2027-03-31", "is more than one entry"),
        ("# the office", "is a note without an address"),
        ("10.0.0.1 # a\x00b", "can't be shown"),
        ("10.0.0.1 # " + "n" * 101, "100 is the limit"),
    ],
)
def test_a_wrong_entry_is_named_with_what_to_write(text, told):
    with pytest.raises(AllowListRefused) as refused:
        parse(f"192.0.2.1;{text};")
    assert f"“{text[:60]}" in str(refused.value)
    assert told in str(refused.value)


def test_an_entry_admits_to_the_end_of_its_last_day_and_then_nobody():
    allowed, caller = parse("10.0.0.0/8 until 2027-03-31"), ip_address("10.1.2.3")
    assert allowed.admits(caller, date(2027, 3, 30))
    assert allowed.admits(caller, date(2027, 3, 31))
    assert not allowed.admits(caller, date(2027, 4, 1))
    assert [str(entry.until) for entry in allowed.of(caller)] == ["2027-03-31"]
    assert allowed.of(None) == allowed.of(ip_address("11.0.0.1")) == []


def test_an_end_that_is_over_holds_today_and_only_for_its_own_entry():
    yesterday, caller = utc_today() - timedelta(days=1), ip_address("10.0.0.1")
    assert not parse(f"10.0.0.1 until {yesterday}").admits(caller)
    assert parse(f"10.0.0.1 until {utc_today()}").admits(caller)
    assert parse(f"10.0.0.1 until {yesterday}; 10.0.0.0/8").admits(caller)


def test_ends_that_are_over_or_near_warn():
    today = utc_today()
    over, near, far = (today + timedelta(days=days) for days in (-1, 14, 15))
    assert parse(f"10.0.0.1 until {over}").warnings == ["Every entry of the list has ended, so every call is refused."]
    assert parse(f"10.0.0.1 until {over}; 10.0.0.2 until {far}").warnings == []
    assert parse(f"10.0.0.1 until {near}").warnings == [f"10.0.0.1/32 may call until {near} (UTC) only."]
    assert parse(f"0.0.0.0/0 until {over}; 10.0.0.1").warnings == []
    assert "is listed twice" in parse(f"10.0.0.1; 10.0.0.1 until {far}").warnings[0]


def test_every_wrong_entry_is_told_at_once():
    with pytest.raises(AllowListRefused) as refused:
        parse("a;b;192.0.2.1;c;d;e;f;g")
    assert "“a”" in str(refused.value)
    assert "“e”" in str(refused.value)
    assert "And 2 more." in str(refused.value)


def test_two_hundred_entries_are_enough():
    entries = [f"10.0.{n // 256}.{n % 256}" for n in range(MAX_ENTRIES)]
    assert len(parse(";".join(entries * 2)).networks) == MAX_ENTRIES
    with pytest.raises(AllowListRefused, match="201 entries"):
        parse(";".join([*entries, "192.0.2.1"]))


def test_a_list_for_everybody_or_nobody_warns():
    assert parse("").warnings == ["The list is empty, so every call is refused."]
    assert parse("192.0.2.1").warnings == []
    assert [text.split()[0] for text in parse("::/0;0.0.0.0/0").warnings] == ["0.0.0.0/0", "::/0"]


def test_an_empty_list_and_an_unknown_address_are_refused():
    assert not parse("").admits(ip_address("192.0.2.1"))
    assert not parse("0.0.0.0/0;::/0").admits(None)


def test_everybody_of_one_version_is_nobody_of_the_other():
    assert parse("0.0.0.0/0").admits(ip_address("192.0.2.1"))
    assert parse("0.0.0.0/0").admits(ip_address("::ffff:192.0.2.1"))
    assert not parse("0.0.0.0/0").admits(ip_address("2001:db8::1"))
    assert parse("::/0").admits(ip_address("2001:db8::1"))
    assert not parse("::/0").admits(ip_address("192.0.2.1"))
    assert not parse("::/0").admits(ip_address("::ffff:192.0.2.1"))


v4 = st.integers(0, 2**32 - 1).map(lambda n: (socket.inet_ntop(socket.AF_INET, n.to_bytes(4, "big")), 4, n))
v6 = st.integers(2**64, 2**128 - 1).map(lambda n: (socket.inet_ntop(socket.AF_INET6, n.to_bytes(16, "big")), 6, n))
mapped = v4.map(lambda each: (f"::ffff:{each[0]}", each[1], each[2]))
near = st.sampled_from([("10.0.0.1", 4, 0x0A000001), ("10.0.0.0", 4, 0x0A000000), ("10.1.0.1", 4, 0x0A010001)])
addresses = st.one_of(v4, v6, mapped, near)


@st.composite
def entries(draw):
    """The text of an entry, and what it means: version, first address, bits."""
    text, version, value = draw(addresses)
    width = 32 if version == 4 else 128
    bits = draw(st.integers(0, width))
    value = value >> (width - bits) << (width - bits)
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    first = socket.inet_ntop(family, value.to_bytes(width // 8, "big"))
    return f"{first}/{bits}", (version, value, bits)


@given(st.lists(entries(), max_size=8), addresses, st.booleans())
def test_admitting_agrees_with_counting_bits(listed, caller, take_one_from_the_list):
    text, version, value = caller
    if listed and take_one_from_the_list:
        version, value, bits = listed[0][1]
        family, size = (socket.AF_INET, 4) if version == 4 else (socket.AF_INET6, 16)
        text = socket.inet_ntop(family, value.to_bytes(size, "big"))
        if version == 6 and 0xFFFF << 32 <= value < 0x10000 << 32:
            version, value = 4, value & 0xFFFFFFFF
    width = 32 if version == 4 else 128
    expected = any(
        v == version and first >> (width - bits) == value >> (width - bits) for _, (v, first, bits) in listed
    )
    assert parse(" ;".join(entry for entry, _ in listed)).admits(ip_address(text)) is expected


@given(st.text(alphabet="0123456789abcdef.:/;%[] \n*-xé#until", max_size=60))
def test_any_text_is_a_list_or_is_refused(text):
    try:
        allowed = parse(text)
    except AllowListRefused:
        return
    assert parse(str(allowed)) == allowed
