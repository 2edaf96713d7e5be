#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""guide_test.py SOURCE BUILD: does what docs/writing-a-plugin.md says, from its first command to its last, with the files
that it shows."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROJECT = "acme_top_a"
FILES = {"component.h.in": "top_a.h", "component.cc.in": "top_a.cc", "plugin.cc.in": "plugin.cc", "CMakeLists.txt.in": "CMakeLists.txt",
         "pipeline.yaml.in": "pipeline.yaml"}


class Guide(unittest.TestCase):
    def test_its_commands_work_on_its_files(self):
        blocks = BLOCK.findall((SOURCE / "docs/writing-a-plugin.md").read_text(encoding="utf-8"))
        commands = [text for language, _, text in blocks if language == "sh"]
        files = {FILES[pathlib.Path(path).name]: text for language, path, text in blocks
                 if path.startswith("sdk/template/") and language != "excerpt"}
        self.assertEqual(sorted(files), sorted(FILES.values()))
        self.assertEqual(len(commands), 5)
        with tempfile.TemporaryDirectory() as name:
            home = pathlib.Path(name)
            (home / "shown").mkdir()
            for file, text in files.items():
                (home / "shown" / file).write_text(text, encoding="utf-8")
            (home / "build").mkdir()
            (home / "build/release").symlink_to(BUILD)
            # The files as shown, in place of those that `tenon new` wrote.
            commands[1] = commands[1].replace(f"cd {PROJECT}\n", f"cd {PROJECT} && cp ~/shown/* .\n")
            self.assertIn("shown", commands[1])
            models = os.environ.get("TENON_HOME", os.path.expanduser("~/.cache/tenon"))
            environment = {"PATH": os.environ["PATH"], "HOME": name, "TENON_HOME": models}
            script = "set -euo pipefail\n" + "\n".join(commands)
            done = subprocess.run(["bash", "-c", script], cwd=home, env=environment, text=True, capture_output=True, timeout=1700)
            self.assertEqual(done.returncode, 0, done.stdout[-4000:] + done.stderr[-4000:])
            self.assertEqual(done.stdout.count("100% tests passed"), 2)
            # By each project's ci.sh, and as the guide asks for it.
            self.assertEqual(len(re.findall(r"^passed: \d+ passed", done.stdout, re.MULTILINE)), 4)
            self.assertRegex(done.stdout, r"\nspeed: .*\nquality: KL ")
            self.assertRegex(done.stdout, r"\nattention acme.fast_path +paged ")
            self.assertTrue((home / "acme_fast_path/report.html").exists())


SOURCE, BUILD = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
