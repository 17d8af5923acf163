"""A host has one canonical form, whatever it is spelled like (DESIGN 5.1)."""

import pytest

from embargo.core.hostname import MalformedHost, canonical, parse_authority

LABEL = "a" * 63
LONGEST = ".".join([LABEL, LABEL, LABEL, "a" * 61])  # 253 octets

SPELLINGS = {  # case: (text, canonical)
    "as it is": ("alipay.com", "alipay.com"),
    "capitals": ("ALIPAY.COM", "alipay.com"),
    "mixed case": ("AliPay.Com", "alipay.com"),
    "a trailing dot": ("alipay.com.", "alipay.com"),
    "a port": ("alipay.com:443", "alipay.com"),
    "a port with leading zeros": ("alipay.com:0000443", "alipay.com"),
    "an empty port": ("alipay.com:", "alipay.com"),
    "a port beyond 65535": ("alipay.com:99999", "alipay.com"),
    "a trailing dot and a port": ("alipay.com.:443", "alipay.com"),
    "white space around it": (" \talipay.com ", "alipay.com"),
    "an obs-folded header value": ("\r\n alipay.com", "alipay.com"),
    "fullwidth letters": ("ａｌｉｐａｙ.com", "alipay.com"),
    "fullwidth capitals": ("ＡＬＩＰＡＹ.ＣＯＭ", "alipay.com"),
    "an ideographic full stop": ("alipay。com", "alipay.com"),
    "a fullwidth full stop": ("alipay．com", "alipay.com"),
    "a halfwidth ideographic full stop": ("alipay｡com", "alipay.com"),
    "fullwidth letter and ideographic full stop": ("ａlipay。com", "alipay.com"),
    "a trailing ideographic full stop": ("alipay.com。", "alipay.com"),
    "an ignored soft hyphen": ("ali\u00adpay.com", "alipay.com"),
    "an ignored zero width space": ("ali\u200bpay.com", "alipay.com"),
    "an ignored variation selector": ("alipay\ufe0f.com", "alipay.com"),
    "circled letters": ("ⓐⓛⓘⓟⓐⓨ.com", "alipay.com"),
    "mathematical letters": ("𝖆𝖑𝖎𝖕𝖆𝖞.com", "alipay.com"),
    "the Kelvin sign": ("\u212a.example", "k.example"),
    "a U-label and its A-label": ("支付宝.com", "xn--bnq242a7nh.com"),
    "an A-label in capitals": ("XN--BNQ242A7NH.COM", "xn--bnq242a7nh.com"),
    "a single label": ("localhost", "localhost"),
    "an underscore": ("_dmarc.example.com", "_dmarc.example.com"),
    "two hyphens in third and fourth place": ("r3---sn-4g5e6nez.googlevideo.com", "r3---sn-4g5e6nez.googlevideo.com"),
    "a label that ends in a hyphen": ("a-.example", "a-.example"),
    "a label that begins with a hyphen": ("-a.example", "-a.example"),
    "an emoji A-label, which IDNA 2008 refuses": ("xn--ls8h.la", "xn--ls8h.la"),
    "an emoji": ("💩.la", "xn--ls8h.la"),
    "a Cyrillic look-alike stays another name": ("аlipay.com", "xn--lipay-3ve.com"),
    "the longest name": (LONGEST, LONGEST),
    "the longest name with a trailing dot": (LONGEST + ".", LONGEST),
    "a name that begins like an address": ("203.0.113.9.example", "203.0.113.9.example"),
    "a number that is no address": ("1.2.3.4.5", "1.2.3.4.5"),
    "an address": ("203.0.113.9", "203.0.113.9"),
    "an address with a port": ("203.0.113.9:8443", "203.0.113.9"),
    "an address with a trailing dot": ("203.0.113.9.", "203.0.113.9"),
    "an address as one decimal number": ("3405803785", "203.0.113.9"),
    "an address as one decimal number, with a port": ("3405803785:443", "203.0.113.9"),
    "an address as one hexadecimal number": ("0xCB007109", "203.0.113.9"),
    "an address in octal": ("0313.0.0161.011", "203.0.113.9"),
    "an address in two parts": ("203.28937", "203.0.113.9"),
    "an address in three parts": ("203.0.28937", "203.0.113.9"),
    "an address in fullwidth digits": ("２０３.0.113.9", "203.0.113.9"),
    "an address with ideographic full stops": ("203。0。113。9", "203.0.113.9"),
    "IPv4-mapped, dotted": ("::ffff:203.0.113.9", "203.0.113.9"),
    "IPv4-mapped, hexadecimal": ("::ffff:cb00:7109", "203.0.113.9"),
    "IPv4-mapped, in brackets, with a port": ("[::FFFF:CB00:7109]:443", "203.0.113.9"),
    "IPv6 in brackets": ("[2001:db8::1]", "2001:db8::1"),
    "IPv6 in brackets with a port": ("[2001:DB8:0:0::1]:443", "2001:db8::1"),
    "IPv6 without brackets": ("2001:db8::1", "2001:db8::1"),
    "IPv6 written out": ("[2001:0db8:0000:0000:0000:0000:0000:0001]", "2001:db8::1"),
    "IPv6 with a zone": ("[fe80::1%25eth0]", "fe80::1"),
}


