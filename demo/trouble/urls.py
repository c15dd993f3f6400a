from django.urls import path

from . import views

app_name = "trouble"

urlpatterns = [path("<slug:slug>/", views.page, name="page")]
