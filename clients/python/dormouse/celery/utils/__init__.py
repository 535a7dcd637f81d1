"""celery.utils: what tasks use of it."""
