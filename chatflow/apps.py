from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin import apps as admin_apps


class ChatflowConfig(AppConfig):
    name = "chatflow"

    def ready(self) -> None:
        from chatflow import checks  # noqa: F401 - registers them
        from flows.known_secrets import remember

        passwords = (settings.DATABASES["default"].get("PASSWORD"), urlsplit(settings.REDIS_URL).password)
        remember(settings.SECRET_KEY, *settings.CHATFLOW_KEYS, *(str(password) for password in passwords if password))


class ChatflowAdminConfig(admin_apps.AdminConfig):
    """The admin, on our own site."""

    default = False
    default_site = "flows.admin_site.ChatflowSite"
