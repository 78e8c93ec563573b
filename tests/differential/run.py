#!/usr/bin/env python3
"""Blast against `packaging`: the same generated questions to both, every different answer shown.

    run.py BLAST [--count N] [--seed N] [--only CHECK] [--python EXE]... [--show N]

Exit 0: equal but for the divergences below; 1: different; 77: skipped, because `packaging` cannot be imported.
"""

import argparse
import json
import random
import re
import subprocess
import sys

try:
    import packaging
    from packaging import tags as packaging_tags
    from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.utils import (InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename,
                                 parse_wheel_filename)
    from packaging.version import InvalidVersion, Version
except ImportError as problem:
    print(f"SKIP: the python library packaging cannot be imported: {problem}")
    sys.exit(77)

import generate

PRE_MODES = {"default": None, "allow": True, "deny": False}
INVALID = {"valid": False}


PLAIN_WHEEL = re.compile(r"[\w.+!-]*-[\w.]+-[\w.]+-[\w.]+", re.ASCII)


def lists_versions(words, got, want):
    return "python" in words[0] and " in " in words[0] and got.get("normalized") == want.get("normalized")


def has_comma_after_same(words, got, want):
    return re.search(r"===[^;)]*,", words[0]) is not None


def has_large_number(words, got, want):
    return any(re.search(r"[0-9]{19}", word) for word in words)


def has_space_in_url(words, got, want):
    return re.search(r"@[^;]*\S[\t\n\r\f\v]", words[0]) is not None


def is_odd_file(words, got, want):
    return any(word.endswith(".whl") and PLAIN_WHEEL.fullmatch(word[:-4]) is None for word in words)


# What differs on purpose: check, whether this case is one, why.
DIVERGENCES = [
    ("*", has_large_number,
     "numbers above 2^63 - 1: no version here; the specification has no limit, no project has ever needed one"),
    ("marker", lists_versions,
     "`python_version in \"3.9 3.10\"` names a list of versions; the library looks for a part of the text, so that "
     "3.1 is in it"),
    ("marker", has_comma_after_same,
     "`=== \"3.9,3.11\"`: the library takes the comma into the text that is compared; here it separates clauses, as in "
     "a specifier set"),
    ("requirement", has_comma_after_same,
     "`foo===1.0,>=2`: the library takes everything up to white space for the version and then finds the rest wrong; "
     "in a specifier set, as the specification writes it, the comma separates"),
    ("requirement", has_space_in_url,
     "white space other than a blank behind a URL: the library takes it into the URL"),
    ("file", is_odd_file,
     "wheel names of other characters than ASCII letters, digits and '._' ('+!' in the version): the specifications "
     "know none, and a file name is where an attack on paths would begin"),
    ("order", is_odd_file, "the same"),
]


def parse(kind, text, *errors):
    try:
        return kind(text)
    except errors:
        return None


def ask_version(rng):
    return [generate.any_version(rng)]


def answer_version(words):
    v = parse(Version, words[0], InvalidVersion)
    if v is None:
        return INVALID
    return {"valid": True, "normalized": str(v), "epoch": v.epoch, "release": list(v.release),
            "pre": list(v.pre) if v.pre else None, "post": v.post, "dev": v.dev, "local": v.local}


def ask_compare(rng):
    first = generate.any_version(rng)
    return [first, first + rng.choice([".0", "", "+1"]) if rng.random() < 0.1 else generate.any_version(rng)]


def answer_compare(words):
    a, b = (parse(Version, word, InvalidVersion) for word in words)
    return INVALID if a is None or b is None else {"valid": True, "cmp": (a > b) - (a < b)}


def clauses(specs):
    return [[s.operator, s.version] for s in specs]


def ask_contains(rng):
    words = [generate.specifier(rng)]
    if rng.random() < 0.95:
        words.append(generate.any_version(rng))
        if rng.random() < 0.6:
            words += ["--pre", rng.choice(list(PRE_MODES))]
    return words


