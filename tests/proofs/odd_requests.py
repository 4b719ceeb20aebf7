"""Requests as nobody should send them: lists of odd parts, and a maker that puts them together from a seed."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

GOOD = b'{"total": 12.5}'
JSON, FORM = "application/json", "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Odd:
    """A request; `path` stands behind the route's address, `target` in its place."""

    method: str = "POST"
    path: str = ""
    target: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = GOOD
    told: str = ""


def with_headers(odd: Odd, **headers: str) -> Odd:
    return replace(odd, headers=odd.headers | {name.replace("_", "-"): value for name, value in headers.items()})


# fmt: off

NUMBERS = [
    '1e999', '-1e999', '1e400', '1e-400', '1e401', '9' * 5000, '-' + '9' * 1001, '1.' + '0' * 5000, '-0', '-0.0',
    '0e0', '1E+5', '01', '+1', '.5', '1.', '0x10', '1_000', 'NaN', 'Infinity', '-Infinity', 'nan', '--1', '1e', '1e+',
]
NUMBERS += ['1e9999999999999999999', '1e-9999999999999999999', '١', '１', '1,5', '1 2', '0b1', '1n', '-']
TEXTS = [
    '\\u0000', 'a\\u0000b', '\\ud800', '\\udc00\\ud800', '\\ud800\\u0041', '\\uD83D\\uDE00', '\\x41', '\\u12', '\\u',
    "\\'",
    '\\', '\x00', '\x01', '\x1f', '\t', '\n', '\x7f', '\u2028', '\ufeff', '\ufffe', '\u202e', '{{ run.id }}',
    '{% x %}',
    '%s%n', "' OR 1=1 --", '<script>', '../../etc/passwd', '${jndi:ldap://x}', 'A' * 70000, 'é' * 30000, '\\/', '\\b',
]
WHOLE = [
    '', ' ', '\n', 'null', 'true', 'false', '0', '""', '[]', '{}', '[[]]', '[null]', '"text"', 'nul', 'None', 'True',
    'undefined',
    '{', '}', '[', ']', '{"', '{"a', '{"a"', '{"a":', '{"a":1', '{"a":1,', '{"a":1,}', '[1,]', '[,1]', '{,}', '{1:2}',
    '{a:1}',
    "{'a':1}", '{"a" 1}', '{"a"::1}', '{"a":1 "b":2}', '{}{}', '{} {}', '{}x', '{}\x00', '{};', '[1][2]',
    '{"a":1}//c',
    '/*c*/{}', '# c\n{}', '//c\n{}', '{"a":/**/1}', '{"total":1,"total":2}', '{"total":1,"\\u0074otal":2}',
    '{"a":{"b":1,"b":1}}',
    '[' * 100000, '[' * 65 + ']' * 65, '[' * 64 + ']' * 64, '{"a":' * 65 + '1' + '}' * 65, '{"a":' * 50000,
    '[{' * 5000,
    ']' * 1000, '["' + '[' * 100 + '"]', '[' + '1,' * 200000 + '1]', '[' + '{},' * 50000 + '{}]', '{"total":"12.5"}',
    '{"total":null}', '{"total":[1]}', '{"total":true}', '{"TOTAL":1}', '{"total ":1}', '{" total":1}',
    '{"tot\\u0000al":1}',
    '{"__proto__":{"total":1}}', '{"constructor":{"prototype":{"total":1}}}', '{"__class__":"x"}',
    '{"total":1,"files":{"a":"/etc/passwd"}}',
    '{"total":1,"state":"succeeded","entity":1,"id":1,"run":{"id":"x"},"route":{"id":"y"}}', '{"$ref":"#"}', 'a=b',
    '<a/>',
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', '---\ntotal: 1',
    '!!python/object', 'a: &a [*a]',
    '_method=DELETE', 'csrfmiddlewaretoken=x', '{"_method":"DELETE","total":1}', ")]}',\n{}", 'while(1);{}',
    'callback({})', '\ufeff{}',
    '&'.join(['a=1'] * 10000), '&'.join(f'a{n}=1' for n in range(10000)), '&' * 5000, '=' * 5000, 'a=%00', '%00=a',
    'a=%ff', 'a=%',
    'a=%zz', 'a=%u0041', 'a=%ed%a0%80', 'a=%c0%80', 'a;b;c', 'total=1;total=2', 'total[]=1', 'total.x=1',
    'a=+&b=%20&c=%2B', 'x' * (1024 * 1024 + 1),
]
RAW = [
    b'\xff', b'\xfe\xff\x00{\x00}', b'\xff\xfe{\x00}\x00', b'\xef\xbb\xbf{}', b'\xc0\x80', b'\xed\xa0\x80',
    b'{"a":"\xc3"}', b'{"a":"\xf8\x88\x80\x80\x80"}',
]
RAW += ['{"total": 1}'.encode(coding) for coding in ('utf-16', 'utf-16-le', 'utf-16-be', 'utf-32', 'utf-32-le', 'utf-7')]
RAW += [
    b'{"total": 1}\x00', b'\x00' * 100, bytes(range(256)), gzip.compress(GOOD), b'\x1f\x8b\x08\x00', b'PK\x03\x04',
    b'\x80\x02}q\x00.', b'{"a":"\xe9"}',
    b'--x\r\nContent-Disposition: form-data; name="files"; filename="/etc/passwd"\r\n\r\na\r\n--x--', b'--x--',
    b'--x\r\n\r\n', b'--' + b'x' * 200,
]
BODIES = [text.encode('utf-8', 'surrogatepass') for text in WHOLE]
BODIES += RAW
BODIES += [f'{{"total": {number}}}'.encode() for number in NUMBERS]
BODIES += [number.encode() for number in NUMBERS]
BODIES += [f'{{"total": 1, "a": "{text}"}}'.encode() for text in TEXTS]
BODIES += [f'{{"total": 1, "{text}": 1}}'.encode() for text in TEXTS]
TYPES = [
    '', ' ', ';', ';;;', '/', 'json', 'application', 'application/', '/json', '*/*', 'application/*', 'text/plain',
    'text/html', 'text/json',
    'application/xml', 'application/yaml', 'application/x-yaml', 'application/x-python-pickle',
    'application/octet-stream', 'image/png',
    'multipart/form-data', 'multipart/form-data; boundary=', 'multipart/form-data; boundary=x',
    'multipart/form-data; boundary=' + 'x' * 300,
    'multipart/mixed; boundary=x', 'application/json; charset=utf-16', 'application/json; charset=latin-1',
    'application/json; charset=utf-7',
    'application/json; charset=rot13', 'application/json; charset=zlib_codec',
    'application/json; charset=' + 'x' * 3000, 'application/json;charset',
    'application/json; charset="utf-8"', "application/json; charset='utf-8'",
    'application/json; charset=utf-8; charset=utf-16', 'APPLICATION/JSON',
    'application/json, text/html', 'application/json,application/json', 'application/json; a="b',
    'application/json; a="b,c"', ' application/json ',
    'application/vnd.api+json', 'application/+json', 'application/a b+json', 'application/problem+json',
    'application/json+xml', 'application/jsonp',
    'application/json\x0b', 'application/json\xa0', 'applicatión/json',
    'application/x-www-form-urlencoded; charset=utf-16', 'application/x-www-form-urlencoded;charset=UTF-8',
    'application/x-www-form-urlencoded, application/json', 'application/json; format=html', 'x' * 6000,
    'application/ld+json', 'application/json;version=1', 'application/json-seq', 'application/json/json',
]
QUERIES = [
    '?', '??', '?&', '?=', '?&&=&', '?a', '?a=', '?=a', '?a=1&a=2', '?a=%00', '?%00=a', '?a=%ff', '?a=%', '?a=%2',
    '?a=%zz', '?a=%ed%a0%80',
    '?' + '&'.join(['a=1'] * 10000), '?' + 'a' * 6000, '?format=xml', '?format=api', '?format=json',
    '?_method=DELETE', '?method=GET', '?callback=x',
    '?total=1', '?total=x', '?total[]=1', '?a[__proto__]=1', '?a=1;b=2', '?a=+', '?a=%2B', '?token=x', '?a=é', '?a=ÿ',
    '?a=b#c', '?{{run.id}}', "?a='--", '?%61=%62',
]
METHODS = [
    'GET', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'CONNECT', 'post', 'Post', 'get', 'BREW', 'PROPFIND',
    'QUERY', 'A' * 300, 'P OST', '', '_', 'GET\n', 'é', 'PRI', 'M-SEARCH',
]
PATHS = [
    '/', '//', '/.', '/..', '/../', '/%2e%2e/', '/;a=b', ';a', '%00', '%0a', '%20', ' ', '\t', '%', '%zz', '%ff',
    '%c0%af', '/%2f', '%2f', '%5c', '\\', '/runs', '/runs/', '/runs/x', '/runs/%00',
    '/runs/00000000-0000-0000-0000-000000000000', '/runs/00000000-0000-0000-0000-000000000000/',
    '/runs/00000000000000000000000000000000', '/runs/' + '9' * 5000, '.json', 'é', '%c3%a9', '?', '#x', 'x' * 5000,
    '/admin/', '~', '*',
]
TARGETS = [
    '/dynamic', '/dynamic/', '/dynamic//', '//dynamic/x', '/dynamic/x/y/z', '/DYNAMIC/x', '/Dynamic/', '/dynamic/..',
    '/dynamic/../admin/', '/dynamic/%2e%2e/%2e%2e', '/./dynamic/x', '/dynamic/' + 'a' * 8000,
    '/dynamic/None', '/dynamic/0', '/dynamic/-1', '/dynamic/%27', "/dynamic/' OR 1=1", '/dynamic/%00', '/dynamic/é',
    '/dynamic/%f0%9f%98%80', '/dynamic/%ff', '/dynamic/{{x}}', '/dynamic/*', '/dynamic/..;/', '/%64ynamic/x',
    '/dynamic%2fx', '/dynamic/\x00',
]
KEYS = [
    '', ' ', 'a b', '"', '""', '"a', 'a"', '"a" "b"', '"a","b"', 'a,b', 'x' * 256, '"' + 'x' * 256 + '"', 'é', '\x00',
    '\x7f', '\t', 'a\tb', 'null', "'a'", '"\\"', '"\\x"', '"a";p=1', '%00', '٣', 'x' * 7000,
]
AUTHS = [
    '', ' ', 'Bearer', 'Bearer ', 'Bearer  ', 'bearer x', 'Basic YTpi', 'Basic %%%', 'Digest username=x',
    'Bearer a b', 'Bearer é', 'Bearer \x00', 'Bearer ' + 'x' * 7000, 'Negotiate x', 'Bearer null', 'Token x',
    'Bearer,', 'AWS4-HMAC-SHA256 x', 'Bearer cft_aaaaaaaa_' + 'A' * 43,
]
LENGTHS = [
    '', '0', '-1', '+5', '1e3', '0x10', ' 5', '5, 5', '5,6', '٥', '9' * 30, '1000000', '2000000', 'NaN', '15.0', '14',
    '1',
]
HEADERS = [('Host', v) for v in ['', 'evil.example', 'testserver:x', 'testserver:99999', '[::1', 'a' * 3000, 'testserver, evil', 'testserver\x00', 'é', 'test_server', '[::1]', '..', '-', 'testserver.', 'user@testserver', 'testserver/x']]
HEADERS += [('Content-Encoding', v) for v in ['gzip', 'deflate', 'br', 'identity, gzip', 'nonsense', 'x' * 3000, 'GZIP', ',', 'identity']]
HEADERS += [('Transfer-Encoding', v) for v in ['chunked', 'gzip, chunked', 'identity', 'x', 'chunked, chunked', 'Chunked\x0b']]
HEADERS += [('Accept', v) for v in ['', 'text/html', 'application/xml', '*/*;q=0', 'image/*', 'a/b;q=x', 'x' * 3000, 'application/json;indent=999999999', '*/*; indent=-1', ';', 'é']]
HEADERS += [
    ('X-HTTP-Method-Override', 'DELETE'), ('X-Method-Override', 'GET'), ('Expect', '100-continue'), ('Expect', 'x'),
    ('Range', 'bytes=0-'), ('Range', 'x'), ('If-Match', '*'), ('If-None-Match', '*'), ('If-Modified-Since', 'x'),
    ('If-Modified-Since', 'Thu, 01 Jan 1970 00:00:00 GMT'), ('Upgrade', 'websocket'), ('Connection', 'upgrade'),
    ('TE', 'trailers'), ('Max-Forwards', '0'),
]
HEADERS += [('X-Request-ID', v) for v in ['', 'é', 'x' * 5000, '\x1b[31m', '{{x}}', '\x00']]
HEADERS += [('X-Correlation-ID', '\x00'), ('Traceparent', 'x')]
HEADERS += [('Cookie', v) for v in ['', '=', ';', 'a', 'sessionid=' + 'x' * 3000, 'sessionid=\x00', 'csrftoken=é', 'a=b; ' * 500, 'messages=x', 'a="\\999"', '__proto__=1']]
HEADERS += [('X-Forwarded-For', v) for v in ['', 'x', '127.0.0.1', '::1', 'é', '1' * 5000, ',,,', '127.0.0.1, 127.0.0.1']]
HEADERS += [
    ('X-Forwarded-Host', 'evil.example'), ('X-Forwarded-Proto', 'https'), ('Forwarded', 'for=127.0.0.1;host=evil'),
    ('X-Real-IP', '127.0.0.1'),
    ('Referer', '\x00'), ('Referer', 'x' * 5000), ('Origin', 'null'), ('Origin', 'http://evil.example'),
    ('Accept-Language', 'é;q=x'), ('Accept-Language', '../../x'), ('Accept-Language', 'a-' * 400),
    ('Accept-Encoding', 'x' * 3000), ('User-Agent', ''), ('User-Agent', '\x00'), ('User-Agent', 'x' * 7000),
    ('X-Api-Token', ''), ('X-Api-Token', 'x'), ('X-CSRFToken', 'x'), ('X-Requested-With', 'XMLHttpRequest'),
    ('A' * 500, 'x'), ('X-é', 'x'), ('X_Under', '1'), ('Wsgi.Input', 'x'),
    ('Content-Disposition', 'attachment; filename="x"'), ('Content-Language', 'x'), ('Authorization2', 'x'),
]

