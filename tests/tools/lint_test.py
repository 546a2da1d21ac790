"""Each rule of lint.py: a clean tree passes, and the tree with one thing broken does not."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from lint import LINES_MAX, LINES_WARN, length_warning, lint
from source_tree import FOLDERS, Tree

ECHO = """\
#include <plait/plait.h>

int main() {
  // [loop]
  for (;;) {
    serve();
  }
  // [/loop]
}
"""

# A small house in which every rule has something to look at and nothing to say.
CLEAN = {
    **{f"{folder}/README.md": f"# {folder}\n" for folder in FOLDERS},
    "README.md": f"# plait\n\n<!-- example: examples/echo.cpp -->\n```cpp\n{ECHO}```\n",
    "docs/guide.md": "<!-- example: examples/echo.cpp#loop -->\n\n"
    "```cpp\nfor (;;) {\n  serve();\n}\n```\n",
    "docs/rules/kill.md": "# Kill\n\n- **KILL-1** A killed fiber ends.\n"
    "- **KILL-2** Stopping the world\n  (not in C++).\n- **KILL-3** Far away (later: patch).\n",
    "runtime/include/plait/loop.h": "#pragma once\n#include <vector>\n#include <cstdint>\n",
    "runtime/include/plait/detail/op.h": "#pragma once\n#include <sys/socket.h>\n",
    "runtime/loop.h": "#pragma once\n#define PLAIT_LOOP_H\n",
    "runtime/loop.cpp": '#include "loop.h"\n\n#include "plait/detail/op.h"\n'
    "// Not a std::mutex.\nthread_local int current = 1'000'000;\n"
    'const char* text = "[=] sleep_for";\n',
    "runtime/uring_compat.h": "#include <liburing.h>\n",
    "fibers/include/plait/spawn.h": '#include "plait/loop.h"\n\n#include <functional>\n',
    "fibers/context.h": "#include <boost/context/detail/fcontext.hpp>\n",
    "net/include/plait/tcp.h": "#include <plait/spawn.h>\n",
    "net/tls/include/plait/tls.h": '#include "plait/tcp.h"\n',
    "net/tls/stream.cpp": '#include <openssl/ssl.h>\n#include "plait/tls.h"\n',
    "net/http/parser.cpp": "#include <boost/beast/http.hpp>\n#include <boost/asio/buffer.hpp>\n",
    "interop/deferred/include/plait/deferred.h": "#include <plait/loop.h>\n",
    "interop/shims/wait.cpp": "#include <plait/deferred.h>\n#include <plait/spawn.h>\n",
    "interop/include/plait/plait.h": "#include <plait/tcp.h>\n#include <plait/deferred.h>\n",
    "tests/kill_test.cpp": '#include <doctest/doctest.h>\nTEST_CASE("KILL-1: it ends; UTF-8") {}\n',
    "tests/support/parts.h": '#include "runtime/loop.h"\n',
    "examples/echo.cpp": ECHO,
    "tests/fuzz/corpus/0001": "\t no hygiene here \x00",
    "build/gcc/generated.cpp": "\t",
}


class LintTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.write(CLEAN)

    def write(self, files):
        for path, text in files.items():
            file = self.root / path
            if text is None:
                file.unlink()
            else:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")

    def findings(self, changes):
        """What the linter says, without its words, of the clean tree with these changes."""
        self.write(changes)
        found = [finding[:3] for finding in lint(Tree(self.root))]
        self.write({path: CLEAN.get(path) for path in changes})
        return found

    def found(self, rule, path, line, changes):
        with self.subTest(rule=rule, changes=changes):
            self.assertEqual(self.findings(changes), [(path, line, rule)])

    def caught(self, rule, path, line, text):
        """With this file as it should not be there is this one finding."""
        self.found(rule, path, line, {path: text})

    def passes(self, path, text):
        with self.subTest(path=path, text=text):
            self.assertEqual(self.findings({path: text}), [])

    def test_a_clean_tree_passes(self):
        self.assertEqual(self.findings({}), [])

    def test_a_target_includes_only_what_is_below_it(self):
        self.caught("layering", "runtime/a.cpp", 2, "\n#include <plait/spawn.h>\n")
        self.caught("layering", "fibers/a.cpp", 1, '#include "plait/tcp.h"\n')
        self.caught("layering", "net/a.cpp", 1, "#include <plait/tls.h>\n")
        self.caught("layering", "net/os/a.cpp", 1, "#include <plait/tls.h>\n")
        self.caught("layering", "net/a.cpp", 1, "#include <plait/deferred.h>\n")
        self.caught("layering", "interop/deferred/a.cpp", 1, "#include <plait/spawn.h>\n")
        self.caught("layering", "interop/shims/a.cpp", 1, "#include <plait/tcp.h>\n")
        self.caught("layering", "interop/patch/a.cpp", 1, "#include <plait/deferred.h>\n")
        self.caught("layering", "runtime/a.cpp", 1, "#include <plait/missing.h>\n")
        self.passes("interop/protocol/a.cpp", CLEAN["interop/include/plait/plait.h"])
        self.passes("net/os/a.cpp", "#include <plait/detail/op.h>\n")

    def test_a_private_header_is_seen_by_its_target_alone(self):
        self.caught("layering", "fibers/a.cpp", 1, '#include "../runtime/loop.h"\n')
        self.caught("layering", "fibers/a.cpp", 1, '#include "runtime/loop.h"\n')
        self.caught("layering", "runtime/a.cpp", 1, '#include "tests/support/parts.h"\n')
        self.passes("runtime/sub/a.cpp", '#include "loop.h"\n')

    def test_third_parties_stay_in_their_one_place(self):
        self.caught("third-party", "runtime/a.cpp", 1, "#include <liburing.h>\n")
        self.caught("third-party", "net/a.cpp", 1, "#include <linux/io_uring.h>\n")
        self.caught("third-party", "fibers/a.cpp", 1, "#include <boost/context/fiber.hpp>\n")
        self.caught("third-party", "net/a.cpp", 1, "#  include <openssl/ssl.h>\n")
        self.caught("third-party", "net/a.cpp", 1, "#include <boost/beast.hpp>\n")
        self.caught("third-party", "fibers/a.cpp", 1, "#include <boost/intrusive/list.hpp>\n")
        self.caught("third-party", "net/a.cpp", 1, "#include <doctest/doctest.h>\n")
        self.caught("third-party", "examples/a.cpp", 1, "#include <openssl/ssl.h>\n")
        self.passes("tests/bench/raw.cpp", "#include <liburing.h>\n")

    def test_public_headers_bring_in_std_and_plait_only(self):
        for name in ("<sys/socket.h>", "<unistd.h>", "<fmt/core.h>"):
            self.caught("public-headers", "net/include/plait/a.h", 1, f"#include {name}\n")
        self.caught("public-headers", "runtime/include/plait/a.h", 1, '#include "loop.h"\n')

    def test_examples_use_public_headers_only(self):
        self.caught("public-headers", "examples/a.cpp", 1, "#include <plait/detail/op.h>\n")
        self.caught("public-headers", "examples/a.cpp", 1, '#include "runtime/loop.h"\n')
        self.passes("examples/a.cpp", "#include <sqlite3.h>\n#include <plait/tls.h>\n")

    def test_files_stay_short(self):
        self.caught("length", "net/a.cpp", LINES_MAX + 1, "\n" * (LINES_MAX + 1))
        self.caught("length", "examples/a.cpp", 101, "\n" * 101)
        self.passes("net/a.cpp", "\n" * LINES_MAX)
        self.passes("examples/a.cpp", "\n" * 100)

    def test_a_long_file_is_a_warning_first(self):
        self.write({"net/a.cpp": "\n" * (LINES_WARN + 1), "net/b.cpp": "\n" * LINES_WARN})

        warned = [path for path, _, _ in length_warning(Tree(self.root))]

        self.assertEqual(warned, ["net/a.cpp"])

    def test_there_are_five_macros_at_most(self):
        define = lambda count: "".join(f"#define PLAIT_{n}(x) x\n" for n in "ABCDEF"[:count])
        self.passes("runtime/a.h", define(5) + define(5))
        six = [("runtime/a.h", line, "macros") for line in range(1, 7)]
        self.assertEqual(self.findings({"runtime/a.h": define(6)}), six)

    def test_thread_locals_are_where_they_may_be(self):
        self.caught("thread-local", "net/a.cpp", 2, "\nstatic thread_local int cache;\n")
        self.caught("thread-local", "fibers/include/plait/a.h", 1, "extern __thread int x;\n")

    def test_nothing_blocks_the_thread(self):
        for code in (
            "std::mutex m;",
            "std::recursive_mutex m;",
            "std::condition_variable c;",
            "std::this_thread::sleep_for(1s);",
            "usleep (10);",
        ):
            self.caught("blocking", "fibers/a.cpp", 1, code + "\n")
        self.passes("fibers/a.cpp", '/* std::mutex\n */ auto s = R"(std::mutex ")"; // usleep(1)\n')
        self.passes("tests/a_test.cpp", "std::mutex m;\n")

    def test_lambdas_capture_by_name(self):
        self.caught("captures", "net/a.cpp", 1, "auto f = [=] { return x; };\n")
        self.caught("captures", "tests/a_test.cpp", 1, "auto f = [=, this] { return x; };\n")
        self.caught("captures", "examples/a.cpp", 1, "auto f = [=, &y] { return x; };\n")
        self.passes("net/a.cpp", "auto f = [x, &y] { return x; }; a[i] = b;\n")

    def test_code_blocks_equal_the_example_they_name(self):
        marker = "<!-- example: examples/echo.cpp{} -->\n"
        rule = "examples-in-documents"
        changed = ECHO.replace("serve", "swerve")
        self.caught(rule, "net/README.md", 8, marker.format("") + f"```cpp\n{changed}```\n")
        self.caught(rule, "docs/a.md", 3, marker.format("#loop") + "```cpp\nfor(;;) {\n```\n")
        self.caught(rule, "README.md", 3, "\n\n" + marker.format("#nowhere") + "```cpp\n```\n")
        self.caught(rule, "README.md", 1, "<!-- example: examples/gone.cpp -->\n```cpp\n```\n")
        self.caught(rule, "README.md", 1, marker.format("") + "Text.\n" + f"```cpp\n{ECHO}```\n")
        longer = ECHO + "// more\n"
        self.caught(rule, "docs/a.md", 12, marker.format("") + f"```cpp\n{longer}```\n")

    def test_each_folder_has_a_readme(self):
        self.found("readmes", "interop/README.md", 1, {"interop/README.md": None})

    def test_each_rule_has_a_test(self):
        rule, path, text = "rules-tested", "docs/rules/kill.md", CLEAN["docs/rules/kill.md"]
        ten = {path: text + "- **KILL-10** Ten.\n", "tests/kill_test.cpp": "// KILL-10\n"}
        linted = {"tests/kill_test.cpp": "\n", "tests/tools/a_test.py": "# KILL-1\n"}
        self.found(rule, path, 3, {"tests/kill_test.cpp": "\n"})
        self.found(rule, path, 3, ten)
        self.found(rule, path, 3, linted)
        self.caught(rule, path, 7, text + "- **KILL-1** Again.\n")

    def test_each_rule_that_a_test_names_exists(self):
        self.caught("rules-tested", "tests/net/a_test.cpp", 2, "\n// KILL-99 and SHA-256\n")

    def test_text_is_clean(self):
        self.caught("hygiene", "docs/a.md", 1, "\ttab\n")
        self.caught("hygiene", "meson.build", 2, "\nspace \n")
        self.caught("hygiene", "runtime/a.cpp", 2, "int x;\nint y;")
        self.caught("hygiene", ".ci/run", 1, "cd /" + "work/main\n")
        self.caught("hygiene", "tests/a.py", 1, "open('/" + "root/x')\n")
        self.caught("hygiene", "net/a.cpp", 1, "// TO" + "DO: more\n")
        self.passes("tests/bench/peer.go", "\treturn\n")
        self.passes("docs/a.md", "See https://example.org/" + "work/ and TODOS.\n")


if __name__ == "__main__":
    unittest.main()
