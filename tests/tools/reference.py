"""Writes docs/reference/: a page for each public header, made of the header itself.

Usage: reference.py [--check] [ROOT].  Comments become text, declarations become code blocks; what is
private or detail is left out.  --check prints what differs and ends with 1 if anything does; the
linter does the same.
"""

import pathlib
import re
import sys

from source_tree import Tree

FOLDER = "docs/reference"
INDEX = FOLDER + "/README.md"

LAYERS = (
    ("runtime", "Runtime: the loop, time, threads, errors"),
    ("fibers", "Fibers"),
    ("net", "Sockets and streams"),
    ("net/os", "Files, pipes, processes"),
    ("net/tls", "TLS and endpoints"),
    ("net/http", "HTTP and WebSocket"),
    ("interop", "Deferreds and bridges"),
)

SKIPPED = re.compile(
    r"#pragma once|#include|#define|#undef|#if|#endif|#else|\}  // namespace"
    r"|namespace plait(::\w+)? \{|namespace \w+ \{ class \w+; \}|class [\w:]+;$|struct [\w:]+;$"
)


def pages(tree):
    """path -> text of every page that docs/reference/ should have."""
    headers = sorted(
        (path for name, path in tree.public.items() if name.count("/") == 1),
        key=lambda path: (layer_index(path), path),
    )
    result = {}
    index = ["# Reference", "", "A page for each public header, made of the header itself.", ""]
    last = None
    for path in headers:
        name = path.rsplit("/", 1)[1][:-2]
        if (layer := LAYERS[layer_index(path)][1]) != last:
            index += [f"## {layer}", ""] if last is None else ["", f"## {layer}", ""]
            last = layer
        text = tree.files[path]
        result[f"{FOLDER}/{name}.md"] = page(name, path, text)
        index.append(f"- [plait/{name}.h]({name}.md): {first_sentence(text)}")
    result[INDEX] = "\n".join(index) + "\n"
    return result


def layer_index(path):
    fits = [i for i, (folder, _) in enumerate(LAYERS) if path.startswith(folder + "/")]
    return max(fits, key=lambda i: len(LAYERS[i][0]))


def first_sentence(text):
    lines = []
    for line in text.splitlines():
        if not line.startswith("//"):
            break
        lines.append(line[2:].strip())
    match = re.match(r"(.*?[.:])(\s|$)", " ".join(lines))
    return re.sub(r":$", ".", match[1] if match else " ".join(lines))


def page(name, path, text):
    out = [f"# plait/{name}.h", "", f"`#include <plait/{name}.h>`", ""]
    code = []

    def flush():
        while code and not code[-1].strip():
            code.pop()
        while code and not code[0].strip():
            code.pop(0)
        if code:
            out.extend(["```cpp", *code, "```", ""])
        code.clear()

    comment = []

    def flush_comment():
        if comment:
            flush()
            out.extend([*comment, ""])
            comment.clear()

    for line in visible_lines(text):
        if match := re.match(r"// ?(.*)", line):
            if not comment:
                flush()
            # What is laid out stays so.
            comment.append(match[1] if not match[1].startswith("  ") else "    " + match[1].strip())
            continue
        flush_comment()
        code.append(line)
    flush_comment()
    flush()
    while out and not out[-1]:
        out.pop()
    return "\n".join(line.rstrip() for line in out) + "\n"


def visible_lines(text):
    """The header without preprocessor lines, detail namespaces and private sections."""
    lines = []
    depth = 0  # of braces
    skip_until = None  # the depth at which something hidden ends
    hidden_member = None  # the depth of the class whose private section this is
    for line in text.splitlines():
        bare = re.sub(r"//.*", "", line)
        opens, closes = bare.count("{"), bare.count("}")
        before = depth
        depth += opens - closes
        if skip_until is not None:
            if depth <= skip_until:
                skip_until = None
            continue
        if re.match(r"namespace (\w+::)*detail( |::)", line) or re.match(r"namespace std ", line):
            if depth > before:
                skip_until = before
            continue
        if hidden_member is not None:
            if depth < hidden_member:
                hidden_member = None
                lines.append(line)
            elif re.match(r" *(public|protected):", line):
                hidden_member = None
                lines.append(line)
            continue
        if re.match(r" *private:", line):
            hidden_member = depth
            while lines and not lines[-1].strip():
                lines.pop()
            continue
        if SKIPPED.match(line.strip()) and not line.startswith("  "):
            continue
        lines.append(line)
    return lines


def main(arguments):
    roots = [argument for argument in arguments if not argument.startswith("-")]
    root = pathlib.Path(roots[0] if roots else pathlib.Path(__file__).resolve().parents[2])
    tree = Tree(root)
    wanted = pages(tree)
    if "--check" in arguments:
        stale = stale_pages(tree)
        for path in stale:
            print(f"{path}: not what its header says; run ./dev docs")
        return 1 if stale else 0
    (root / FOLDER).mkdir(parents=True, exist_ok=True)
    for path in (root / FOLDER).glob("*.md"):
        if f"{FOLDER}/{path.name}" not in wanted:
            path.unlink()
    for path, text in wanted.items():
        (root / path).write_text(text, encoding="utf-8")
    print(f"{len(wanted)} pages in {FOLDER}/")
    return 0


def stale_pages(tree):
    wanted = pages(tree)
    there = {path: text for path, text in tree.files.items() if path.startswith(FOLDER + "/")}
    return sorted(path for path in {*wanted, *there} if wanted.get(path) != there.get(path))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
