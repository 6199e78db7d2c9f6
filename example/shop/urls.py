from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.contrib.staticfiles.views import serve
from django.urls import include, path, re_path

from security.decorators import log_exempt

from . import views

urlpatterns = [
    path("", views.home, name="home"),
    path("api/orders/", views.create_order, name="create-order"),
    path("api/orders/<int:pk>/", views.order, name="order"),
    path("api/orders/<int:pk>/price/", views.price, name="price"),
    path("api/search/", views.search, name="search"),
    path("import/", views.import_orders, name="import-orders"),
    path("checkout/", views.checkout, name="checkout"),
    path("note/", views.medical_note, name="note"),
    path("account/", views.account, name="account"),
    path("health/", views.health, name="health"),
    path("accounts/login/", LoginView.as_view(), name="login"),
    path("accounts/logout/", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
    path("bank/", include("shop.bank")),
    # For an example only: a real site has a web server, or WhiteNoise, for its static files.
    re_path(r"^static/(?P<path>.*)$", log_exempt(serve), {"insecure": True}),
]
