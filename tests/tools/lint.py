"""The repository's own rules, those that no compiler keeps.

Usage: lint.py [--rules] [ROOT].  Each rule is a function that yields (path, line, message) for what
breaks it; the run prints `path:line: rule: message` and ends with 1 if there was any.  --rules
prints instead which test files name which rule of docs/rules/.
"""

import fnmatch
import pathlib
import re
import sys
import textwrap

from source_tree import FOLDERS, Tree, includes, line_of, target, visible

LAYERS = ("runtime", "fibers", "net", "interop")

# Third parties: the first pattern that matches an include says which files may have it.  In tests/
# everything may be included.
CONFINED = {
    "liburing.h": ["runtime/uring_compat.h"],
    "liburing/*": ["runtime/uring_compat.h"],
    "linux/io_uring.h": ["runtime/uring_compat.h"],
    "boost/context/*": ["fibers/context.h"],
    "boost/*": ["net/http/*"],
    "openssl/*": ["net/tls/*"],
    "doctest*": [],
}

# The thread-locals are the current Loop and the current fiber, nothing else; and, under TSan alone, the
# fiber that TSan has yet to forget; and what a Deferred, which needs no loop, has yet to destroy.
THREAD_LOCAL = ("runtime/loop.cpp", "fibers/scheduler.cpp", "fibers/scheduler.h", "fibers/context.cpp", "interop/deferred/destruction.cpp")

# What would block a loop's thread, or park the scheduler under an interposed libc.
BLOCKING = re.compile(
    r"\bstd::(?:recursive_|shared_|timed_|recursive_timed_|shared_timed_)?mutex\b"
    r"|\bstd::condition_variable(?:_any)?\b|\bsleep_for\b|\busleep\s*\("
)
BLOCKING_ALLOWED = ()

LINES_MAX = 500
LINES_WARN = 300
EXAMPLE_LINES_MAX = 100
MACROS_MAX = 5

UNFINISHED = re.compile(r"\bTO" r"DO\b")
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work|root)/")
EXAMPLE = re.compile(r"<!--\s*example:\s*([^\s#]+)(?:#(\S+))?\s*-->")
RULE_NAME = re.compile(r"(?<![\w-])[A-Z]{2,}(?:-[A-Z]+)*-\d+[a-z]?(?!\w)")
# A rule's text goes on over the indented lines that follow it.
RULE = re.compile(r"^- \*\*([A-Z]{2,}(?:-[A-Z]+)*-\d+[a-z]?)\*\*.*(?:\n  .*)*", re.M)
NO_TEST_NEEDED = re.compile(r"\(\s*(?:not\s+in\s+C\+\+|later:)")


# ---- includes


def layering(tree):
    """A target includes itself and what is below it, and a private header is its target's alone."""
    for path, text in tree.cpp(*LAYERS):
        mine = target(path)
        for line, _, name in includes(text):
            header = tree.header(path, name)
            if header is None:
                if name.startswith("plait/"):
                    yield path, line, f"no layer has <{name}>"
                continue
            owner = target(header)
            if owner not in visible(mine):
                yield path, line, f"{mine} must not know {owner or 'other folders'}: {header}"
            elif owner != mine and header not in tree.public.values():
                yield path, line, f"{header} is private to {owner}"


def third_party(tree):
    """Third-party headers stay in their one place."""
    for path, text in tree.cpp(*LAYERS, "examples"):
        for line, _, name in includes(text):
            places = next((CONFINED[key] for key in CONFINED if fnmatch.fnmatch(name, key)), ["*"])
            if not any(fnmatch.fnmatch(path, place) for place in places):
                yield path, line, f"<{name}> is for {', '.join(places) or 'tests/'} only"


