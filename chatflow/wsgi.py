"""What granian serves: `granian --interface wsgi chatflow.wsgi:application`."""

import os

import django
from django.db import connection

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatflow.settings")
django.setup(set_prefix=False)

from chatflow.checks import refuse_to_start  # noqa: E402 - only now can a model be imported
from chatflow.handler import Handler, forget_headers  # noqa: E402
from chatflow.settings_log import note_settings  # noqa: E402

forget_headers(os.environ)
application = Handler()

refuse_to_start()
note_settings("web")
connection.close()  # this thread serves nothing
