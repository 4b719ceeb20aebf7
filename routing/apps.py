from django.apps import AppConfig


class RoutingConfig(AppConfig):
    name = "routing"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from flows import entries, triggers
        from routing.gets import unconfirmed_gets
        from routing.routes import routes_into
        from routing.triggers import RULES

        entries.register_routes(routes_into, unconfirmed_gets)
        triggers.register(RULES)
