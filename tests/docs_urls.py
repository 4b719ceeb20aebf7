"""The addresses of the server that stories call: ours, and the service of the demo, which is there under DEBUG."""

from django.urls import path

from chatflow.demo_api import customer
from chatflow.urls import urlpatterns as ours

urlpatterns = [*ours, path("demo-api/customers/<str:customer_id>", customer)]
