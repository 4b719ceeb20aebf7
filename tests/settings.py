"""The settings under which the tests run: the real ones, in an environment of their own, with a quick password hasher."""

import atexit
import os
import shutil
import tempfile

_DIRECTORY = tempfile.mkdtemp(prefix="chatflow-tests-")
atexit.register(shutil.rmtree, _DIRECTORY, ignore_errors=True)
os.environ |= {
    "DEBUG": "0",
    "DATA_DIR": _DIRECTORY,
    "DATABASE_URL": os.environ.get("TEST_DATABASE_URL") or f"sqlite:///{_DIRECTORY}/chatflow.sqlite3",
    "REDIS_URL": os.environ.get("TEST_REDIS_URL") or "redis://127.0.0.1:1/0",
    "SECRET_KEY": "only for tests: 8GpUY1o0GqKpC6nXo4Dk0l2qv5mBzr7eT3sHJwXN",
    "CHATFLOW_KEYS": "only-for-tests-first-0123456789abcdef,only-for-tests-second-0123456789abcdef",
    "PUBLIC_URL": "http://testserver",
    "ALLOWED_HOSTS": "testserver,localhost,127.0.0.1",
    "SECURE_SSL_REDIRECT": "0",
    "TRUSTED_PROXIES": "",
    "OUTBOUND_ALLOWED_NETWORKS": "",
    "EMAIL_URL": "memorymail://",
    "LOG_LEVEL": "WARNING",
}

from chatflow.settings import *  # noqa: E402, F403
from chatflow.settings import DATABASES  # noqa: E402

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = False
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file, as in life: a database in memory can't be shared between threads without locking its tables.
    DATABASES["default"]["TEST"] = {"NAME": f"{_DIRECTORY}/test.sqlite3"}
    _OPTIONS = DATABASES["default"]["OPTIONS"]
    _OPTIONS["init_command"] = _OPTIONS["init_command"].replace("synchronous=FULL", "synchronous=OFF")
