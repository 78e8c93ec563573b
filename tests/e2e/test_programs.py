"""Real programs inside the sandbox: what people run must go on running, as root and as an ordinary user.

Their wheels are fetched once by pip from the index it is configured for, and kept in build/programs; Blast installs them
from a local index. Without an index the tests are skipped and say so. At the level process there are neither Internet
sockets nor AF_UNIX: what needs them is told so by the error that sockets give, and the rest works.
"""
import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT
from index_server import IndexServer, load_dir
from test_sandbox import NOBODY, OPEN, PYTHON, USERS, make_box

FEW = ("django", "requests", "setuptools")
WANTED = (*FEW, "numpy", "scipy", "pytest", "pytest-xdist", "jupyter-client", "ipykernel")
FETCH = 300  # seconds for all of them together, the first time

COMPUTE = """
import numpy as np
from scipy import fft, integrate, linalg, optimize, sparse
from scipy.sparse.linalg import spsolve
rng = np.random.default_rng(7)
a = rng.standard_normal((300, 300)) + 300 * np.eye(300)
x = rng.standard_normal(300)
assert np.allclose(linalg.solve(a, a @ x), x)
assert np.allclose(fft.ifft(fft.fft(x)).real, x)
assert abs(integrate.quad(np.sin, 0, np.pi)[0] - 2) < 1e-9
assert np.allclose(optimize.minimize(lambda v: ((v - 3) ** 2).sum(), np.zeros(4)).x, 3, atol=1e-4)
assert np.allclose(spsolve(sparse.csc_matrix(a), a @ x), x)
np.save('made.npy', x)
assert np.array_equal(np.load('made.npy', mmap_mode='r'), x)
"""

DJANGO_SITE = """
import sys
from pathlib import Path
from django.conf import settings
from django.core.management import call_command
from django.http import HttpResponse, HttpResponseRedirect
from django.middleware.csrf import get_token
from django.urls import path
import django

here = Path(__file__).parent
settings.configure(DEBUG=True, SECRET_KEY='x', ROOT_URLCONF=__name__, ALLOWED_HOSTS=['*'], STATIC_URL='/static/',
    STATICFILES_DIRS=[here / 'static'], DEFAULT_AUTO_FIELD='django.db.models.AutoField',
    DATABASES={'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': here / 'db.sqlite3'}},
    INSTALLED_APPS=['django.contrib.sessions', 'django.contrib.staticfiles'],
    MIDDLEWARE=['django.contrib.sessions.middleware.SessionMiddleware', 'django.middleware.csrf.CsrfViewMiddleware'])
django.setup()

def form(request):
    if request.method == 'POST':
        request.session['name'] = request.POST['name']
        return HttpResponseRedirect('/hello')
    return HttpResponse(f'<form method="post"><input type="hidden" name="csrfmiddlewaretoken" value="{get_token(request)}">')

def hello(request):
    request.session['seen'] = request.session.get('seen', 0) + 1
    return HttpResponse(f"hello {request.session.get('name')} {request.session['seen']}")

urlpatterns = [path('', form), path('hello', hello)]
if __name__ == '__main__':
    call_command('migrate', verbosity=0)
    call_command('runserver', '127.0.0.1:8000', '--noreload')
"""

DJANGO = """
import os, re, requests, subprocess, sys, time
os.makedirs('site/static', exist_ok=True)
open('site/static/style.css', 'w').write('body { color: red }')
server = subprocess.Popen([sys.executable, 'site/site_of_test.py'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
browser = requests.Session()
while True:
    try:
        page = browser.get('http://127.0.0.1:8000/', timeout=10)
        break
    except requests.ConnectionError:
        assert server.poll() is None, 'the server has ended'
        time.sleep(0.05)
token = re.search('value="([^"]+)"', page.text)[1]
assert browser.post('http://127.0.0.1:8000/', data={'name': 'x'}, timeout=10).status_code == 403  # without the token
page = browser.post('http://127.0.0.1:8000/', data={'name': 'Ada', 'csrfmiddlewaretoken': token}, timeout=10)
assert page.url.endswith('/hello') and page.text == 'hello Ada 1', page.text
assert browser.get('http://127.0.0.1:8000/hello', timeout=10).text == 'hello Ada 2'
assert requests.get('http://127.0.0.1:8000/hello', timeout=10).text == 'hello None 1'  # another browser
style = browser.get('http://127.0.0.1:8000/static/style.css', timeout=10)
assert style.text == 'body { color: red }' and style.headers['Content-Type'] == 'text/css'
server.terminate()
server.wait()
"""