def answer_contains(words):
    s = parse(SpecifierSet, words[0], InvalidSpecifier)
    if s is None:
        return INVALID
    answer = {"valid": True, "clauses": clauses(s)}
    if len(words) > 1:
        v = parse(Version, words[1], InvalidVersion)
        pre = PRE_MODES[words[3]] if len(words) > 2 else None
        answer["contains"] = None if v is None else s.contains(words[1].strip(), prereleases=pre)
    return answer


def ask_filter(rng):
    words = ["--filter", "--pre", rng.choice(list(PRE_MODES)), generate.specifier(rng)]
    return words + [generate.any_version(rng).strip() for _ in range(rng.randint(0, 8))]


def answer_filter(words):
    s = parse(SpecifierSet, words[3], InvalidSpecifier)
    if s is None:
        return INVALID
    filtered = list(s.filter(words[4:], prereleases=PRE_MODES[words[2]]))
    return {"valid": True, "clauses": clauses(s), "filtered": filtered}


def answer_marker(words):
    m = parse(Marker, words[0], InvalidMarker)
    if m is None:
        return INVALID
    answer = {"valid": True, "normalized": str(m)}
    if len(words) > 1:
        environment = json.loads(words[2])
        if len(words) > 3:
            environment["extra"] = words[4]
        try:
            answer["result"] = m.evaluate(environment)
        except (UndefinedComparison, UndefinedEnvironmentName):
            answer["result"] = None
    return answer


def ask_requirement(rng):
    return [generate.requirement(rng)]


def answer_requirement(words):
    r = parse(Requirement, words[0], InvalidRequirement)
    if r is None:
        return INVALID
    return {"valid": True, "name": r.name, "extras": sorted(r.extras), "url": r.url,
            "specifier": sorted(clauses(r.specifier)), "marker": str(r.marker) if r.marker else None}


def sort_requirement(answer):
    """Both sides are sets; their order says nothing."""
    if answer.get("valid"):
        answer["extras"] = sorted(set(answer["extras"]))
        answer["specifier"] = sorted(answer["specifier"])
    return answer


SUPPORTED = {}


def supported(exe):
    """The tags of an interpreter, asked with the same library there."""
    if exe not in SUPPORTED:
        code = ("import sys; sys.path.insert(0, sys.argv[1]); from packaging import tags; "
                "print('\\n'.join(map(str, tags.sys_tags())))")
        root = packaging.__path__[0].rsplit("/", 1)[0]
        run = subprocess.run([exe, "-c", code, root], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             check=False)
        SUPPORTED[exe] = run.stdout.split()
    return SUPPORTED[exe]


def ask_file(rng):
    if rng.random() < 0.2:
        return [generate.sdist(rng)]
    return [generate.wheel(rng), "--python", sys.executable]


def answer_file(words):
    try:
        name, version, build, tags = parse_wheel_filename(words[0])
    except InvalidWheelFilename:
        name = None
    if name is not None:
        answer = {"valid": True, "name": name, "version": str(version), "build": list(build),
                  "tags": sorted(map(str, tags))}
        if len(words) > 1:
            answer["compatible"] = not set(answer["tags"]).isdisjoint(supported(words[2]))
        return answer
    try:
        name, version = parse_sdist_filename(words[0])
    except InvalidSdistFilename:
        return INVALID
    return {"valid": True, "name": name, "version": str(version)}


def sort_file(answer):
    if "tags" in answer:
        answer["tags"] = sorted({tag.lower() for tag in answer["tags"]})
    return answer


def ask_order(rng):
    """Files without a build tag, so that only the tags decide."""
    files = []
    while len(files) < rng.randint(1, 9):
        file = generate.wheel(rng)
        if file.count("-") == 4:
            files.append(file)
    return ["--order", *files, "--python", sys.executable]


def answer_order(words):
    wheels = []
    for file in words[1:-2]:
        try:
            wheels.append((file, parse_wheel_filename(file)[3]))
        except InvalidWheelFilename:
            pass
    select = packaging_tags.create_compatible_tags_selector(map(packaging_tag, supported(words[-1])))
    return {"order": list(select(wheels))}


