"""What granian serves: `granian --interface wsgi chatflow.wsgi:application`."""

import os

import django
from django.db import connection

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatflow.settings")
django.setup(set_prefix=False)

from chatflow.checks import refuse_to_start  # noqa: E402 - only now can a model be imported
from chatflow.handler import Handler  # noqa: E402

application = Handler()

refuse_to_start()
connection.close()  # this thread serves nothing
