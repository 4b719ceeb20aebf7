"""The settings, in environments other than the tests' own."""

from django.conf import settings


def test_the_tests_run_without_debug() -> None:
    assert settings.DEBUG is False
