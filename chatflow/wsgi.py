"""What granian serves: `granian --interface wsgi chatflow.wsgi:application`."""

import os

from django.core.wsgi import get_wsgi_application
from django.db import connection

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatflow.settings")

application = get_wsgi_application()

from chatflow.checks import refuse_to_start  # noqa: E402 - only now can a model be imported

refuse_to_start()
connection.close()  # this thread serves nothing
