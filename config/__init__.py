"""Wiring only: settings, URLs, the Celery application, and the embedded servers."""