SAMPLE_TESTS = """
import os, time
import pytest

@pytest.mark.parametrize('n', range(8))
def test_square(n, tmp_path, worker_id):
    (tmp_path / 'x').write_text(str(n * n))
    assert int((tmp_path / 'x').read_text()) == n ** 2 and worker_id in ('gw0', 'gw1')
"""

XDIST = """
import subprocess, sys
p = subprocess.run([sys.executable, '-m', 'pytest', '-q', '-n', '2', '-p', 'no:cacheprovider', 'samples/sample_test.py'],
                   capture_output=True, text=True)
assert p.returncode == 0 and '8 passed' in p.stdout, p.stdout + p.stderr
"""

MULTIPROCESSING = """
import multiprocessing as m, os
def work(n): return n * n, os.getpid()
if __name__ == '__main__':
    for how in ('fork', 'spawn'):
        with m.get_context(how).Pool(2) as pool:
            got = pool.map(work, range(40), chunksize=1)
        assert [g[0] for g in got] == [n * n for n in range(40)] and os.getpid() not in {g[1] for g in got}
    q = m.Queue()
    p = m.Process(target=q.put, args=('x' * 100000,))
    p.start()
    assert len(q.get()) == 100000
    p.join()
"""

MANAGER = """
import multiprocessing as m
def work(d, n): d[n] = n
if __name__ == '__main__':
    with m.Manager() as manager:
        d = manager.dict()
        ps = [m.Process(target=work, args=(d, n)) for n in range(3)]
        for p in ps: p.start()
        for p in ps: p.join()
        assert dict(d) == {0: 0, 1: 1, 2: 2}
"""

JUPYTER = """
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name='python3', startup_timeout=60)
try:
    said = []
    client.execute_interactive('import numpy; print("from the kernel"); numpy.arange(7).sum() * 2', timeout=60,
        output_hook=lambda m: said.append(m['content'].get('text') or m['content'].get('data', {}).get('text/plain')))
    assert 'from the kernel\\n' in said and any(s and '42' in s for s in said), said
    answer = client.execute_interactive('1/0', timeout=60, output_hook=lambda m: None)
    assert answer['content']['ename'] == 'ZeroDivisionError'
finally:
    client.stop_channels()
    manager.shutdown_kernel(now=True)
"""

ASYNCIO = """
import asyncio, socket
socket.socket().close()  # asyncio itself passes over an error here
async def serve(reader, writer):
    writer.write((await reader.readline()).upper())
    await writer.drain()
    writer.close()
async def ask(port, text):
    reader, writer = await asyncio.open_connection('localhost', port)
    writer.write(text + b'\\n')
    answer = await reader.read()
    writer.close()
    return answer
async def main():
    server = await asyncio.start_server(serve, '127.0.0.1', 0)
    port = server.sockets[0].getsockname()[1]
    answers = await asyncio.gather(*(ask(port, b'x%d' % n) for n in range(20)))
    assert answers == [b'X%d\\n' % n for n in range(20)]
    server.close()
asyncio.run(main())
"""

ASYNCIO_PROCESSES = """
import asyncio, sys
async def one(n):
    p = await asyncio.create_subprocess_exec(sys.executable, '-c', f'print(input() + "{n}")', stdin=asyncio.subprocess.PIPE,
                                             stdout=asyncio.subprocess.PIPE)
    return (await p.communicate(b'said '))[0]
async def main():
    assert await asyncio.gather(*(one(n) for n in range(3))) == [b'said %d\\n' % n for n in range(3)]
    assert await asyncio.to_thread(sum, [1, 2]) == 3
    p = await asyncio.create_subprocess_shell('sleep 600')
    p.terminate()
    assert await p.wait() == -15
asyncio.run(main())
"""

SQLITE = """
import multiprocessing, os, sqlite3
def write(n):
    c = sqlite3.connect('wal.db', timeout=60)
    for i in range(50):
        with c: c.execute('insert into t values (?, ?)', (n, i))
    c.close()
if __name__ == '__main__':
    c = sqlite3.connect('wal.db', timeout=60)
    assert c.execute('pragma journal_mode = wal').fetchone() == ('wal',)
    c.execute('create table t (n, i)')
    c.commit()
    ps = [multiprocessing.Process(target=write, args=(n,)) for n in range(3)]
    for p in ps: p.start()
    for p in ps: p.join()
    assert os.path.exists('wal.db-shm') and c.execute('select count(*) from t').fetchone() == (150,)
    assert c.execute('pragma integrity_check').fetchone() == ('ok',)
    c.close()
    for n in os.listdir('.'):
        if n.startswith('wal.db'): os.unlink(n)
"""

