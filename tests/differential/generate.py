"""Random inputs for run.py: mostly valid, in every spelling the standards allow, and some that are almost valid."""

import json

SPACES = ["", "", "", " ", "  ", "\t", "\n"]
SEPARATORS = ["", "", ".", "-", "_"]
NUMBERS = ["0", "1", "2", "3", "4", "9", "10", "11", "12", "99", "254", "255", "256", "257", "2024", "65535", "65536",
           "1048575", "1048576", "20240101", "00", "01", "007", "9223372036854775808"]
PRE = ["a", "b", "c", "rc", "alpha", "beta", "pre", "preview", "A", "RC", "Alpha"]
POST = ["post", "rev", "r", "POST"]
LOCAL = ["abc", "5", "10", "005", "ubuntu", "1a", "A1", "0", "zz", "cu118"]
OPERATORS = ["==", "!=", "<=", ">=", "<", ">", "~=", "==="]
JUNK = list(".-_+!*abrcdev0123456789 v;,()[]<>=~'\"")


def number(rng):
    return rng.choice(NUMBERS[:10]) if rng.random() < 0.85 else rng.choice(NUMBERS)


def mutate(rng, text):
    text = list(text)
    for _ in range(rng.randint(1, 2)):
        at = rng.randint(0, len(text))
        what = rng.random()
        if what < 0.4:
            text.insert(at, rng.choice(JUNK))
        elif text and what < 0.8:
            text[min(at, len(text) - 1)] = rng.choice(JUNK)
        elif text:
            del text[min(at, len(text) - 1)]
    return "".join(text)


def release(rng, most=5):
    return ".".join(number(rng) for _ in range(rng.choice([1, 1, 2, 2, 2, 3, 3, 3, 4, most])))


def suffix(rng, word):
    digits = number(rng) if rng.random() < 0.85 else ""
    return rng.choice(SEPARATORS) + word + rng.choice(SEPARATORS) + digits


def version(rng, local=True):
    text = "v" if rng.random() < 0.03 else ""
    if rng.random() < 0.06:
        text += rng.choice(["0", "1", "2"]) + "!"
    text += release(rng, 10)
    if rng.random() < 0.3:
        text += suffix(rng, rng.choice(PRE))
    if rng.random() < 0.2:
        text += "-" + number(rng) if rng.random() < 0.2 else suffix(rng, rng.choice(POST))
    if rng.random() < 0.2:
        text += suffix(rng, rng.choice(["dev", "DEV"]))
    if local and rng.random() < 0.15:
        text += "+" + rng.choice("._-").join(rng.choice(LOCAL) for _ in range(rng.randint(1, 3)))
    return text


def near(rng):
    """Versions close to each other, where the order and the specifiers have their corners."""
    text = rng.choice(["1", "1.0", "1.0.0", "1.0", "1.1", "2", "1.0.0.0.1", "1!1.0", "1.255", "1.256", "0"])
    text += rng.choice(["", "", "", "a1", "a2", "b1", "rc1", "rc1048575", "rc1048576"])
    text += rng.choice(["", "", ".post0", ".post1", ".post2"])
    text += rng.choice(["", "", ".dev0", ".dev1", ".dev1048576"])
    return text + rng.choice(["", "", "", "+x", "+x.1", "+1", "+2"])


def any_version(rng):
    text = near(rng) if rng.random() < 0.5 else version(rng)
    if rng.random() < 0.05:
        text = rng.choice(SPACES) + text + rng.choice(SPACES)
    return mutate(rng, text) if rng.random() < 0.08 else text


def clause(rng):
    op = rng.choice(OPERATORS) if rng.random() < 0.4 else rng.choice(OPERATORS[:7])
    text = near(rng) if rng.random() < 0.6 else version(rng)
    if op in ("<=", ">=", "<", ">", "~=") and rng.random() < 0.95:
        text = text.split("+")[0]
    if op in ("==", "!=") and rng.random() < 0.3:
        text = ("1!" if rng.random() < 0.05 else "") + release(rng) + ".*"
    return rng.choice(["", "", " "]) + op + rng.choice(["", "", " "]) + text + rng.choice(["", "", " "])


def specifier(rng):
    text = ",".join(clause(rng) for _ in range(rng.choice([0, 1, 1, 1, 1, 2, 2, 3, 4])))
    if rng.random() < 0.05:
        text += ","
    return mutate(rng, text) if rng.random() < 0.08 else text


NAMES = ["foo", "Foo", "foo-bar", "Foo_Bar", "foo.bar", "a", "A1", "zope.interface", "x--y", "ruamel.yaml", "n0"]
BAD_NAMES = ["-foo", "foo-", ".x", "x_", "", "fo o", "f\u00f6"]
PYTHONS = ["py3", "py2", "py2.py3", "cp311", "cp39", "cp310.cp311", "py311", "pp310", "cp32", "py30", "CP311", "ip27"]
ABIS = ["none", "abi3", "cp311", "cp39", "cp311d", "none.abi3", "cp313t", "abi3t", "pypy310_pp73"]
PLATFORMS = ["any", "linux_x86_64", "manylinux1_x86_64", "manylinux_2_17_x86_64.manylinux2014_x86_64",
             "manylinux_2_28_x86_64", "manylinux_2_99_x86_64", "win_amd64", "macosx_11_0_arm64", "musllinux_1_1_x86_64",
             "manylinux2010_i686", "any.linux_x86_64", "manylinux_2_5_x86_64.manylinux1_x86_64"]


