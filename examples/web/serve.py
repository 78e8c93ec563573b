"""One request through a site that makes a thumbnail in a background task: `blast run python serve.py`.

No server, broker or database is needed: the request comes from a test client, the task runs in place, and of the
database driver only the quoting of values is used.
"""
import io

import django
import psycopg
from celery import Celery
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.urls import path
from PIL import Image
from psycopg import sql

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["testserver"], SECRET_KEY="only for this example")
django.setup()

tasks = Celery("web", broker="memory://")
tasks.conf.update(task_always_eager=True, task_eager_propagates=True)


@tasks.task
def thumbnail(width, height):
    """A PNG of that size, made from a larger picture."""
    picture = Image.linear_gradient("L").resize((4 * width, 4 * height))
    picture.thumbnail((width, height))
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def show(request, width, height):
    return HttpResponse(thumbnail.delay(width, height).get(), content_type="image/png")


urlpatterns = [path("thumbnail/<int:width>x<int:height>.png", show)]


def main():
    answer = Client().get("/thumbnail/64x32.png")
    assert answer.status_code == 200, answer.status_code
    size = Image.open(io.BytesIO(answer.content)).size
    assert size == (64, 32), size
    query = sql.SQL("insert into {} values ({})").format(sql.Identifier("sizes"), sql.Literal(size[0])).as_string(None)
    print(f"django {django.__version__}: a thumbnail of {size[0]}x{size[1]}, {len(answer.content)} bytes")
    print(f"psycopg {psycopg.__version__}: {query}")


if __name__ == "__main__":
    main()
