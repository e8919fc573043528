"""What may be reached outside: hostile addresses, names with bad answers, and a list that is told when it is wrong."""

import socket
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.environment import each
from spine import allowlist
from spine.allowlist import NotAllowed, parse, permitted, permitted_folder, resolved

ALLOWED = [parse("https://api.example.com"), parse("https://api.example.com:8443"), parse("http://plain.example.com")]
HOSTILE = [
    # other hosts, and names that only look alike
    "https://evil.example.net/",
    "https://example.com/",
    "https://www.api.example.com/",
    "https://api.example.com.evil.net/",
    "https://api.example.com%2eevil.net/",
    "https://xapi.example.com/",
    "https://api-example.com/",
    "https://api.example.com:444/",
    "https://api.example.com:0/",
    "https://api.example.com:99999/",
    "https://api.example.com:443x/",
    "https://api.example.com:-443/",
    "https://api.example.com./",
    "https://.api.example.com/",
    "https://api..example.com/",
    "http://api.example.com/",
    "https://plain.example.com/",
    # user parts, and what different readers cut in different places
    "https://user@api.example.com/",
    "https://user:password@api.example.com/",
    "https://api.example.com@evil.net/",
    "https://api.example.com:443@evil.net/",
    "https://evil.net\\@api.example.com/",
    "https://api.example.com\\@evil.net/",
    "https://api.example.com\\.evil.net/",
    "https://evil.net#@api.example.com/",
    "https://api.example.com#@evil.net/",
    "https://api.example.com/#fragment",
    "https://evil.net?@api.example.com/",
    "https:/api.example.com/",
    "https:///api.example.com/",
    "https:api.example.com",
    "//api.example.com/",
    "https://https://api.example.com/",
    # characters that vanish, split a request, or become others
    "https://api.example.com /",
    " https://api.example.com/",
    "https://api.example.com/\r\nHost: evil.net",
    "https://api.example.com/a b",
    "https://api.exa\tmple.com/",
    "https://api.example.com\x00.evil.net/",
    "https://api.example.com/\x00",
    "https://api.example.com/\x7f",
    "https://ap\u0131.example.com/",
    "https://api\u3002example.com/",
    "https://\uff41pi.example.com/",
    "https://api.example.com\u2044evil/",
    "https://api.example.com/\u202e",
    "https://%61pi.example.com/",
    'https://api.example.com/"<script>',
    "https://api.example.com/`id`",
    "https://api.example.com/{a}|b^c",
    # this machine and its network, in every spelling
    "http://127.0.0.1/",
    "http://localhost/",
    "http://localhost.localdomain/",
    "http://127.1/",
    "http://127.0.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.0x0.0x0.0x1/",
    "http://0177.0.0.1/",
    "http://017700000001/",
    "http://127.0.0.1.:80/",
    "http://0/",
    "http://0.0.0.0/",
    "http://[::1]/",
    "http://[::]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[fe80::1%25eth0]/",
    "http://[fe80::1]/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[fd00:ec2::254]/",
    "http://metadata.google.internal/",
    "http://::1/",
    "http://[::1/",
    "http://1.2.3.4.5/",
    "http://256.0.0.1/",
    # other ways of reaching things
    "file:///etc/passwd",
    "ftp://api.example.com/",
    "gopher://api.example.com/",
    "javascript:alert(1)",
    "data:text/plain,x",
    "unix:///var/run/docker.sock",
    "postgresql://api.example.com/",
    "s3://api.example.com/",
    "",
    "https://",
    "https://api.example.com/" + "a" * 2000,
]


@pytest.mark.parametrize("url", HOSTILE)
def test_hostile_address_is_refused(url: str) -> None:
    with pytest.raises(NotAllowed):
        permitted(ALLOWED, url)


def test_allowed_addresses_are_read_and_their_path_is_kept() -> None:
    place = permitted(ALLOWED, "HTTPS://API.example.com/v1/Findings?since=2026-05-04T00:00:00Z&a=%2F")
    assert (place.origin, place.target) == (
        "https://api.example.com",
        "/v1/Findings?since=2026-05-04T00:00:00Z&a=%2F",
    )
    assert permitted(ALLOWED, "https://api.example.com:8443").origin == "https://api.example.com:8443"
    with pytest.raises(NotAllowed, match="not on the list"):
        permitted([], "https://api.example.com/")


