"""What the web server hands to Django."""

import pytest

from chatflow.handler import forget_headers

pytestmark = pytest.mark.pure


def test_no_variable_of_the_process_passes_for_a_header():
    environment = {"HTTP_PROXY": "http://user:password@proxy", "CONTENT_TYPE": "x", "HTTPS_HEADER": "X", "PATH": "/bin"}
    forget_headers(environment)
    assert environment == {"HTTPS_HEADER": "X", "PATH": "/bin"}
