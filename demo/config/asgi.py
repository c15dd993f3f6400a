import os

from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_asgi_application()

# runserver serves static files by itself, uvicorn and hypercorn don't: and without
# them, neither the shop nor the toolbar is fit to be seen.
if settings.DEBUG:
    application = ASGIStaticFilesHandler(application)
