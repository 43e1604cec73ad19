"""The built-in rules: what they find, what they leave alone, and that nothing makes them slow."""

from __future__ import annotations

import base64
import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ollamatrace.privacy import RULES, found_in, is_secret_under

# Each has one thing in it that the rule finds.
POSITIVES = {
    "email": [
        "bob@x.example",
        "a.b+c@sub.d.example",
        "?email=a%40b.example",
        "bob\\u0040x.example",
        '{"m":"a\\nbob@x.example"}',
        "Jörg.Ä@müller.example",
        "mail:<bob@x.example>.",
        "j\\u00f6rg@x.example",
        "https://h/p?email=ada.l%2Btag%40b.example&x=1",
        "bob&#64;x.example",
        "100%bob@x.example",
        "%3Dbob%40x.example",
        "'bob@x.example'",
        "O'Brien@x.example",
        "bob@[10.0.0.1]",
    ],
    "phone": [
        "+14155552671",
        "+1 (415) 555-2671",
        "+44 20 7946 0958",
        "+49 (0)30 123456",
        "+33.1.23.45.67.89",
        "0049 30 123456",
        "(415) 555-2671",
        "415-555-2671",
        "415.555.2671",
        "020 7946 0958",
        "07700 900123",
        "030/1234567",
        "01 23 45 67 89",
        "0171-1234567",
        "tel:4155552671",
        '"phone": "4155552671"',
        "p=%2B1+415+555+2671",
        "\\u002b14155552671",
        "\\n030 1234567",
        "+49\xa030\xa01234567",
        "2024-01-02 415-555-2671",
        "12:30 415-555-2671 x",
        "03-1234-5678",
        "138 0013 8000",
        "98765 43210",
        "+81-3-1234-5678",
        "8 (495) 123-45-67",
        "(11) 91234-5678",
        "call 1-800-555-2199",
        "0470 12 34 56",
        "0412 345 678",
    ],
    "card": [
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "378282246310005",
        "3782 822463 10005",
        "6011000990139424",
        "5555 5555 5555 4444",
        "4222222222222",
        "30569309025904",
        "3530111333300000",
        '{"card":"4111111111111111"}',
        "c=4111+1111+1111+1111",
        "\\n4111111111111111",
        "4111%201111%201111%201111",
        "4111 1111 1111 1111 12/28",
        "1,4111111111111111,2",
        "6304000000000000",
        "2223003122003222",
    ],
    "key": [
        "sk-proj-abcdefgh12345678",
        "sk-ant-api03-abcdefgh",
        "sk-abcdefghijklmnopqrstuvwx",
        "gsk_abcdefghijklmnopqrstuvwx12",
        "hf_abcdefghijklmnopqrstuvwxyz",
        "ghp_a1B2a1B2a1B2a1B2a1B2a1B2a1B2a1B2a1B2",
        "github_pat_a1B2a1B2a1B2a1B2a1B2a1B2a1B2a1B2a1B2",
        "glpat-abcdefghijklmnop1234",
        "AKIAIOSFODNN7EXAMPLE",
        "AIzaSyA1234567890abcdefghijklmnopqrstuvw",
        "ya29.a0AfH6SMBxyz1234",
        "xoxb-1234567890-abcdef",
        "SG.abcdefghijklmnop.qrstuvwxyzabcdef",
        "npm_a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1",
        "pypi-AgEIcHlwaS5vcmcCJDEyMzQ1Njc4",
        "sk_live_abcdefghij1234",
        "rk_live_abcdefghij1234",
        "whsec_abcdefghij1234abcdef",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc_def",
        "Authorization: Bearer abc.def",
        "Authorization: Basic dTpw",
        '"Authorization": "Bearer xyz"',
        "Bearer abcdef123456789",
        "api_key=abcdef",
        '"api_key": "abcdef"',
        '{\\"api_key\\": \\"abcdef\\"}',
        "password=hunter2",
        "?token=abcdef&x=1",
        "secret=hunter2",
        "DB_PASSWORD=hunter2",
        "https://user:hunter2@host/",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIabc+/=\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\\nMIIabc\\n-----END PRIVATE KEY-----\\n",
        "password: hunter2",
        "password: correcthorse\n",
        '"token":"abcdef123456"',
        "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI",
        "X-Api-Key: abcdef123",
        "%22api_key%22%3A%22abcdef%22",
        '"password": "correct horse"',
        "'password': 'abc'",
        "token='abcdef1234'",
        "password=p@ss,w(rd",
    ],
}
NEGATIVES = {
    "email": [
        "@types/node",
        "a@b",
        "user@localhost",
        "icon@2x.png",
        "pkg@1.2.3",
        "x @property",
        "lodash@4.17.21",
        "pkg@1.0.0-beta.1",
    ],
    "phone": [
        "1790000000",
        "1790000000000000000",
        "1790000000.123456",
        "2024-01-02",
        "2024-01-02T12:30:45.123456Z",
        "2024-01-02 12:30:45,123",
        "192.168.100.200",
        "203.0.113.10:8080",
        "1.2.3",
        "v10.11.12",
        "550e8400-e29b-41d4-a716-446655440000",
        "12345678-1234-4123-8123-012345678901",
        "0123456789abcdef",
        "deadbeef01234567",
        "01/02/2024",
        "01.02.2024 12:30",
        "0.123456789",
        "[0.1234, -0.5678]",
        "101 2023 2003 1037",
        "4111 1111 1111 1111",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "+02:00",
        "+0530",
        "1e+12345678",
        "a+14155552671",
        "DE89 3704 0044 0532 0130 00",
        "data:image/png;base64,AA+14155552671/030/1234567=",
        "12345 67890",
        "phone: 192.168.1.10",
        "python 3.11.4",
        "00:00:00.000000",
        "20240102 093015",
        "1_000_000",
    ],
    "card": [
        "4111111111111112",
        "1790000000000000000",
        "0.4111111111111111",
        "4111111111111111.5",
        "a4111111111111111",
        "41111111111111111111",
        "1234567812345678",
        "550e8400-e29b-41d4-a716-446655440000",
        "4111 1111",
    ],
    "key": [
        "sk-learn",
        "sk-fading-circle-container",
        "max_tokens=100",
        '"token": "Hello", "logprob": -0.1',
        "bearer of bad news",
        '"tokens": [1,2]',
        "password",
        "token: the smallest unit",
        "Forgot your password: click here",
        '"password": {"type": "string"}',
        '"api_key": null',
        "api_key=None",
        "api_key=<key>",
        '"api_key": "<key>"',
        "Authorization: Bearer <key>",
        "https://user:<key>@host",
        "https://host:8080/@user",
        "sort key: name",
        "eyJhbGciOiJIUzI1NiJ9",
        "basic understanding",
        "-----BEGIN PUBLIC KEY-----",
        "http://a:80/b",
        "token=<key>",
        "password: <key>",
        "input_tokens=12",
    ],
}
REPLACED = [
    ("email", "to ada@x.example, bob@y.example.", "to <email>, <email>."),
    ("email", "/u?email=a%40b.example&x=1", "/u?email=<email>&x=1"),
    ("email", '{"a":"x\\nada\\u0040x.example"}', '{"a":"x\\n<email>"}'),
    ("phone", "Call +49 (0)30 1234567 at 12:30", "Call <phone> at 12:30"),
    ("phone", "2024-01-02 415-555-2671 ok", "2024-01-02 <phone> ok"),
    ("phone", '{"phone": "4155552671"}', '{"phone": "<phone>"}'),
    ("card", "4111 1111 1111 1111 12/28", "<card> 12/28"),
    ("card", "1,4111111111111111,2", "1,<card>,2"),
    ("key", "Authorization: Bearer abc.def", "Authorization: Bearer <key>"),
    ("key", '"api_key": "a b", "model": "m"', '"api_key": "<key>", "model": "m"'),
    ("key", r"{\"password\": \"pw\", \"user\": 1}", r"{\"password\": \"<key>\", \"user\": 1}"),
    ("key", "https://ada:p@ss@host.example/x", "https://ada:<key>@host.example/x"),
    ("key", "?token=abcdef&model=m", "?token=<key>&model=m"),
    ("key", "f(password=abc)", "f(password=<key>)"),
    (
        "key",
        r"a -----BEGIN PRIVATE KEY-----\nMII+/=\n-----END PRIVATE KEY-----\n b",
        r"a <key>\n b",
    ),
]


