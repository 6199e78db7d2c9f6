"""The addresses that a command checks: those of the site import HTTP clients, at the start of each process."""

from django.contrib import admin
from django.urls import path

urlpatterns = [path("admin/", admin.site.urls)]