def answering(*addresses: str) -> Any:
    """A resolver that gives these addresses for every name."""

    def resolve(host: str, port: int, **_: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    return resolve


BAD_ANSWERS = [
    *("127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "100.64.0.1"),
    *("169.254.169.254", "0.0.0.0", "255.255.255.255", "224.0.0.1", "192.0.2.1", "198.18.0.1", "240.0.0.1"),
    *("::1", "::", "fe80::1", "fe80::1%lo", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1"),
    *("::ffff:127.0.0.1", "::ffff:93.184.216.34", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0::1"),
    *("100.100.100.200", "168.63.129.16", "192.0.0.192", "nonsense"),
]


@pytest.mark.parametrize("address", BAD_ANSWERS)
def test_name_that_leads_to_an_address_that_may_not_be_reached_is_refused(address: str) -> None:
    place = permitted(ALLOWED, "https://api.example.com/")
    with pytest.raises(NotAllowed, match="may not be reached"):
        resolved(place, answering(address))
    with pytest.raises(NotAllowed, match="may not be reached"):  # one good answer beside it saves nothing
        resolved(place, answering("93.184.216.34", address))


def test_public_addresses_are_kept_in_order_once_each() -> None:
    place = permitted(ALLOWED, "https://api.example.com/")
    found = resolved(place, answering("93.184.216.34", "2606:2800:220:1::1", "93.184.216.34"))
    assert found == ["93.184.216.34", "2606:2800:220:1::1"]


def test_name_without_an_address_is_refused() -> None:
    place = permitted(ALLOWED, "https://api.example.com/")
    with pytest.raises(NotAllowed, match="has no address"):
        resolved(place, answering())
    with pytest.raises(NotAllowed, match="has no address"):
        resolved(permitted([parse("https://no-such-host.invalid")], "https://no-such-host.invalid/"))


def test_entry_with_a_network_admits_that_network_alone() -> None:
    inner = permitted([parse("https://api.internal:8443=10.1.0.0/16")], "https://api.internal:8443/x")
    assert resolved(inner, answering("10.1.2.3")) == ["10.1.2.3"]
    for other in ("10.2.0.1", "127.0.0.1", "93.184.216.34", "::ffff:10.1.2.3", "169.254.169.254"):
        with pytest.raises(NotAllowed):
            resolved(inner, answering(other))


def test_loopback_is_reached_by_an_entry_that_says_so() -> None:
    assert resolved(permitted([parse("http://127.0.0.1:8080")], "http://127.0.0.1:8080/")) == ["127.0.0.1"]
    with pytest.raises(NotAllowed):
        resolved(permitted([parse("http://localhost")], "http://localhost/"))
    local = permitted([parse("http://localhost=127.0.0.0/8")], "http://localhost/")
    assert resolved(local, answering("127.0.0.1")) == ["127.0.0.1"]


@pytest.mark.parametrize(
    "entry",
    [
        *("api.example.com", "https://", "https://api.example.com/path", "https://user@api.example.com"),
        *("https://*.example.com", "https://127.1", "https://api.example.com=10.0.0.1/8", "file://host/x", "file:///"),
        *("http://169.254.169.254=169.254.0.0/16", "https://a=fe80::/64", "file:///mnt/../etc", "*", "https://a:0"),
    ],
)
def test_entry_that_cannot_be_used_is_told_by_name(entry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETORT_OUTGOING_ALLOWED", f"https://api.example.com {entry}")
    with pytest.raises(ImproperlyConfigured, match="RETORT_OUTGOING_ALLOWED"):
        each("RETORT_OUTGOING_ALLOWED", allowlist.parse)


def test_metadata_addresses_are_reached_by_no_entry() -> None:
    for url in ("http://169.254.169.254", "http://[fd00:ec2::254]", "http://100.100.100.200"):
        with pytest.raises(NotAllowed):
            resolved(permitted([parse(url)], f"{url}/"))


def test_folder_is_allowed_with_what_is_in_it_and_links_are_followed(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in" / "deep", tmp_path / "out"
    inside.mkdir(parents=True)
    outside.mkdir()
    (tmp_path / "in" / "link").symlink_to(outside)
    allowed = [parse((tmp_path / "in").as_uri())]
    assert permitted_folder(allowed, str(inside)) == inside
    refused = (str(outside), str(tmp_path / "in" / "link"), f"{inside}/../../out", "in", "/", f"{tmp_path}/inside")
    for path in refused:
        with pytest.raises(NotAllowed):
            permitted_folder(allowed, path)
