"""A module that celery_modules.py names by include=."""

from dormouse.celery import shared_task


@shared_task
def included():
    return "included"
