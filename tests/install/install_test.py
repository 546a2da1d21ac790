#!/usr/bin/python3
"""Installs a finished build into a directory of its own and uses it as a stranger would.

Usage: install_test.py BUILD COMPILER...  The build is not touched: what is installed is what is there.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

PROGRAM = """#include <plait/plait.h>
#include <cstdio>
int main() { return plait::run([] { plait::sleep(plait::Duration(1)); std::puts("it runs"); }); }
"""
THIRD_PARTY = re.compile(
    r'^\s*#\s*include\s*[<"]((?:liburing|boost|openssl|linux/io_uring)[^>"]*)', re.M
)


def main(build, *compiler):
    with tempfile.TemporaryDirectory(prefix="plait-install-") as name:
        root = pathlib.Path(name)
        meson = shutil.which("meson") or sys.exit("meson is not in PATH")
        run([meson, "install", "-C", build, "--destdir", str(root), "--no-rebuild", "--quiet"])
        faults = list(check_headers(root))
        config = one(root, "plait.pc")
        environment = dict(
            os.environ, PKG_CONFIG_SYSROOT_DIR=str(root), PKG_CONFIG_PATH=str(config.parent)
        )
        flags = run(["pkg-config", "--cflags", "--libs", "plait"], environment).split()
        faults += check_flags(flags, root)
        faults += check_program(root, compiler, flags)
        for fault in faults:
            print(fault)
        return 1 if faults else 0


def check_headers(root):
    """Public headers bring in nobody else's."""
    main_header = one(root, "plait.h")
    public = [path for path in main_header.parent.rglob("*.h") if path.parent.name != "detail"]
    if len(public) < 30:
        yield f"only {len(public)} public headers were installed"
    for path in public:
        for match in THIRD_PARTY.finditer(path.read_text(encoding="utf-8")):
            yield f"{path.name} includes {match[1]}"


def check_flags(flags, root):
    if "-lplait" not in flags:
        yield f"pkg-config does not name the library: {flags}"
    for flag in flags:
        if flag.startswith(("-I", "-L")) and not flag[2:].startswith(str(root)):
            yield f"pkg-config points out of the installed tree: {flag}"


def check_program(root, compiler, flags):
    """Three lines, built outside of the tree, run."""
    source = root / "three_lines.cpp"
    source.write_text(PROGRAM, encoding="utf-8")
    program = root / "three_lines"
    try:
        run([*compiler, "-std=c++20", str(source), "-o", str(program), *flags])
        library = one(root, "libplait.so").parent
        said = run([str(program)], dict(os.environ, LD_LIBRARY_PATH=str(library)))
    except subprocess.CalledProcessError as error:
        yield f"the three-line program: {error}"
        return
    if said != "it runs\n":
        yield f"the three-line program said {said!r}"


def one(root, name):
    """The one installed file of that name."""
    found = [path for path in root.rglob(name) if path.is_file()]
    if len(found) != 1:
        sys.exit(f"{name} was installed {len(found)} times")
    return found[0]


def run(command, environment=None):
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(done.stdout, done.stderr, sep="\n")
        raise subprocess.CalledProcessError(done.returncode, command)
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
