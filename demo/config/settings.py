"""Settings of the demo: for a developer's own machine, never for a server."""

import os
from pathlib import Path

import django
from debug_toolbar.settings import PANELS_DEFAULTS

BASE_DIR = Path(__file__).resolve().parent.parent

DEBUG = True
SECRET_KEY = "demo-only-and-not-a-secret"
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
INTERNAL_IPS = ["127.0.0.1"]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "simple_history",
    "debug_toolbar",
    "signal_trace",
    "shop",
    "trouble",
]

MIDDLEWARE = [
    "signal_trace.middleware.SignalTraceMiddleware",
    "debug_toolbar.middleware.DebugToolbarMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
]

DEBUG_TOOLBAR_PANELS = ["signal_trace.panel.SignalTracePanel", *PANELS_DEFAULTS]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("DEMO_DATABASE", BASE_DIR / "db.sqlite3"),
        # Two checkouts at once would otherwise both read first and write later, and
        # SQLite refuses the second of them instead of letting it wait.
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20},
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LOGIN_URL = "shop:login"
LOGIN_REDIRECT_URL = "shop:home"
LOGOUT_REDIRECT_URL = "shop:home"

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"

# Mail stays in the process. Django 6.1 deprecates EMAIL_BACKEND, and refuses both.
if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
else:
    EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"

# One line of JSON for each request. DEMO_LOG=- writes them to the console.
DEMO_LOG = os.environ.get("DEMO_LOG", str(BASE_DIR / "signal_trace.log"))
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s %(message)s",
        },
    },
    "handlers": {
        "signal_trace": {
            "formatter": "json",
            **(
                {"class": "logging.StreamHandler"}
                if DEMO_LOG == "-"
                else {
                    "class": "logging.FileHandler",
                    "filename": DEMO_LOG,
                    "encoding": "utf-8",
                    "delay": True,
                }
            ),
        },
    },
    "loggers": {
        "signal_trace": {
            "handlers": ["signal_trace"],
            "level": "INFO",
            "propagate": False,
        },
    },
}