@pytest.mark.parametrize(("text", "expected"), SPELLINGS.values(), ids=SPELLINGS)
def test_canonical(text: str, expected: str) -> None:
    assert canonical(text).text == expected


@pytest.mark.parametrize("text", [text for text, _ in SPELLINGS.values()], ids=SPELLINGS)
def test_canonical_twice_changes_nothing(text: str) -> None:
    once = canonical(text)
    assert canonical(once.text) == once


MALFORMED = {
    "nothing": "",
    "white space": " \t",
    "a dot": ".",
    "two dots": "..",
    "two trailing dots": "alipay.com..",
    "an empty label": "alipay..com",
    "a leading dot": ".alipay.com",
    "a blank inside": "ali pay.com",
    "an address with something behind it": "203.0.113.9 x",
    "a blank before the port": "alipay.com :443",
    "a slash": "alipay.com/path",
    "a backslash": "alipay.com\\path",
    "a NUL": "alipay.com\0",
    "a line break inside": "alipay.com\nevil.example",
    "a percent-encoded letter": "%61lipay.com",
    "user information": "user@alipay.com",
    "a star": "*.alipay.com",
    "a comma between two": "alipay.com,example.org",
    "a label of 64": f"a{LABEL}.com",
    "a name of 254": f"{LONGEST}a",
    "an A-label beyond 63": "ü" * 63 + ".com",
    "a thousand characters and more": "a." * 600 + "com",
    "a port that is no number": "alipay.com:https",
    "a port with a sign": "alipay.com:+443",
    "a port in digits of another script": "alipay.com:４４３",
    "two ports": "alipay.com:443:443",
    "an open bracket": "[2001:db8::1",
    "a bracket around a name": "[alipay.com]",
    "a bracket around IPv4": "[203.0.113.9]",
    "something behind the bracket": "[2001:db8::1]x",
    "IPv6 with two gaps": "[2001::db8::1]",
    "a lone surrogate": "\ud800.com",
    "the replacement character": "\ufffd.com",
    "a disallowed code point": "a⒈com",
    "what maps to a slash": "℀.com",
    "nothing but ignored code points": "\u00ad\u200b",
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED)
def test_malformed(text: str) -> None:
    with pytest.raises(MalformedHost):
        canonical(text)


PORTS = {  # case: (text, port)
    "none": ("alipay.com", None),
    "one": ("alipay.com:443", 443),
    "leading zeros": ("alipay.com:000080", 80),
    "empty": ("alipay.com:", None),
    "the largest": ("alipay.com:65535", 65535),
    "beyond the largest": ("alipay.com:65536", None),
    "a hundred digits": ("alipay.com:" + "9" * 100, None),
    "behind brackets": ("[2001:db8::1]:8080", 8080),
    "an IPv6 address without brackets has none": ("2001:db8::1:8080", None),
}


@pytest.mark.parametrize(("text", "port"), PORTS.values(), ids=PORTS)
def test_port(text: str, port: int | None) -> None:
    assert parse_authority(text)[1] == port


