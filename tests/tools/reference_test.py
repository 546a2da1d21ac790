"""reference.py: what of a header becomes a page, and what does not."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

import reference

HEADER = '''// What it is. And more.
//
//   an example
#pragma once

#include <string>

namespace plait {

namespace detail {
class Hidden;
}

// A thing.
class Thing final {
 public:
  // Does it. Never switches.
  void doIt();

 private:
  int secret_ = 0;
};

struct Plain {
  int shown = 1;
};

}  // namespace plait
'''


class Reference(unittest.TestCase):
    def test_comments_become_text_and_declarations_code(self):
        page = reference.page("thing", "net/include/plait/thing.h", HEADER)

        self.assertTrue(page.startswith("# plait/thing.h\n\n`#include <plait/thing.h>`\n\nWhat it is. And more.\n"))
        self.assertIn("\n    an example\n", page)
        self.assertIn("\nA thing.\n\n```cpp\nclass Thing final {\n public:\n  // Does it. Never switches.\n", page)
        self.assertIn("  int shown = 1;\n", page)

    def test_what_is_private_or_detail_is_left_out(self):
        page = reference.page("thing", "net/include/plait/thing.h", HEADER)

        for hidden in ("secret_", "Hidden", "private", "#pragma", "<string>", "namespace"):
            self.assertNotIn(hidden, page)

    def test_the_index_has_the_first_sentence(self):
        self.assertEqual(reference.first_sentence(HEADER), "What it is.")

    def test_a_page_that_is_not_what_its_header_says_is_found(self):
        with tempfile.TemporaryDirectory() as folder:
            header = pathlib.Path(folder, "net/include/plait/thing.h")
            header.parent.mkdir(parents=True)
            header.write_text(HEADER)
            script = [sys.executable, "-B", reference.__file__, folder]
            subprocess.run(script, check=True, capture_output=True)
            self.assertEqual(subprocess.run([*script, "--check"]).returncode, 0)

            header.write_text(HEADER.replace("A thing.", "Another thing."))
            late = subprocess.run([*script, "--check"], capture_output=True, text=True)

            self.assertEqual(late.returncode, 1)
            self.assertIn("docs/reference/thing.md", late.stdout)


if __name__ == "__main__":
    unittest.main()
