"""Any text: what names by its form, secrets, templates."""

import re

import pytest

from promptforge.redaction.key import Key
from promptforge.redaction.redaction import Redaction, make_redaction
from promptforge.redaction.shapes import shapes

KEY = Key(b"a key of thirty-two bytes or so.")


def redaction(text: str, *words: str) -> Redaction:
    """Of a text without a project."""
    return make_redaction(KEY, {}, [text], words=words)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("at 192.168.1.20:8123,", r"at (192\.0\.2|198\.51\.100|203\.0\.113)\.\d+:8123,"),
        ("http://192.168.1.20/x", r"http://(192\.0\.2|198\.51\.100|203\.0\.113)\.\d+/x"),
        ("[fd12:3456::7]:8123", r"\[2001:db8:[0-9a-f:]+\]:8123"),
        ("fd7a:115c:a1e0::1234", r"fd7a:115c:a1e0::[0-9a-f]{1,4}"),
        ("aaab:bbbb:cccc::1,", r"2001:db8:[0-9a-f]+:[0-9a-f:]+,"),
        ("2607:f8b0:85a3::8a2e:370:7334/64", r"2001:db8:[0-9a-f]+:[0-9a-f:]+/64"),
        (r"192\.168\.1\.6|x", r"(192\\.0\\.2|198\\.51\\.100|203\\.0\\.113)\\.\d+\|x"),
        ("mac 3c:22:fb:0a:1b:2c!", r"mac 00:00:5e:00:53:[0-9a-f]{2}!"),
        ("mail odette@quill.net.", r"mail user\d+@host\d+\.example\."),
        ("ssh odette@nas", r"ssh user\d+@host\d+"),
        ("https://u:pw@nas.quill.net/a?b=c", r"https://host\d+\.name\d+\.example/a\?b=c"),
        ("https://github.com/quill/house", r"https://host\d+\.example/user\d+/house"),
        ("nas.tail12ab.ts.net.", r"host\d+\.name\d+\.ts\.net\."),
        ("printer.local", r"host\d+\.local"),
        ("/home/odette/x, /Users/odette/y", r"/home/(user\d+)/x, /Users/\1/y"),
        ("id 8c6f1a1e-58b1-4a52-9e0e-1234567890ab", r"id [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
        ("0x00158D0001ABCDEF", r"0x[0-9A-F]{16}"),
        ("ip-192-168-1-20", r"ip-(192-0-2|198-51-100|203-0-113)-\d+"),
        ("lamp_192_168_1_20.log", r"lamp_(192_0_2|198_51_100|203_0_113)_\d+\.log"),
        ("ip-3-4-5-6 is not 3-4-5-7", r"ip-(192-0-2|198-51-100|203-0-113)-\d+ is not 3-4-5-7"),
        ("20.1.168.192.in-addr.arpa.", r"\d+\.(2\.0\.192|100\.51\.198|113\.0\.203)\.in-addr\.arpa\."),
        ("0x3c22fb0a1b2c 0X3C22FB0A1B2C", r"0x00005e0053([0-9a-f]{2}) 0X00005E0053[0-9A-F]{2}"),
        ("3C22.FB0A.1B2C 3c22fb0a1b2c", r"0000\.5E00\.53[0-9A-F]{2} 00005e0053[0-9a-f]{2}"),
        ("call +49 170 1234567 now", r"call \+1-\d{3}-555-01\d\d now"),
        ("light.hall_lamp is on", r"light\.entity\d+ is on"),
        ("the alarm PIN is 482913", r"the alarm PIN is <removed>"),
    ],
)
def test_what_names_by_its_form_is_replaced(text, wanted):
    """Wherever it stands, and in its own form."""
    made = redaction(text).plain(text)
    assert re.fullmatch(wanted, made), made
    assert made != text


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1:1338 and ::1, 0.0.0.0/0",
        "time.sleep(1); datetime.date.today(); self.light.on",
        "https://api.openai.com/v1 and https://json-schema.org/draft-07/schema#",
        "agents/windu.yaml, house-rules.md.j2, main.py",
        "1-2-3-4, 2026-11-22-10, 1_22_3_4",
        "1.2.3, 2026-11-22, 10:30:15, a::b, [::2], 3:4",
        "std::vector::push, {{ agent.name }}",
        "port 8123, 42 %, 1,337",
        "",
    ],
)
def test_what_names_nothing_stays(text):
    """Code, times, versions, file names, loopback, the sites that everybody uses."""
    assert redaction(text).plain(text) == text


def test_the_same_is_the_same_and_another_is_another():
    """In one text, and with the key in two."""
    text = "192.168.1.20 192.168.1.21 192.168.1.20 3C-22-FB-0A-1B-2C 3c22.fb0a.1b2c"
    made = redaction(text).plain(text).split()
    assert made[0] == made[2] != made[1]
    assert made[3].replace("-", "").lower() == made[4].replace(".", "")
    assert redaction(text).plain(text).split() == made
    other = make_redaction(Key(b"another key, of more bytes......"), {}, [text])
    assert other.plain(text).split() != made


def test_an_address_is_one_in_every_spelling():
    """So a log and a table still join."""
    made = (
        redaction("192.168.1.20").plain("192.168.1.20 ip-192-168-1-20 192_168_1_20 20.1.168.192.in-addr.arpa").split()
    )
    assert len({one.removeprefix("ip-").replace("-", ".").replace("_", ".") for one in made[:3]}) == 1
    assert made[3] == ".".join(made[0].split(".")[::-1]) + ".in-addr.arpa"
    macs = redaction("").plain("0x3c22fb0a1b2c 3c:22:fb:0a:1b:2c 3C22.FB0A.1B2C 3C22FB0A1B2C").split()
    assert len({one.lower().removeprefix("0x").replace(":", "").replace(".", "") for one in macs}) == 1


def test_words_may_be_named():
    """A name that no table has."""
    made = redaction("Odette's", "Odette").plain("Odette's lamp, odette_lamp")
    assert re.fullmatch(r"(Name\d+)'s lamp, name\d+_lamp", made)


def test_shapes_do_not_take_long():
    """No text, however made, is searched again and again."""
    for one in ("a.", "1.", "a:", "-", "ab:cd:", "0f", "http://", "x@", "/home/", "+1 "):
        assert list(shapes(one * 20_000)) is not None
