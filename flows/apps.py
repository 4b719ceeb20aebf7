from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate


class FlowsConfig(AppConfig):
    name = "flows"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from flows import checks, triggers  # noqa: F401 - checks register themselves

        pre_migrate.connect(triggers.before_migrate, sender=self)
        post_migrate.connect(triggers.after_migrate, sender=self)