def cases(table):
    return [(name, text) for name, texts in table.items() for text in texts]


@pytest.mark.parametrize(("name", "text"), cases(POSITIVES))
def test_finds(name, text):
    (found,) = found_in(name, text)
    replaced = RULES[name](text)
    assert replaced == f"{text[: found.start]}<{name}>{text[found.end :]}"
    assert RULES[name](replaced) == replaced


@pytest.mark.parametrize(("name", "text"), cases(NEGATIVES))
def test_leaves_alone(name, text):
    assert RULES[name](text) == text
    assert not list(found_in(name, text))


@pytest.mark.parametrize(("name", "text", "replaced"), REPLACED)
def test_replaces_that_and_nothing_more(name, text, replaced):
    assert RULES[name](text) == replaced


def test_names():
    assert list(RULES) == ["email", "phone", "key", "card"]
    with pytest.raises(KeyError):
        found_in("name", "")


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("password", "correct horse", True),
        ("x-api-key", 'a"b\\c', True),
        ("OPENAI_API_KEY", "abc", True),
        ("Authorization", "Bearer abc.def", True),
        ("access_token", "abcdef123456", True),
        ("token", "Hello", False),
        ("max_tokens", "abcdef123456", False),
        ("content", "password", False),
        ("password", "<key>", False),
        ("Authorization", "Bearer <key>", False),
        ("key", "value", False),
    ],
)
def test_secrets_by_their_names(key, text, expected):
    assert is_secret_under(key, text) is expected


