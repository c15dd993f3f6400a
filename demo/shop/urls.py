from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from . import views
from .forms import DemoLoginForm

app_name = "shop"

urlpatterns = [
    path("", views.home, name="home"),
    path("checkout/", views.checkout_view, name="checkout"),
    path("checkout/async/", views.async_checkout_view, name="async_checkout"),
    path("orders/<str:number>/cancel/", views.cancel, name="cancel"),
    path("tag/", views.tag, name="tag"),
    path("healthy/", views.healthy, name="healthy"),
    path("api/stock/", views.stock, name="stock"),
    path(
        "login/",
        LoginView.as_view(
            template_name="shop/login.html", authentication_form=DemoLoginForm
        ),
        name="login",
    ),
    path("login/demo/", views.demo_login, name="demo_login"),
    path("logout/", LogoutView.as_view(), name="logout"),
]
