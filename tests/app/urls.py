from django.urls import include, path

from tests.app import views

urlpatterns = [
    path("send/<str:name>/", views.send),
    path("asend/<str:name>/", views.asend),
    path("json/<str:name>/", views.send_json),
    path("stream/<str:name>/", views.stream),
    path("astream/<str:name>/", views.astream),
    path("file/<str:name>/", views.send_file),
    path("fail/", views.fail),
    path("__debug__/", include("debug_toolbar.urls")),
]
