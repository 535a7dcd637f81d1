"""Handlers with the libraries that people use, for the case tools.python.sh: each task does a little of what its library is for; bad_* raise what it
raises; long_* work until they are ended."""

import os
import subprocess
import sys

from dormouse import serve, task

HERE = os.environ["TOOLS_HERE"]


def began(name):
    """How many other processes of these handlers work at the same, as the shell's `began`."""
    others = subprocess.run(["pgrep", "--full", "tasks.py"], capture_output=True, text=True).stdout.split()
    with open(f"{HERE}/{name}.begun", "a") as file:
        print(len([other for other in others if other not in (str(os.getpid()), str(os.getppid()))]), file=file)


@task
def pillow(payload):
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (800, 600), "navy")
    ImageDraw.Draw(image).ellipse((100, 100, 700, 500), fill="gold")
    image.thumbnail((100, 100))
    image.save(f"{HERE}/pillow.png")
    return image.size


@task
def bad_pillow(payload):
    from PIL import Image

    with open(f"{HERE}/no-image", "w") as file:
        file.write("no image")
    Image.open(f"{HERE}/no-image")


@task
def pandas(payload):
    import pandas

    frame = pandas.DataFrame({"key": [n % 3 for n in range(1000)], "value": range(1000)})
    return frame.groupby("key").value.sum().to_dict()


@task
def bad_pandas(payload):
    import pandas

    return pandas.DataFrame({"a": [1]})["b"]


@task
def long_numpy(payload):
    import numpy

    began("long_numpy")
    while True:  # nearly all of it within one call of C
        numpy.linalg.svd(numpy.random.rand(700, 700))


@task
def matplotlib(payload):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.plot([1, 4, 9])
    pyplot.savefig(f"{HERE}/plot.png")


@task
async def aiohttp(payload):
    import aiohttp

    async with aiohttp.ClientSession() as session, session.get(payload["url"]) as answer:
        return [answer.status, len(await answer.text())]


@task
async def long_aiohttp(payload):
    import aiohttp

    began("long_aiohttp")
    async with aiohttp.ClientSession() as session, session.get("http://127.0.0.1:8902/", timeout=None) as answer:
        return await answer.text()


@task
def psycopg(payload):
    import psycopg

    with psycopg.connect(os.environ["TOOLS_URL"]) as connection:
        return connection.execute("SELECT count(*) FROM generate_series(1, 42)").fetchone()[0]


@task
def bad_psycopg(payload):
    import psycopg

    with psycopg.connect(os.environ["TOOLS_URL"]) as connection:
        connection.execute("SELECT * FROM nowhere")


@task
def long_psycopg(payload):
    import psycopg

    began("long_psycopg")
    with psycopg.connect(os.environ["TOOLS_URL"]) as connection:
        connection.execute("SELECT pg_sleep(600)")


@task
def django(payload):
    from django.conf import settings

    if not settings.configured:
        import django

        settings.configure(
            DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{HERE}/django.sqlite"}},
            TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
        )
        django.setup()
    from django.db import connection
    from django.template import Context, Template

    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS orders (id integer)")
        cursor.execute("INSERT INTO orders VALUES (1)")
        cursor.execute("SELECT count(*) FROM orders")
        orders = cursor.fetchone()[0]
    return Template("{{ orders }} order{{ orders|pluralize }}").render(Context({"orders": orders}))


@task
def not_writable(payload):
    with open("/srv/elsewhere", "w") as file:
        file.write("refused")


@task
def dies(payload):
    import ctypes

    print("about to read where nothing is", file=sys.stderr, flush=True)
    ctypes.string_at(0)


@task
def prints(payload):
    for _ in range(100):
        sys.stdout.write(("x" * 999 + "\n") * 1000)


if __name__ == "__main__":
    serve()