# fmt: on

PARTS: dict[str, list[Odd]] = {
    "body": [Odd(body=body) for body in BODIES],
    "body of a form": [Odd(body=body, headers={"Content-Type": FORM}) for body in BODIES],
    "content type": [Odd(headers={"Content-Type": value}) for value in TYPES],
    "query": [Odd(path=query) for query in QUERIES],
    "method": [Odd(method=method) for method in METHODS],
    "path": [Odd(path=path) for path in PATHS],
    "target": [Odd(target=target) for target in TARGETS],
    "key": [Odd(headers={"Idempotency-Key": value}) for value in KEYS],
    "authorization": [Odd(headers={"Authorization": value}) for value in AUTHS],
    "length": [Odd(headers={"Content-Length": value}) for value in LENGTHS],
    "header": [Odd(headers={name: value}) for name, value in HEADERS],
    "many headers": [Odd(headers={f"X-{n}": "y" for n in range(count)}) for count in (200, 1_000)],
}


class Maker:
    """Requests from a seed: every odd part once, then mixtures of them and mutations without end."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.bodies, self.parts = BODIES, PARTS

    def requests(self, method: str) -> Iterator[Odd]:
        for name, odds in self.parts.items():
            for odd in odds:
                yield replace(odd, method=method if name != "method" else odd.method, told=name)
        while True:
            yield self.mixture(method)

    def mixture(self, method: str) -> Odd:
        made = Odd(method=method, body=self.body(), told="mixture")
        for name in self.random.sample(sorted(self.parts), self.random.choice([0, 1, 1, 2, 3])):
            odd = self.random.choice(self.parts[name])
            changes = {"headers": made.headers | odd.headers}
            changes |= {what: getattr(odd, what) for what in ("path", "target") if getattr(odd, what)}
            made = replace(made, **changes, method=odd.method if name == "method" else made.method)
            if name.startswith("body"):
                made = replace(made, body=odd.body)
        return made

    def body(self) -> bytes:
        roll = self.random.random()
        if roll < 0.2:
            return GOOD
        if roll < 0.5:
            return json.dumps(self.value(0), ensure_ascii=self.random.random() < 0.5).encode("utf-8", "surrogatepass")
        body = bytearray(self.random.choice(self.bodies)[:2_000] if roll < 0.7 else GOOD)
        for _ in range(self.random.randint(1, 4)):
            self.mutate(body)
        return bytes(body)

    def mutate(self, body: bytearray) -> None:
        place = self.random.randint(0, len(body))
        match self.random.randrange(5):
            case 0:
                body[place:place] = self.random.choice(
                    [b"\x00", b"\xff", b'"', b"{", b"]", b"\\u0000", b"1e999", b",", b"\xed\xa0\x80", b"/**/"]
                )
            case 1:
                del body[place : place + self.random.randint(1, 5)]
            case 2 if body:
                body[place % len(body)] ^= 1 << self.random.randrange(8)
            case 3:
                body += body[place:]
            case _:
                body[place:place] = self.random.choice(self.bodies)[:50]

    def value(self, depth: int) -> object:
        kinds = [None, True, 0, -1, 1.5, 10**30, "", "x", "\ud800", "\x00", "é", float("inf"), float("nan")]
        roll = self.random.random()
        if depth > 4 or roll < 0.5:
            return self.random.choice(kinds)
        if roll < 0.7:
            return [self.value(depth + 1) for _ in range(self.random.randint(0, 4))]
        names = ["total", "a", "", "\x00", "__proto__", "files", "state", "é"]
        return {self.random.choice(names): self.value(depth + 1) for _ in range(self.random.randint(0, 4))}