# UTS 46, IdnaTestV2, column toASCII (non-transitional), as published: those vectors that a name made of
# U-labels can meet. Where UTS 46 refuses what is registered all the same (joiners without their context,
# RFC 5891 rules), DESIGN takes plain punycode, and the row stands in BEYOND.
UTS46 = {
    "fass.de": "fass.de",
    "faß.de": "xn--fa-hia.de",
    "Faß.de": "xn--fa-hia.de",
    "xn--fa-hia.de": "xn--fa-hia.de",
    "à.א\u0308": "xn--0ca.xn--ssa73l",
    "a\u0300.א\u0308": "xn--0ca.xn--ssa73l",
    "A\u0300.א\u0308": "xn--0ca.xn--ssa73l",
    "À.א\u0308": "xn--0ca.xn--ssa73l",
    "à\u0308.א": "xn--0ca81i.xn--4db",
    "a\u0300\u0308.א": "xn--0ca81i.xn--4db",
    "a\u094d\u200cb": "xn--ab-fsf604u",
    "A\u094d\u200cB": "xn--ab-fsf604u",
    "a\u094db": "xn--ab-fsf",
    "a\u094d\u200db": "xn--ab-fsf014u",
    "\u00a1": "xn--7a",
    "\u19da": "xn--pkf",
    "\uab60": "xn--3y9a",
    "www.eXample.cOm": "www.example.com",
    "Bücher.de": "xn--bcher-kva.de",
    "Bu\u0308cher.de": "xn--bcher-kva.de",
    "BÜCHER.DE": "xn--bcher-kva.de",
    "BU\u0308CHER.DE": "xn--bcher-kva.de",
    "ÖBB": "xn--bb-eka",
    "O\u0308BB": "xn--bb-eka",
    "βόλος.com": "xn--nxasmm1c.com",
    "βο\u0301λος.com": "xn--nxasmm1c.com",
    "ΒΌΛΟΣ.COM": "xn--nxasmq6b.com",
    "βόλοσ.com": "xn--nxasmq6b.com",
    "www.ශ\u0dca\u200dර\u0dd3.com": "www.xn--10cl1a0b660p.com",
    "www.ශ\u0dcaර\u0dd3.com": "www.xn--10cl1a0b.com",
    "نامه\u200cای": "xn--mgba3gch31f060k",
    "نامهای": "xn--mgba3gch31f",
    "نامه\u200cای.COM": "xn--mgba3gch31f060k.com",
    "a.b．c。d｡": "a.b.c.d",
    "A.B.C。D。": "a.b.c.d",
    "U\u0308.xn--tda": "xn--tda.xn--tda",
    "ü.XN--TDA": "xn--tda.xn--tda",
    "Ü.ü": "xn--tda.xn--tda",
    "日本語。ＪＰ": "xn--wgv71a119e.jp",
    "日本語。ｊｐ": "xn--wgv71a119e.jp",
    "日本語.Jp": "xn--wgv71a119e.jp",
    "☕": "xn--53h",
    "≠": "xn--1ch",
    "≮": "xn--gdh",
    "≯": "xn--hdh",
    "a†--": "xn--a---kp0a",
    "-†": "xn----xhn",
    "-x.ß": "-x.xn--zca",
    "x-.ß": "x-.xn--zca",
    "ab--c.ß": "ab--c.xn--zca",
    "a\u00adb": "ab",
}


@pytest.mark.parametrize(("text", "expected"), UTS46.items(), ids=[ascii(text) for text in UTS46])
def test_uts46(text: str, expected: str) -> None:
    assert canonical(text).text == expected


# RFC 3492, section 7.1: the sample strings whose code points UTS 46 leaves as they are, and their punycode.
RFC3492 = {
    "(A) Arabic": ("ليهمابتكلموشعربي؟", "egbpdaj6bu4bxfgehfvwxn"),
    "(B) Chinese, simplified": ("他们为什么不说中文", "ihqwcrb4cv8a8dqg056pqjye"),
    "(C) Chinese, traditional": ("他們爲什麽不說中文", "ihqwctvzc91f659drss3x8bo0yb"),
    "(E) Hebrew": ("למההםפשוטלאמדבריםעברית", "4dbcagdahymbxekheh6e0a7fei0b"),
    "(F) Hindi": ("यहलोगहिन्दीक्योंनहींबोलसकतेहैं", "i1baa7eci9glrd9b2ae1bj0hfcgg6iyaf8o0a1dig0cd"),
    "(G) Japanese": ("なぜみんな日本語を話してくれないのか", "n8jok5ay5dzabd5bym9f0cm5685rrjetr6pdxa"),
    "(I) Russian": ("почемужеонинеговорятпорусски", "b1abfaaepdrnnbgefbadotcwatmq2g4l"),
    "(K) Vietnamese": ("tạisaohọkhôngthểchỉnóitiếngviệt", "tisaohkhngthchnitingvit-kjcr8268qyxafd2f1b9g"),
    "(L) 3年b組金八先生": ("3年b組金八先生", "3b-ww4c5e180e575a65lsy2b"),
    "(N) hello-another-way": ("hello-another-way-それぞれの場所", "hello-another-way--fc4qua05auwb3674vfr0b"),
    "(O) ひとつ屋根の下2": ("ひとつ屋根の下2", "2-u9tlzr9756bt3uc0v"),
    "(Q) パフィーdeルンバ": ("パフィーdeルンバ", "de-jg4avhby1noc0d"),
    "(R) そのスピードで": ("そのスピードで", "d9juau41awczczp"),
}


@pytest.mark.parametrize(("label", "punycode"), RFC3492.values(), ids=RFC3492)
def test_rfc3492(label: str, punycode: str) -> None:
    assert canonical(f"{label}.example").text == f"xn--{punycode}.example"


BEYOND = {  # what UTS 46 or IDNA 2008 refuses and DNS carries; case: (text, canonical)
    "a joiner without its context": ("a\u200cb", "xn--ab-j1t"),
    "a zero width joiner without its context": ("a\u200db", "xn--ab-m1t"),
    "right-to-left and left-to-right in one label": ("يa", "xn--a-yoc"),
    "an A-label that decodes to nothing": ("xn--a.ß", "xn--a.xn--zca"),
}


@pytest.mark.parametrize(("text", "expected"), BEYOND.values(), ids=BEYOND)
def test_beyond_idna_2008(text: str, expected: str) -> None:
    assert canonical(text).text == expected
