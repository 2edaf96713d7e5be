# SPDX-License-Identifier: Apache-2.0
"""Today's headers against the recorded boundary: boundary_test.py SOURCE_FOLDER. Ends with 77 without abidiff."""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import boundary


class Boundary(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def difference(self, include):
        """What abidiff says; "" where nothing has changed."""
        out = self.folder / "out"
        out.mkdir(exist_ok=True)
        subprocess.run([ABI / "probe.sh", include, out], check=True, capture_output=True, text=True, timeout=300)
        done = subprocess.run(["abidiff", "--suppressions", ABI / "outside.suppr", ABI / "boundary.abi", out / "boundary.abi"],
                              capture_output=True, text=True, timeout=300)
        return f"{done.stdout}{done.stderr}" if done.returncode else ""

    def changed(self, header, before, after):
        """A copy of the headers with one edit."""
        include = self.folder / "include"
        shutil.rmtree(include, ignore_errors=True)
        shutil.copytree(INCLUDE, include)
        path = include / "tenon" / header
        text = path.read_text(encoding="utf-8")
        self.assertIn(before, text)
        path.write_text(text.replace(before, after), encoding="utf-8")
        return include

    def test_every_type_of_the_headers_is_recorded(self):
        layouts = (ABI / "layouts.inc").read_text(encoding="utf-8")
        absent = [name for name in boundary.types(INCLUDE) if f"sizeof({name}) ==" not in layouts]
        self.assertEqual(absent, [], "run tests/abi/record.sh")

    def test_the_headers_are_as_recorded(self):
        self.assertEqual(self.difference(INCLUDE), "", "for what was added, run tests/abi/record.sh")

    def test_virtual_functions_that_change_places_are_found(self):
        rank, size = "virtual int32_t Rank() const noexcept = 0;", "virtual int32_t Size() const noexcept = 0;"
        include = self.changed("parallel.h", rank, "@")
        path = include / "tenon" / "parallel.h"
        path.write_text(path.read_text(encoding="utf-8").replace(size, rank).replace("@", size), encoding="utf-8")
        self.assertIn("vtable offset of method virtual int32_t tenon::Communicator::Rank() const changed", self.difference(include))

    def test_members_that_change_places_are_found(self):
        include = self.changed("scheduler.h", "  uint64_t id;", "  int32_t added;\n  uint64_t id;")
        self.assertIn("SequenceState", self.difference(include))

    def test_enumerators_that_change_numbers_are_found(self):
        include = self.changed("types.h", "kParallel = 4", "kParallel = 6")
        self.assertIn("kParallel", self.difference(include))


ABI = pathlib.Path(__file__).resolve().parent
INCLUDE = pathlib.Path(sys.argv[1]).resolve() / "sdk/include"
if shutil.which("abidiff") is None:
    print("skipped: there is no abidiff (Debian's abigail-tools)")
    sys.exit(77)
unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