def public_headers(tree):
    """What users include brings in std and plait only; examples use nothing of plait but that."""
    for path, text in tree.cpp(*LAYERS):
        if re.search(r"/include/plait/[^/]+\.h$", path):
            for line, _, name in includes(text):
                if not name.startswith("plait/") and not re.fullmatch(r"[a-z_0-9]+", name):
                    yield path, line, f"a public header includes std and plait only, not {name}"
    for path, text in tree.cpp("examples"):
        for line, _, name in includes(text):
            private = name not in tree.public and target(tree.header(path, name) or "")
            if private or name.startswith("plait/detail/"):
                yield path, line, f"an example uses public headers only, not {name}"


# ---- code


def length(tree):
    for path, text in tree.cpp(*LAYERS):
        if (lines := text.count("\n")) > LINES_MAX:
            yield path, lines, f"{lines} lines, at most {LINES_MAX}: split it"
    for path, text in tree.cpp("examples"):
        if (lines := text.count("\n")) > EXAMPLE_LINES_MAX:
            yield path, lines, f"{lines} lines, an example has at most {EXAMPLE_LINES_MAX}"


def length_warning(tree):
    for path, text in tree.cpp(*LAYERS):
        if LINES_WARN < (lines := text.count("\n")) <= LINES_MAX:
            yield path, lines, f"warning: {lines} lines, over {LINES_WARN}"


def macros(tree):
    found = {}
    for path, _ in tree.cpp(*LAYERS):
        code = tree.code(path)
        for match in re.finditer(r"^[ \t]*#[ \t]*define[ \t]+(PLAIT_\w+)", code, re.M):
            if not match[1].endswith("_H"):
                found.setdefault(match[1], (path, line_of(code, match.start(1))))
    if len(found) > MACROS_MAX:
        for name, (path, line) in found.items():
            yield path, line, f"{name} is one of {len(found)} PLAIT_ macros, at most {MACROS_MAX}"


def thread_local(tree):
    for path, _ in tree.cpp(*LAYERS):
        if path not in THREAD_LOCAL:
            for line in lines_with(tree.code(path), r"\bthread_local\b|\b__thread\b"):
                yield path, line, f"thread-locals are in {', '.join(THREAD_LOCAL)} only"


def blocking(tree):
    for path, _ in tree.cpp(*LAYERS):
        if path not in BLOCKING_ALLOWED:
            for line in lines_with(tree.code(path), BLOCKING):
                yield path, line, "blocks the thread; use the runtime's own lock, or park"


def captures(tree):
    for path, _ in tree.cpp(*LAYERS, "tests", "examples"):
        for line in lines_with(tree.code(path), r"\[\s*=\s*[,\]]"):
            yield path, line, "lambdas capture by name"


# ---- documents


def examples_in_documents(tree):
    """A code block after `<!-- example: PATH[#REGION] -->` equals that file or its dedented region.

    A region is what stands between the lines `// [REGION]` and `// [/REGION]`.
    """
    for path, text in tree.files.items():
        if not re.fullmatch(r"docs/.*\.md|(.*/)?README\.md", path):
            continue
        for match in EXAMPLE.finditer(text):
            line = line_of(text, match.start())
            source, region = match[1], match[2]
            block = re.match(r"\s*^```[^\n]*\n(.*?)^```", text[match.end() :], re.S | re.M)
            wanted = example(tree, source, region)
            if wanted is None:
                yield path, line, f"there is no {source}{'#' + region if region else ''}"
            elif block is None:
                yield path, line, "no code block follows"
            elif block[1] != wanted:
                line += text[match.end() : match.end() + block.start(1)].count("\n")
                line += first_difference(block[1], wanted)
                yield path, line, f"differs from {source}{'#' + region if region else ''}"


def example(tree, source, region):
    text = tree.files.get(source)
    if text is None or region is None:
        return text
    name = re.escape(region)
    match = re.search(rf"^[ \t]*// \[{name}\][ \t]*\n(.*?)^[ \t]*// \[/{name}\]", text, re.S | re.M)
    return match and textwrap.dedent(match[1])


