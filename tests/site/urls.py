from django.contrib import admin
from django.urls import include, path

from . import output_views, throttling_views, views

urlpatterns = [
    path("", views.home, name="home"),
    path("async/", views.home_async, name="home-async"),
    path("echo/", views.echo, name="echo"),
    path("echo-async/", views.echo_async, name="echo-async"),
    path("form/", views.form, name="form"),
    path("orders/<int:number>/", views.order, name="order"),
    path("fail/", views.fail, name="fail"),
    path("fail-async/", views.fail_async, name="fail-async"),
    path("missing/", views.missing, name="missing"),
    path("suspicious/", views.suspicious, name="suspicious"),
    path("write-and-fail/", views.write_and_fail, name="write-and-fail"),
    path("whoami/", views.whoami, name="whoami"),
    path("stream/", views.stream, name="stream"),
    path("stream-async/", views.stream_async, name="stream-async"),
    path("broken-stream/", views.broken_stream, name="broken-stream"),
    path("endless/", views.endless, name="endless"),
    path("endless-async/", views.endless_async, name="endless-async"),
    path("waits/", views.waits_for_ever, name="waits"),
    path("download/", views.download, name="download"),
    path("hidden/", views.hidden, name="hidden"),
    path("hidden-async/", views.hidden_async, name="hidden-async"),
    path("hidden-class/", views.Hidden.as_view(), name="hidden-class"),
    path("hidden-method/", views.HiddenMethod.as_view(), name="hidden-method"),
    path("exempt/", views.exempt, name="exempt"),
    path("exempt-async/", views.exempt_async, name="exempt-async"),
    path("exempt-class/", views.Exempt.as_view(), name="exempt-class"),
    path("exempt-child/", views.ExemptChild.as_view(), name="exempt-child"),
    path("masking/", include("tests.site.masking_views")),
    path("admin/", admin.site.urls),
    *throttling_views.urlpatterns,
    *output_views.urlpatterns,
]