@pytest.mark.parametrize("name", RULES)
def test_pictures_stay_whole(name):
    picture = base64.b64encode(random.Random(7).randbytes(3_000_000)).decode()
    for text in (picture, f"data:image/png;base64,{picture}"):
        assert RULES[name](text) == text


def test_a_number_in_a_data_url_stays():
    url = "data:image/png;base64,AAAA/+14155552671/030/1234567/AA=="
    assert RULES["phone"](url) == url


PLANTED = {
    "email": ["ada.l@x.example", "a+b@sub.x.example", "ada%40x.example", "ada\\u0040x.example"],
    "phone": ["+14155552671", "+44 20 7946 0958", "(415) 555-2671", "415-555-2671"],
    "key": ["sk-proj-abcdefgh12345678", "ghp_" + "a1B2" * 9, "AKIAIOSFODNN7EXAMPLE"],
    "card": ["4111111111111111", "4111 1111 1111 1111", "3782-822463-10005"],
}


@given(st.data(), st.sampled_from([*RULES]), st.text(), st.text())
def test_what_is_planted_is_gone(data, name, before, after):
    planted = data.draw(st.sampled_from(PLANTED[name]))
    around = data.draw(st.sampled_from(["\n", '"', "'", ", ", "<", "\t"]))
    text = RULES[name](before + around + planted + around + after)
    assert planted not in text
    assert f"<{name}>" in text


SIGNS = "0123456789 0123456789 +-().,:/@%\\\"'=_aAbek4\n"
PIECES = [
    *"+-().,:/@%\\\"'= ",
    *(
        "0",
        "00",
        "030",
        "1234567",
        "+1",
        "415",
        "555",
        "2671",
        "4111",
        "1111",
        "12:30",
        "2024-01-02",
    ),
    *("a", "bob", "x.example", "%40", "\\u0040", "\\n", "tel", "phone", "data:;base64,", "\n"),
    *(
        "password",
        "token",
        "api_key",
        "Bearer",
        "sk-",
        "abcdef123456",
        "://",
        "eyJabcdef.",
        "<key>",
    ),
    *("authorization", "-----BEGIN PRIVATE KEY-----", "x" * 256),
]
nasty = st.text(SIGNS) | st.lists(st.sampled_from(PIECES)).map("".join)


@given(st.sampled_from([*RULES]), st.text() | nasty)
@example("phone", "+1 415 555 2671 030 1234567 415-555-2671 030 1234567")
def test_once_is_enough(name, text):
    once = RULES[name](text)
    assert RULES[name](once) == once
    assert not list(found_in(name, once))


@given(st.text() | nasty)
def test_all_of_them_in_any_order_leave_nothing(text):
    for _ in range(2):
        for rule in RULES.values():
            text = rule(text)
    assert not [name for name in RULES if list(found_in(name, text))]


@given(st.sampled_from([*RULES]), st.text("abc ÄÖ.,;!?()\n\t-"))
def test_words_stay(name, text):
    assert RULES[name](text) == text


@given(st.sampled_from([*RULES]), nasty)
def test_places_are_apart_and_in_order(name, text):
    end = -1
    for found in found_in(name, text):
        assert end < found.start < found.end <= len(text)
        end = found.end


# What takes a pattern long that tries again from each letter: hours for so many.
HOSTILE = [
    "a",
    "@",
    "a@",
    "a@b.",
    "%",
    "%2B",
    "%2Ba",
    "%40",
    "\\",
    "\\u0040",
    "\\u00f6",
    "1",
    "1 ",
    "4",
    "4-",
    "12 ",
    "0049 ",
    "+1",
    "+",
    "+1 ",
    "(",
    "-",
    "sk-",
    "sk-a",
    "eyJ",
    "eyJa.",
    "eyJabcdefg.eyJ",
    "://",
    "://a:",
    "://a:b",
    "password",
    "password=",
    "password:",
    'password: "',
    'password: \\"',
    "token ",
    "api_",
    "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN RSA ",
    "authorization",
    "authorization: ",
    "bearer ",
    "bearer a",
    "tel",
    "tel: ",
    "phone:::::::",
    "data:",
    "data:a;base64,",
    "\n",
    "a" * 63 + " ",
    "01-",
    "030 1234567 ",
    "a.",
    "._-",
    "415-555-2671 ",
    "é",
    "secret=x",
    "secret:",
    '"',
    "'",
    "key",
    "SG.a",
    "4111 ",
    "4 1 1 1 ",
    "password=a ",
    "[?",
    "&key=",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_no_text_takes_long(piece):
    text = (piece * (200_000 // len(piece) + 1))[:200_000]
    for rule in RULES.values():
        rule(text)


@settings(max_examples=10, deadline=None)
@given(st.sampled_from([*RULES]), st.lists(st.sampled_from(PIECES), min_size=1, max_size=4))
def test_no_mixture_takes_long(name, pieces):
    piece = "".join(pieces)
    RULES[name]((piece * (1_000_000 // len(piece) + 1))[:1_000_000])