def first_difference(left, right):
    left, right = left.splitlines(), right.splitlines()
    differences = (index for index, (a, b) in enumerate(zip(left, right)) if a != b)
    return next(differences, min(len(left), len(right)))


def readmes(tree):
    for folder in FOLDERS:
        if f"{folder}/README.md" not in tree.files:
            yield f"{folder}/README.md", 1, "each top-level folder has a README.md"


def rules_tested(tree):
    """Each rule of docs/rules/ is named by a test, and no test names a rule that is not there."""
    named = rules_in_tests(tree)
    rules = set()
    for path, line, name, needs_test in rules_of(tree):
        if name in rules:
            yield path, line, f"{name} is there twice"
        if needs_test and name not in named:
            yield path, line, f"no test names {name}"
        rules.add(name)
    # Of a family that docs/rules/ does not have, it may be anything: UTF-8, SHA-256.
    families = {name.rpartition("-")[0] for name in rules}
    for name, places in named.items():
        if name not in rules and name.rpartition("-")[0] in families:
            for path, line in places:
                yield path, line, f"there is no rule {name} in docs/rules/"


def rules_of(tree):
    """(path, line, id, needs a test) of each rule."""
    for path, text in tree.files.items():
        if path.startswith("docs/rules/") and path.endswith(".md"):
            for match in RULE.finditer(text):
                needs_test = not NO_TEST_NEEDED.search(match[0])
                yield path, line_of(text, match.start()), match[1], needs_test


def rules_in_tests(tree):
    """id -> [(path, line)] of each mention in tests/ of what looks like a rule."""
    named = {}
    for path, text in tree.files.items():
        parts = path.split("/")
        if parts[0] == "tests" and parts[1] not in ("tools", "bench") and not path.endswith(".md"):
            for match in RULE_NAME.finditer(text):
                named.setdefault(match[0], []).append((path, line_of(text, match.start())))
    return named


# ---- text


def hygiene(tree):
    for path, text in tree.files.items():
        if text and not text.endswith("\n"):
            yield path, text.count("\n") + 1, "the last line has no newline"
        for number, line in enumerate(text.split("\n"), 1):
            if "\t" in line and not path.endswith(".go"):
                yield path, number, "tab"
            if line != line.rstrip():
                yield path, number, "white space at the end of the line"
            if MACHINE_PATH.search(line):
                yield path, number, "a path that only one machine has"
            if UNFINISHED.search(line):
                yield path, number, "unfinished work belongs into an issue"


# ---- the run

RULES = (
    layering,
    third_party,
    public_headers,
    length,
    macros,
    thread_local,
    blocking,
    captures,
    examples_in_documents,
    readmes,
    rules_tested,
    hygiene,
)


def lines_with(code, pattern):
    return [line_of(code, match.start()) for match in re.finditer(pattern, code)]


def lint(tree):
    """All findings as (path, line, rule, message), in the order of the rules."""
    for rule in RULES:
        for path, line, message in rule(tree):
            yield path, line, rule.__name__.replace("_", "-"), message


def main(arguments):
    roots = [argument for argument in arguments if not argument.startswith("-")]
    tree = Tree(roots[0] if roots else pathlib.Path(__file__).resolve().parents[2])
    if "--rules" in arguments:
        named = rules_in_tests(tree)
        for _, _, name, needs_test in rules_of(tree):
            tests = sorted({path for path, _ in named.get(name, ())})
            print(f"{name}: {', '.join(tests) or ('NO TEST' if needs_test else 'needs no test')}")
        return 0
    for path, line, message in length_warning(tree):
        print(f"{path}:{line}: length: {message}")
    findings = list(lint(tree))
    for path, line, rule, message in findings:
        print(f"{path}:{line}: {rule}: {message}")
    rules = len(list(rules_of(tree)))
    print(f"lint: {len(tree.files)} files, {rules} rules of behaviour, {len(findings)} errors")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
