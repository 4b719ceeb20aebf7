from django.apps import AppConfig


class IntegrationsConfig(AppConfig):
    name = "integrations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from flows import outside, triggers
        from integrations.catalog import RealCatalog
        from integrations.door import RealDoor
        from integrations.triggers import rules

        outside.register(door=RealDoor, catalog=RealCatalog)
        triggers.register(rules())
