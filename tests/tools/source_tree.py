"""The checkout as the linter sees it: path -> text, and where an #include leads."""

import os
import pathlib
import re

# The top level of the house, and the text files worth reading.
FOLDERS = ("runtime", "fibers", "net", "interop", "tests", "examples", "docs")
SUFFIXES = {".h", ".cpp", ".c", ".go", ".py", ".md", ".build", ".options", ".sh", ".in", ".yml", ""}
IGNORED = {"__pycache__", "corpus"}  # a fuzzer's corpus is arbitrary bytes

# Which targets a target may include; what one may see, it passes on.  `interop` itself is the roof:
# headers that bring several targets together.
DEPENDENCIES = {
    "runtime": (),
    "fibers": ("runtime",),
    "net": ("fibers",),
    "net/os": ("net",),
    "net/tls": ("net",),
    "net/http": ("net/os", "net/tls"),
    "interop/deferred": ("runtime",),
    "interop/shims": ("interop/deferred", "fibers"),
    "interop/protocol": ("interop/deferred", "net/tls"),
    "interop/http": ("interop/shims", "net/http"),
    "interop/clients": ("interop/deferred", "net"),
    "interop/loops": ("interop/deferred", "fibers"),
    "interop/patch": ("fibers", "net"),
    "interop": ("net/os", "net/tls", "net/http", "interop/shims", "interop/protocol", "interop/http"),
}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.M)
NOT_CODE = re.compile(
    r'R"(?P<d>[^()\\\s]{0,16})\(.*?\)(?P=d)"'  # raw strings first: they may contain anything
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])*'"  # the look-behind spares 1'000'000
    r"|//[^\n]*|/\*.*?\*/",
    re.S,
)


class Tree:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.files = {}
        for path in sorted(self._paths()):
            self.files[path] = (self.root / path).read_text(encoding="utf-8", errors="replace")
        self.public = {}  # "plait/tcp.h" -> the path of that header
        for path in self.files:
            if "/include/plait/" in path:
                self.public[path.split("/include/", 1)[1]] = path
        self._code = {}

    def _paths(self):
        for entry in self.root.iterdir():
            if entry.is_file():
                if entry.suffix in SUFFIXES:
                    yield entry.name
            elif entry.name in FOLDERS or entry.name == ".ci":
                for folder, names, files in os.walk(entry):
                    names[:] = [name for name in names if name not in IGNORED]
                    for name in files:
                        path = pathlib.Path(folder, name)
                        if path.suffix in SUFFIXES:
                            yield path.relative_to(self.root).as_posix()

    def cpp(self, *folders):
        """(path, text) of the C++ files in these top-level folders."""
        for path, text in self.files.items():
            if path.endswith((".h", ".cpp")) and path.split("/")[0] in folders:
                yield path, text

    def code(self, path):
        """The text with comments and literals blanked out; lines and columns stay."""
        if path not in self._code:
            blank = lambda match: re.sub(r"[^\n]", " ", match[0])
            self._code[path] = NOT_CODE.sub(blank, self.files[path])
        return self._code[path]

    def header(self, path, name):
        """The file of ours that an include of `name` in `path` means, or None."""
        if name in self.public:
            return self.public[name]
        folder = os.path.dirname(path)
        candidates = [os.path.join(folder, name), os.path.join(target(path) or "", name), name]
        candidates = [os.path.normpath(candidate) for candidate in candidates]
        return next((candidate for candidate in candidates if candidate in self.files), None)


def target(path):
    """The target that a file belongs to, None outside the four layers."""
    names = [name for name in DEPENDENCIES if path.startswith(name + "/")]
    return max(names, key=len, default=None)


def visible(name):
    """The targets whose public headers this target may include: itself and all below it."""
    below = {name}
    for dependency in DEPENDENCIES[name]:
        below |= visible(dependency)
    return below


def includes(text):
    """(line, quote, name) of each #include."""
    for match in INCLUDE.finditer(text):
        yield line_of(text, match.start(2)), match[1], match[2]


def line_of(text, position):
    return text.count("\n", 0, position) + 1
