"""The request is made whatever its Content-Type says, and a form is read as UTF-8."""

import io
import json
from urllib.parse import urlencode

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.test import RequestFactory

from chatflow.handler import Handler, Request, forget_headers

pytestmark = pytest.mark.pure

ODD = [
    "application/json; charset=zlib_codec",
    "application/json; charset=rot13",
    "application/json; charset=idna",
    "application/json; charset=\x00",
    "application/json; charset*=nonsense'en'x",
    "application/json; a*0*=x''%ff; a*1=y",
    ";",
    ';;;="',
]


def environ(content_type: str, body: bytes = b"{}", path: str = "/nowhere") -> dict:
    made = RequestFactory().post(path, body, content_type="application/json").environ
    made["QUERY_STRING"] = "a=1"
    return made | {"CONTENT_TYPE": content_type, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}


@pytest.mark.django_db  # a request begins by looking whether connections are too old
@pytest.mark.parametrize("content_type", ODD)
def test_no_content_type_breaks_a_request_before_anybody_can_answer(content_type):
    answered = []
    body = b"".join(Handler()(environ(content_type), lambda status, headers: answered.append((status, dict(headers)))))
    ((status, headers),) = answered
    assert (status[:3], headers["Content-Type"]) == ("404", "application/problem+json")
    assert json.loads(body)["code"] == "not_found"


def test_django_still_breaks_so_that_ours_is_needed():
    with pytest.raises(LookupError):
        WSGIRequest(environ(ODD[0]))


@pytest.mark.parametrize("charset", ["", "; charset=utf-8", "; charset=latin-1"])
def test_a_form_of_the_admin_is_read_as_utf_8(charset):
    sent = environ(f"application/x-www-form-urlencoded{charset}", urlencode({"name": "Zoë"}).encode())
    assert Request(sent).POST["name"] == "Zoë"


def test_no_variable_of_the_process_passes_for_a_header():
    environment = {"HTTP_PROXY": "http://user:password@proxy", "CONTENT_TYPE": "x", "HTTPS_HEADER": "X", "PATH": "/bin"}
    forget_headers(environment)
    assert environment == {"HTTPS_HEADER": "X", "PATH": "/bin"}
