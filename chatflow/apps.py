from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class ChatflowConfig(AppConfig):
    name = "chatflow"

    def ready(self) -> None:
        from chatflow import checks  # noqa: F401 - registers them


class ChatflowAdminConfig(admin_apps.AdminConfig):
    """The admin, on our own site."""

    default = False
    default_site = "flows.admin_site.ChatflowSite"
