"""The provider's addresses."""

from django.urls import include, path

from console.access.provider import log_in

urlpatterns = [path("log-in", log_in), path("o/", include("oauth2_provider.urls", namespace="oauth2_provider"))]
