"""The web application for gunicorn."""

import os
import sys

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = get_wsgi_application()

from spine.startup import collect_seldom, refuse_unsafe_database  # noqa: E402 - needs the application's settings

collect_seldom()
sys.setswitchinterval(0.0005)
refuse_unsafe_database()
