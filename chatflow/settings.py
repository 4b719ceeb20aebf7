"""Every setting, read from the environment. `.env.example` lists the names with their meaning."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured
from kombu import Queue

from chatflow import local, logs

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
env.read_env(str(BASE_DIR / ".env"))
DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / ".data")))
if "SECRET_KEY" not in os.environ:
    env.read_env(str(DATA_DIR / "start.env"))  # so that manage.py finds what start.py is serving

DEBUG = env.bool("DEBUG", default=False)
PUBLIC_URL = str.rstrip(env.str("PUBLIC_URL", default="http://127.0.0.1:8000"), "/")
_PUBLIC = urlsplit(PUBLIC_URL)


def _secret(name: str) -> str:
    value: str = env.str(name, default="")
    if DEBUG:
        return value or local.kept_secret(DATA_DIR / name.lower())
    if not value:
        raise ImproperlyConfigured(
            f"{name} isn't set. Give it in the environment or in {BASE_DIR / '.env'} (see .env.example);"
            " for a trial on this machine set DEBUG=1."
        )
    return value


# --- Secrets -----------------------------------------------------------------------------------------------------------

SECRET_KEY = _secret("SECRET_KEY")
CHATFLOW_KEYS = [key.strip() for key in _secret("CHATFLOW_KEYS").split(",") if key.strip()]

# --- Who may talk to us, and whom we may talk to -----------------------------------------------------------------------

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[_PUBLIC.hostname] if _PUBLIC.hostname else [])
if DEBUG:
    ALLOWED_HOSTS += ["localhost", "127.0.0.1", "[::1]"]
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", default=[])
OUTBOUND_ALLOWED_NETWORKS = env.list("OUTBOUND_ALLOWED_NETWORKS", default=[])
METRICS_ALLOWED = env.str("METRICS_ALLOWED", default="127.0.0.0/8;::1")
CSRF_TRUSTED_ORIGINS = [f"{_PUBLIC.scheme}://{_PUBLIC.netloc}"]

# --- Parts -------------------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "chatflow.apps.ChatflowAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_structlog",
    "chatflow",
    "flows",
    "routing",
    "integrations",
]

MIDDLEWARE = [
    "chatflow.metrics.CountAnswers",
    "chatflow.logs.RequestLog",
    "routing.errors.ProblemDocuments",
    "chatflow.health.Probes",
    "routing.crowd.BodiesElsewhere",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "routing.origin.OriginOfRequests",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "chatflow.urls"
WSGI_APPLICATION = "chatflow.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True  # straight from where they lie: nobody has to run collectstatic

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "admin:login"

# In DEBUG a mail is a file: on the console it would stand between what commands print.
vars().update(
    env.email_url("EMAIL_URL", default=f"filemail:///{DATA_DIR / 'mail'}" if DEBUG else "smtp://localhost:25")
)
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default=f"chatflow@{_PUBLIC.hostname or 'localhost'}")
SERVER_EMAIL = DEFAULT_FROM_EMAIL

# --- Database ----------------------------------------------------------------------------------------------------------

DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'chatflow.sqlite3'}")}
_DATABASE = DATABASES["default"]
if _DATABASE["ENGINE"] == "django.db.backends.sqlite3":
    # Kept open: to open it anew and set it up costs more than most requests. A file has no server to go away.
    _DATABASE["CONN_MAX_AGE"] = None
    # IMMEDIATE: a transaction that reads and then writes would fail at once, whatever the time-out, if another wrote in
    # between. FULL: NORMAL can lose the last commits when the power goes.
    _DATABASE["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
    }
else:
    # A restarted server leaves dead connections in the pool: each is tried before it is used.
    _DATABASE["CONN_HEALTH_CHECKS"] = True
    # A pool refuses CONN_MAX_AGE. Its size bounds the connections of one process: a thread waits for one rather than fails.
    _DATABASE.setdefault("OPTIONS", {})["pool"] = {
        "min_size": 2,
        "max_size": env.int("DATABASE_POOL", default=20),
        "timeout": 10,
    }

if DEBUG:
    local.forget_queries()

# --- Broker ------------------------------------------------------------------------------------------------------------

REDIS_URL = env.str("REDIS_URL", default="redis://127.0.0.1:6379/0")


def _transport(seconds: float) -> dict[str, object]:
    return {
        "socket_timeout": seconds,
        "socket_connect_timeout": min(seconds, 2),
        "socket_keepalive": True,
        "health_check_interval": 10,
        "retry_on_timeout": False,
        "global_keyprefix": "chatflow:",
        "visibility_timeout": 300,
    }


CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_TRANSPORT_OPTIONS = _transport(1)  # a publisher never waits longer than this for a broker that is away
WORKER_BROKER_TRANSPORT_OPTIONS = _transport(5)
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True  # a run's state is in our database
CELERY_TASK_PUBLISH_RETRY = False  # the dispatcher publishes again
CELERY_TASK_QUEUES = [Queue("runs")]
CELERY_TASK_DEFAULT_QUEUE = "runs"
CELERY_TASK_CREATE_MISSING_QUEUES = False
# A message is a hint: taken when the task starts, since the lease in the row finds a lost run long before the broker would.
# So there is nothing to reject or to deliver again. Time limits are for pools of processes; a thread that hangs loses its
# lease, and its calls have deadlines of their own.
CELERY_TASK_ACKS_LATE = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False  # whoever reaches the broker could stop workers with it
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False  # runs don't need the broker
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

# --- HTTP --------------------------------------------------------------------------------------------------------------

# The front door refuses more than 1 MiB with its own 413; this is only the net under it.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "UNAUTHENTICATED_USER": None,
    "UNAUTHENTICATED_TOKEN": None,
    "EXCEPTION_HANDLER": "routing.errors.exception_handler",
}

DEFAULT_EXCEPTION_REPORTER = "chatflow.reports.Report"
DEFAULT_EXCEPTION_REPORTER_FILTER = "chatflow.reports.Filter"

X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEBUG
SESSION_COOKIE_AGE = 12 * 60 * 60
# A redirected POST would lose its body, and a probe doesn't follow: those answer on any scheme.
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=not DEBUG)
SECURE_REDIRECT_EXEMPT = [r"^dynamic/", r"^metrics$"]
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=0 if DEBUG else 365 * 24 * 60 * 60)
SECURE_HSTS_INCLUDE_SUBDOMAINS = not DEBUG
SILENCED_SYSTEM_CHECKS = ["security.W021"]  # preloading binds the whole domain: that is for its owner to decide
_HTTPS_HEADER = env.str("HTTPS_HEADER", default="")
if _HTTPS_HEADER:
    SECURE_PROXY_SSL_HEADER = ("HTTP_" + _HTTPS_HEADER.upper().replace("-", "_"), "https")

# --- Logs --------------------------------------------------------------------------------------------------------------

logs.configure()
LOGGING = logs.dictionary(readable=DEBUG, level=env.str("LOG_LEVEL", default="INFO"))
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False  # it would believe any X-Forwarded-For
DJANGO_STRUCTLOG_USER_ID_FIELD = None
DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = logging.DEBUG  # one line per request is enough
DJANGO_STRUCTLOG_STATUS_4XX_LOG_LEVEL = logging.INFO

# --- Metrics -----------------------------------------------------------------------------------------------------------

os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(DATA_DIR / "metrics"))