def packaging_tag(text):
    return packaging_tags.Tag(*text.split("-"))


def same(answer):
    return answer


# check: verb, question, answer of the library, order of sets, share of --count
CHECKS = {
    "version": ("version-compare", ask_version, answer_version, same, 1.0),
    "compare": ("version-compare", ask_compare, answer_compare, same, 2.0),
    "contains": ("specifier", ask_contains, answer_contains, same, 2.0),
    "filter": ("specifier", ask_filter, answer_filter, same, 1.0),
    "marker": ("marker", generate.marker_words, answer_marker, same, 1.0),
    "requirement": ("requirement", ask_requirement, answer_requirement, sort_requirement, 1.0),
    "file": ("wheel-tags", ask_file, answer_file, sort_file, 1.0),
    "order": ("wheel-tags", ask_order, answer_order, same, 0.1),
}


def ask_blast(blast, verb, questions):
    """One answer a question, in order."""
    text = "".join(json.dumps(words) + "\n" for words in questions)
    run = subprocess.run([blast, "debug", verb, "--batch"], input=text, stdout=subprocess.PIPE, text=True, check=False)
    lines = run.stdout.splitlines()
    if run.returncode != 0 or len(lines) != len(questions):
        following = json.dumps(questions[len(lines)]) if len(lines) < len(questions) else "none"
        sys.exit(f"{blast} debug {verb} --batch: status {run.returncode}, {len(lines)} answers to {len(questions)} "
                 f"questions; the next one was {following}")
    return [json.loads(line) for line in lines]


def divergence(check, words, got, want):
    for name, applies, why in DIVERGENCES:
        if name in ("*", check) and applies(words, got, want):
            return why
    return None


def compare(check, questions, answers, show):
    """The number of differences that nothing explains; the known ones are counted."""
    _, _, library, normal, _ = CHECKS[check]
    different = 0
    known = {}
    for words, got in zip(questions, answers):
        want = library(words)
        if normal(got) == want:
            continue
        why = divergence(check, words, got, want)
        if why is not None:
            known[why] = known.get(why, 0) + 1
            continue
        different += 1
        if different <= show:
            print(f"{check}: {json.dumps(words)}\n  packaging {json.dumps(want)}\n  blast     {json.dumps(got)}")
    print(f"{check}: {len(questions)} questions, {different} different, {sum(known.values())} known divergences")
    for why, count in known.items():
        print(f"  {count} times: {why}")
    return different


def compare_tags(blast, pythons):
    different = 0
    for exe in pythons:
        if not supported(exe):
            print(f"tags: {exe}: not compared, the library does not run there")
            continue
        got = ask_blast(blast, "wheel-tags", [["--python", exe]])[0]["tags"]
        want = supported(exe)
        if got != want:
            different += 1
            at = next((i for i, pair in enumerate(zip(got, want)) if pair[0] != pair[1]), min(len(got), len(want)))
            print(f"tags: {exe}: {len(want)} expected, {len(got)} given; from place {at}\n"
                  f"  packaging {want[at:at + 4]}\n  blast     {got[at:at + 4]}")
    print(f"tags: {len(pythons)} interpreters, {different} different")
    return different


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("blast")
    parser.add_argument("--count", type=int, default=8000)
    parser.add_argument("--seed", type=int, default=440)
    parser.add_argument("--only", choices=[*CHECKS, "tags"], action="append")
    parser.add_argument("--python", action="append", default=[], metavar="EXE")
    parser.add_argument("--show", type=int, default=5)
    options = parser.parse_args()
    different = 0
    for check, (verb, question, _, _, share) in CHECKS.items():
        if options.only and check not in options.only:
            continue
        rng = random.Random(f"{options.seed} {check}")
        questions = [question(rng) for _ in range(int(options.count * share))]
        different += compare(check, questions, ask_blast(options.blast, verb, questions), options.show)
    if not options.only or "tags" in options.only:
        different += compare_tags(options.blast, [sys.executable, *options.python])
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