def wheel(rng):
    name = rng.choice(NAMES) if rng.random() < 0.9 else rng.choice(BAD_NAMES)
    if rng.random() < 0.8:
        name = name.replace("-", "_")
    text = near(rng) if rng.random() < 0.8 else version(rng)
    parts = [name, text.replace("-", "_") if rng.random() < 0.7 else text]
    if rng.random() < 0.2:
        parts.append(rng.choice(["1", "2", "10", "1x", "01", "0", "b1", "1_2"]))
    parts += [rng.choice(PYTHONS), rng.choice(ABIS), rng.choice(PLATFORMS)]
    text = "-".join(parts) + rng.choice([".whl"] * 12 + [".WHL", ".zip", ""])
    return mutate(rng, text) if rng.random() < 0.08 else text


def sdist(rng):
    name = rng.choice(NAMES) if rng.random() < 0.9 else rng.choice(BAD_NAMES)
    text = name + "-" + (near(rng) if rng.random() < 0.7 else version(rng)) + rng.choice([".tar.gz"] * 8 + [".zip"])
    return mutate(rng, text) if rng.random() < 0.08 else text


STRINGS = {
    "os_name": ["posix", "nt"],
    "sys_platform": ["linux", "win32", "darwin", "linux2"],
    "platform_machine": ["x86_64", "aarch64", "AMD64", ""],
    "platform_python_implementation": ["CPython", "PyPy"],
    "platform_release": ["6.1.0-amd64", "5.10", "5.10.0", "6.1.0"],
    "platform_system": ["Linux", "Windows", ""],
    "platform_version": ["#1 SMP", "10.0.19041"],
    "python_version": ["3.9", "3.10", "3.11", "2.7", "3.1"],
    "python_full_version": ["3.9.1", "3.10.0", "3.11.7", "3.13.0rc1", "3.13.0b1+local"],
    "implementation_name": ["cpython", "pypy"],
    "implementation_version": ["3.11.7", "7.3.15", "3.13.0rc1"],
}
OLD_NAMES = ["os.name", "sys.platform", "platform.version", "platform.machine", "platform.python_implementation",
             "python_implementation"]
EXTRAS = ["foo", "Foo_Bar", "foo-bar", "x", ""]


def environment(rng):
    return {name: rng.choice(values) for name, values in STRINGS.items()}


def atom(rng):
    name = rng.choice(list(STRINGS) + ["python_version"] * 6 + ["extra"] * 3)
    op = rng.choice(["==", "!=", "<", "<=", ">", ">=", "~=", "in", "not in", "==="])
    if name == "extra":
        values, op = EXTRAS, rng.choice(["==", "==", "!=", "in", "not in", ">="])
    elif name.startswith("python") or name == "implementation_version":
        values = STRINGS[name] + ["3", "3.9.*", "3.10", "3.8", "4.0", "2.7.18", "3.10.0rc1", "x", "3.9 3.10",
                                  "3.9,3.11"]
    else:
        values = STRINGS[name] + ["lin", "linux win32", "5.9", "x"]
    shown = name
    if rng.random() < 0.06:
        shown = rng.choice(OLD_NAMES)
    quote = rng.choice("'\"")
    value = quote + rng.choice(values) + quote
    space = rng.choice([" ", " ", "", "  "]) if op not in ("in", "not in") else " "
    left, right = (shown, value) if rng.random() < 0.85 else (value, shown)
    return left + space + op + space + right


def marker(rng, depth=0):
    text = atom(rng)
    for _ in range(rng.choice([0, 0, 1, 1, 2])):
        other = "(" + marker(rng, depth + 1) + ")" if depth < 2 and rng.random() < 0.3 else atom(rng)
        text += rng.choice([" and ", " or "]) + other
    if rng.random() < 0.05:
        text = "(" + text + ")"
    return mutate(rng, text) if depth == 0 and rng.random() < 0.06 else text


def marker_words(rng):
    words = [marker(rng)]
    if rng.random() < 0.85:
        words += ["--env", json.dumps(environment(rng))]
        if rng.random() < 0.4:
            words += ["--extra", rng.choice(EXTRAS)]
    return words


def requirement(rng):
    text = rng.choice(SPACES) + (rng.choice(NAMES) if rng.random() < 0.95 else rng.choice(BAD_NAMES))
    space = rng.choice(["", "", " "])
    if rng.random() < 0.3:
        text += space + "[" + ",".join(rng.choice(["x", "Foo_Bar", " y ", "z"]) for _ in range(rng.randint(0, 3))) + "]"
    what = rng.random()
    if what < 0.15:
        text += space + "@ " + rng.choice(["https://files.example/foo-1.0.tar.gz", "file:///x/y",
                                           "git+https://h.example/r@v1"])
        text += rng.choice(["", " "])
    elif what < 0.85:
        spec = ",".join(clause(rng) for _ in range(rng.choice([1, 1, 2, 3])))
        text += space + ("(" + spec + ")" if rng.random() < 0.15 else spec)
    if rng.random() < 0.35:
        text += rng.choice([";", " ;", "; ", " ; "]) + marker(rng, 1)
    text += rng.choice(SPACES)
    return mutate(rng, text) if rng.random() < 0.08 else text
