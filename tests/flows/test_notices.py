"""Whoever acts next gets a mail; a mail that can't be sent changes nothing."""

from __future__ import annotations

import pytest

from flows import notices
from flows.lifecycle import Refused, perform
from flows.models import RunState
from tests.flows.makers import make_run
from tests.flows.stage import Stage

pytestmark = pytest.mark.django_db


@pytest.fixture
def mails(stage: Stage, mailoutbox, django_capture_on_commit_callbacks):
    """Call with a function; gives what was mailed, as (recipient, subject)."""

    def sent(act) -> list[tuple[str, str]]:
        mailoutbox.clear()
        with django_capture_on_commit_callbacks(execute=True):
            act()
        return sorted((mail.to[0].partition("@")[0], mail.subject) for mail in mailoutbox)

    return sent


def test_everybody_hears_when_it_is_their_turn_and_nobody_else(stage: Stage, mails):
    versions = []
    title = "Order Update · version 1"
    assert mails(lambda: versions.append(stage.submitted())) == [
        ("cleo", f"To approve: {title}"),
        ("dan", f"To approve: {title}"),
        ("ines", f"To approve: {title}"),
    ]
    version = versions[0]
    assert mails(lambda: perform("approve", version, by=stage.cleo)) == [
        ("ben", f"Approved: {title}"),
        ("dan", f"To deploy: {title}"),
        ("ines", f"To deploy: {title}"),
    ]
    assert mails(lambda: perform("withdraw", version, by=stage.dan, comment="Wrong month.")) == [
        ("ben", f"Withdrew: {title}")
    ]


def test_the_submitter_reads_why_it_was_declined(stage: Stage, mails, mailoutbox):
    version = stage.submitted()
    mails(lambda: perform("decline", version, by=stage.cleo, comment="The total lacks VAT."))
    assert "The total lacks VAT." in mailoutbox[0].body
    assert "http://testserver" in mailoutbox[0].body


def test_a_refusal_mails_nobody(stage: Stage, mails):
    version = stage.submitted()

    def refused() -> None:
        with pytest.raises(Refused):
            perform("approve", version, by=stage.ben)

    assert mails(refused) == []


def test_people_without_an_address_or_an_active_account_are_left_out(stage: Stage, mails):
    stage.dan.email = ""
    stage.dan.save()
    stage.ines.is_active = False
    stage.ines.save()
    assert [to for to, _ in mails(stage.submitted)] == ["cleo"]


def test_a_mail_server_that_is_away_breaks_nothing(stage: Stage, settings, caplog, django_capture_on_commit_callbacks):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    with django_capture_on_commit_callbacks(execute=True):
        assert stage.submitted().status == "submitted"
    assert "could not be sent" in caplog.text


def test_a_line_break_in_a_name_doesnt_make_a_header(stage: Stage, mails):
    def rename_and_submit() -> None:
        flow = stage.draft(name="Order\nBcc: everybody@example.com")
        stage.submitted(flow)

    assert all("\n" not in subject for _, subject in mails(rename_and_submit))


def test_owners_hear_of_runs_that_were_given_up_or_are_in_doubt(stage: Stage, mails):
    run = make_run(stage.draft(), RunState.DEAD)
    assert mails(lambda: notices.run_is_dead(run)) == [("olga", "A run of Order Update was given up")]
    assert mails(lambda: notices.run_is_in_doubt(run)) == [("olga", "A run of Order Update is in doubt")]
