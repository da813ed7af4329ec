"""Which addresses may be called: of others' machines only, and only in a form that is one."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contract.addresses import checked_url, is_among, is_public, networks

NOT_PUBLIC = [
    # this machine, and what stands for it
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "::", "::1"),
    # private, shared and local networks
    *("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.127.255.254"),
    *("169.254.169.254", "fe80::1", "fc00::1", "fd00:ec2::254", "fec0::1"),
    # clouds' own services
    *("168.63.129.16", "169.254.170.2", "100.100.100.200"),
    # for papers, for measuring, for the future
    *("192.0.0.1", "192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "198.19.255.255"),
    *("240.0.0.1", "255.255.255.255", "2001:db8::1", "3fff::1", "100::1", "5f00::1"),
    # many at once
    *("224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"),
    # ways around: mapped, compatible, NAT64, 6to4 and its relays, Teredo, ORCHID
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "::ffff:0:127.0.0.1"),
    *("2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:c0a8:101::1", "192.88.99.1"),
    *("2001::1", "2001:0:7f00:1::1", "2001:10::1", "2001:20::1"),
]
PUBLIC = [
    *("1.1.1.1", "8.8.8.8", "9.9.9.9", "93.184.215.14", "151.101.1.67", "185.199.108.153"),
    *(
        "100.63.255.255",
        "100.128.0.1",
        "172.15.255.255",
        "172.32.0.1",
        "192.0.1.1",
        "223.255.255.255",
    ),
    *("2606:4700:4700::1111", "2001:4860:4860::8888", "2620:fe::fe", "2a00:1450:4001:81b::200e"),
    *("2003::1", "2400:cb00::1", "::ffff:8.8.8.8"),
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_no_address_that_leads_inside_is_public(address: str) -> None:
    assert not is_public(address)
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses())
def test_nothing_is_public_that_python_calls_private(address: object) -> None:
    found = ip_address(str(address))
    hidden = found.is_private or found.is_loopback or found.is_link_local or found.is_multicast
    assert not (hidden and is_public(found)) or getattr(found, "ipv4_mapped", None)


def test_a_network_of_ours_has_its_addresses_in_both_ways_to_write_them() -> None:
    ours = networks("10.1.0.0/16, 192.168.7.7 ,fd00::/8")

    assert is_among(ip_address("10.1.2.3"), ours)
    assert is_among(ip_address("::ffff:10.1.2.3"), ours)
    assert is_among(ip_address("192.168.7.7"), ours)
    assert is_among(ip_address("fd12::1"), ours)
    assert not is_among(ip_address("10.2.0.1"), ours)
    assert not is_among(ip_address("192.168.7.8"), ours)
    assert networks("") == ()


@pytest.mark.parametrize("text", ["10.1.0.1/16", "host", "10.0.0.0/33", "10.0.0.0/8;::1"])
def test_a_network_that_is_none_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"networks such as 10\.1\.0\.0/16"):
        networks(text)


@pytest.mark.parametrize(
    ("text", "called"),
    [
        ("https://hooks.example.org", "https://hooks.example.org/"),
        ("https://hooks.example.org:443/a?b=c", "https://hooks.example.org/a?b=c"),
        ("https://hooks.example.org:8443/", "https://hooks.example.org:8443/"),
        ("HTTPS://Hooks.Example.ORG./A", "https://hooks.example.org/A"),
        (
            "https://münchen.example/grüße?ö",
            "https://xn--mnchen-3ya.example/gr%C3%BC%C3%9Fe?%C3%B6",
        ),
        ("https://a_b.example/%20x", "https://a_b.example/%20x"),
        ("https://[2606:4700::0001]/", "https://[2606:4700::1]/"),
        # Numbers are no names, but who is called is seen when they are looked up.
        ("https://①②⑦.⓪.⓪.①/", "https://127.0.0.1/"),
        ("https://2130706433/", "https://2130706433/"),
        ("https://0x7f.1/", "https://0x7f.1/"),
    ],
)
def test_a_url_is_brought_into_the_form_in_which_it_is_called(text: str, called: str) -> None:
    assert str(checked_url(text)) == called
    assert str(checked_url(called)) == called


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("", "must begin with https://"),
        ("hooks.example.org/a", "must begin with https://"),
        ("http://hooks.example.org/", "must begin with https://"),
        ("ftp://hooks.example.org/", "must begin with https://"),
        ("file:///etc/passwd", "must begin with https://"),
        ("gopher://h:11211/_x", "must begin with https://"),
        ("https://me@hooks.example.org/", "remove what is before @"),
        ("https://me:word@hooks.example.org/", "remove what is before @"),
        ("https://hooks.example.org\\@10.0.0.1/", "remove what is before @"),
        ("https://hooks.example.org/#a", "remove # and what follows"),
        ("https://hooks.example.org:80/", "must use port 443 or 8443, not 80"),
        ("https://hooks.example.org:6379/", "must use port 443 or 8443, not 6379"),
        ("https://hooks.example.org:0/", "must use port 443 or 8443, not 0"),
        ("https://hooks.example.org:x/", "write it as https://host/path"),
        ("https://hooks.example.org:65536/", "write it as https://host/path"),
        ("https:///a", "must name a host"),
        ("https://a..b/", "must name a host"),
        ("https://-a.example/", "must name a host"),
        ("https://a%2eb/", "must name a host"),
        ("https://[fe80::1%25eth0]/", "must name a host"),
        ("https://[::g]/", "write it as https://host/path"),
        (f"https://{'a.' * 126}ab/", "at most 253 characters"),
        ("https://hooks.example.org/a b", "without spaces"),
        ("https://hooks.example.org/\r\nHost: x", "without spaces"),
        ("https://h/\x00", "without spaces"),
        (f"https://h/{'a' * 2048}", "at most 2048 characters"),
    ],
)
def test_a_url_that_may_not_be_called_is_refused_by_its_field_with_the_remedy(
    text: str, remedy: str
) -> None:
    with pytest.raises(ValueError, match="callback") as error:
        checked_url(text, field="callback")
    assert remedy in str(error.value)


def test_http_and_other_ports_are_of_a_form_that_may_be_where_some_addresses_are_ours() -> None:
    assert (
        str(checked_url("http://purge.inside:6081/", anywhere=True)) == "http://purge.inside:6081/"
    )
    assert str(checked_url("http://purge.inside/", anywhere=True)) == "http://purge.inside/"
    assert checked_url("https://h:9443/", ports={9443}).port == 9443
    with pytest.raises(ValueError, match="port from 1 on"):
        checked_url("http://purge.inside:0/", anywhere=True)


@given(st.text(max_size=60))
def test_whatever_is_given_either_is_refused_or_has_a_form_in_ascii(rest: str) -> None:
    try:
        found = checked_url(f"https://{rest}", anywhere=True)
    except ValueError:
        return
    assert str(found).isascii()
    assert str(found).isprintable()
    assert " " not in str(found)
    assert checked_url(str(found), anywhere=True) == found
