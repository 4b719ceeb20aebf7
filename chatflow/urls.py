"""Every address of Chatflow, by block."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from chatflow.demo_api import customer
from chatflow.metrics import metrics

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("metrics", metrics),
    path("", include("routing.urls")),
]
if settings.DEBUG:
    urlpatterns += [path("demo-api/customers/<str:customer_id>", customer)]
