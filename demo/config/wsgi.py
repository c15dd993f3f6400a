import os

from django.conf import settings
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()

# runserver serves static files by itself, waitress and gunicorn don't: and without
# them, neither the shop nor the toolbar is fit to be seen.
if settings.DEBUG:
    application = StaticFilesHandler(application)
