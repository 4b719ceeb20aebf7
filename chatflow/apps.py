from django.apps import AppConfig


class ChatflowConfig(AppConfig):
    name = "chatflow"

    def ready(self) -> None:
        from chatflow import checks  # noqa: F401 - registers them