EXTENSION_C = """
#include <Python.h>
static PyObject *twice(PyObject *self, PyObject *n)
{
    (void)self;
    return PyNumber_Add(n, n);
}
static PyMethodDef methods[] = { { "twice", twice, METH_O, "" }, { NULL, NULL, 0, NULL } };
static struct PyModuleDef module = { PyModuleDef_HEAD_INIT, "fast", NULL, -1, methods, NULL, NULL, NULL, NULL };
PyMODINIT_FUNC PyInit_fast(void) { return PyModule_Create(&module); }
"""

EXTENSION = """
import os, subprocess, sys
os.chdir('extension')
open('setup.py', 'w').write("from setuptools import Extension, setup\\nsetup(name='fast', ext_modules=[Extension('fast', ['fast.c'])])\\n")
p = subprocess.run([sys.executable, 'setup.py', '-q', 'build_ext', '--inplace'], capture_output=True, text=True)
assert p.returncode == 0, p.stdout + p.stderr
sys.path.insert(0, '.')
import fast
assert fast.twice(21) == 42
"""

PROGRAMS = {"numpy and scipy": COMPUTE, "django": DJANGO, "pytest-xdist": XDIST, "multiprocessing": MULTIPROCESSING,
            "a manager of multiprocessing": MANAGER, "a jupyter kernel": JUPYTER, "asyncio servers": ASYNCIO,
            "asyncio processes": ASYNCIO_PROCESSES, "sqlite with a log ahead": SQLITE, "a C extension": EXTENSION}
NEED_SOCKETS = {"django", "a manager of multiprocessing", "a jupyter kernel", "asyncio servers"}
# An environment with all of it takes its time to install: one user has it, and what is different for root needs less.
OF_ROOT = {"django", "multiprocessing", "a manager of multiprocessing", "asyncio servers", "sqlite with a log ahead",
           "a C extension"}


def fetch():
    """The directory with the wheels; fetched by the first who comes, for the interpreter of the environments."""
    place = ROOT / "build/programs"
    place.mkdir(parents=True, exist_ok=True)
    version = subprocess.run([PYTHON, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True,
                             text=True).stdout.strip()
    wheels = place / version
    with open(place / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (wheels / ".ready").exists():
            shutil.rmtree(wheels, ignore_errors=True)
            p = subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--only-binary=:all:", "--python-version", version,
                                "-d", wheels, *WANTED], capture_output=True, text=True, timeout=FETCH)
            if p.returncode:
                pytest.skip(f"the wheels of real programs cannot be had: {(p.stderr.splitlines() or ['pip says nothing'])[-1]}")
            (wheels / ".ready").touch()
    return wheels


def script(box, name):
    return box.path / ("try_" + name.replace(" ", "_").replace("-", "_") + ".py")  # no module is called so


def fill(box, packages, wheels):
    """What they are to run, and the packages, installed by Blast."""
    files = {"site/site_of_test.py": DJANGO_SITE, "samples/sample_test.py": SAMPLE_TESTS, "extension/fast.c": EXTENSION_C,
             "pyproject.toml": '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.8"\n'
                               f"dependencies = {list(packages)}\n"}
    for name, text in files.items():
        (box.path / name).parent.mkdir(exist_ok=True)
        (box.path / name).write_text(text)
    for name, text in PROGRAMS.items():
        script(box, name).write_text(text)
    if box.user == "nobody":
        for p in box.path.rglob("*"):
            os.chown(p, NOBODY, NOBODY, follow_symlinks=False)
    with IndexServer(load_dir(wheels)) as server:
        p = box.blast("sync", env={"BLAST_OFFLINE": None, "BLAST_INDEX_URL": server.index})
    assert p.returncode == 0, p.stderr


@pytest.mark.release_only
@pytest.mark.parametrize("user", USERS)
def test_real_programs_run(program, user):
    names = sorted(OF_ROOT) if user == "root" else list(PROGRAMS)
    can_build = shutil.which("gcc") and list(Path("/usr/include").glob("python3*/Python.h"))
    if not can_build:
        names.remove("a C extension")
    box = make_box(program, user)
    try:
        fill(box, FEW if user == "root" else WANTED, fetch())
        wrong = []
        for level in ("namespace", "container" if user == "root" else "process"):
            for name in names:
                p = box.run("python", script(box, name).name, level=level, env=OPEN, code=None)
                well = p.returncode == 0
                if level == "process" and name in NEED_SOCKETS:
                    well = p.returncode == 1 and "PermissionError" in p.stderr
                if not well:
                    wrong.append(f"{name} at level {level} ends with {p.returncode}\n{p.stdout}\n{p.stderr}")
        assert not wrong, "\n".join(wrong)
    finally:
        box.close()
    if not can_build:
        pytest.skip("all but the C extension has run: there is no gcc, or no headers of the system's Python")
