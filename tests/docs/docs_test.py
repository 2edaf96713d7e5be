#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the documents say, held against the tree and the binary: docs_test.py TENON SOURCE [TestCase ...]

How a fenced block is marked, after its language, says what is tested of it:
  yaml pipeline [FILE]    it loads; FILE is its name for the other blocks of its document
  yaml FILE, tsv FILE     a file that only the other blocks of its document see
  LANGUAGE path/of/FILE   it is that file of the tree, word for word; of sdk/template as `tenon new decoding acme.top_a`
                          writes it
  cpp excerpt path/FILE   its lines stand in that file, in this order and without others between
  text output COMMAND     these lines, without others between, are among what COMMAND prints
  sh                      its commands, their flags and their pipelines exist"""
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
import generate_options
from markdown_file import Document

TENON, SOURCE = pathlib.Path(), pathlib.Path()
GUIDES = ("README.md", "docs/pipelines.md", "docs/writing-a-plugin.md", "docs/layout.md", "docs/life-of-a-request.md",
          "docs/serving.md")
TIMEOUT_S = 120
TINY = "tests/data/models/llama"  # loads at once, and needs no `tenon pull`
SETUP = "./setup.sh"
NEEDS_CUDA = "cuda.yaml"
EXAMPLE = {"NAME": "acme.top_a", "VENDOR": "acme", "SHORT": "top_a", "CLASS": "TopA", "TARGET": "acme_top_a",
           "ID": "acme.decoding.top_a"}
ROOMS = "apps|bench|cmake|configs|core|docs|kernels|models|plugins|sdk|tests|text"


def guides():
    return [Document(SOURCE, name) for name in GUIDES]


def markdown_files():
    ours = [SOURCE / "README.md"]
    for room in ("docs", "plugins", "sdk", "tests", "apps", "core", "models", "text", "kernels", "configs"):
        ours += sorted((SOURCE / room).rglob("*.md"))
    return [Document(SOURCE, path.relative_to(SOURCE).as_posix()) for path in ours]


def components():
    """What this build has of our own plugins, by (family, name)."""
    listed = generate_options.ask(TENON, "--json")["components"]
    return {(c["family"], c["name"]): c for c in listed if c["plugin"].startswith("tenon.")}


def in_tree():
    """Every technique of the tree, built here or not."""
    return {(path.parts[-3], path.parts[-2]) for path in (SOURCE / "plugins").glob("*/*/plugin.cc")}


def run(arguments, folder=None):
    return subprocess.run([str(a) for a in arguments], cwd=folder, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=TIMEOUT_S, check=False)


def commands_in(text):
    """The calls of tenon and setup.sh in shell text, as lists of words without the shell's own."""
    for line in text.replace("\\\n", " ").splitlines():
        line = line.strip().removeprefix("$ ")
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
        lexer.whitespace_split = True
        call = []
        for word in [*lexer, ";"]:
            if set(word) <= set("|&;<>"):
                if call and (call[0] == SETUP or call[0].rsplit("/", 1)[-1] == "tenon"):
                    yield call if call[0] == SETUP else ["tenon", *call[1:]]
                call = []
            else:
                call.append(word)


def shown(path):
    """A file of the tree as a document shows it."""
    text = (SOURCE / path).read_text(encoding="utf-8")
    return re.sub(r"@([A-Z]+)@", lambda found: EXAMPLE[found[1]], text) if path.startswith("sdk/template/") else text


class DocsTest(unittest.TestCase):
    maxDiff = None

    def sandbox(self, document):
        """A folder with the configs and the files that the document's blocks name."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = pathlib.Path(folder.name)
        shutil.copytree(SOURCE / "configs", path / "configs")
        for block in document.blocks:
            name = block.info[-1] if block.word(0) in ("yaml", "tsv") else ""
            if re.fullmatch(r"[\w-]+\.(yaml|tsv)", name):
                (path / name).write_text(block.text, encoding="utf-8")
        return path

    def explain(self, pipeline, folder, *arguments):
        """Loads a pipeline with the tiny model, whatever model it names."""
        return run([TENON, "explain", pipeline, *arguments, "--set", f"model={SOURCE / TINY}"], folder)


class Prose(DocsTest):
    """What needs no binary."""

    def test_links_lead_somewhere(self):
        for document in markdown_files():
            for place, target in document.links():
                path, _, anchor = target.partition("#")
                if re.match(r"[a-z]+:", target):
                    continue
                there = (document.path.parent / path) if path else document.path
                self.assertTrue(there.exists(), f"{place}: {target} does not exist")
                if anchor:
                    name = there.resolve().relative_to(SOURCE).as_posix()
                    self.assertIn(anchor, Document(SOURCE, name).anchors(), f"{place}: {target}")

    def test_paths_exist(self):
        for document in guides():
            for place, span in document.spans():
                if re.fullmatch(rf"({ROOMS})/[\w./-]+", span):
                    self.assertTrue((SOURCE / span).exists(), f"{place}: {span} does not exist")

    def test_headers_exist(self):
        for document in guides():
            for header in re.findall(r"tenon/\w+\.h", document.text):
                self.assertTrue((SOURCE / "sdk/include" / header).exists(), f"{document.name}: {header}")

    def test_files_are_shown_as_they_are(self):
        count = 0
        for document in guides():
            for block in document.blocks:
                if len(block.info) == 2 and "/" in block.word(1):
                    count += 1
                    self.assertEqual(block.text, shown(block.word(1)), block.where)
        self.assertGreaterEqual(count, 6)

    def test_excerpts_stand_in_their_files(self):
        shown = 0
        for document in guides():
            for block in document.blocks:
                if block.word(1) == "excerpt":
                    shown += 1
                    self.assertIn("\n" + block.text, (SOURCE / block.word(2)).read_text(encoding="utf-8"), block.where)
        self.assertGreaterEqual(shown, 3)

    def test_blocks_of_code_are_all_tested(self):
        for document in guides():
            for block in document.blocks:
                if block.word(0) in ("cpp", "cmake", "yaml"):
                    self.assertGreater(len(block.info), 1, f"{block.where}: say what this block is")

    def test_every_code_is_explained(self):
        headers = [SOURCE / "core/plugins/refusal.h", SOURCE / "core/pipeline/diagnostics.h"]
        code = "".join(path.read_text(encoding="utf-8") for path in headers)
        code += "".join(path.read_text(encoding="utf-8") for path in (SOURCE / "core").rglob("*.cc"))
        known = set(re.findall(r"TN\d{3}", re.sub(r"//.*", "", code)) + re.findall(r"// +(TN\d{3}) ", code))
        told = {cells[0] for cells in Document(SOURCE, "docs/pipelines.md").rows("code")}
        self.assertEqual(told, known)

    def test_variables_are_read_somewhere(self):
        places = [SOURCE / "setup.sh"]
        for room in ("apps", "core", "plugins", "cmake", "sdk", "models", "text"):
            places += [p for p in (SOURCE / room).rglob("*") if p.suffix in (".cc", ".h", ".cmake", ".txt")]
        code = "".join(path.read_text(encoding="utf-8") for path in places)
        for document in guides():
            for name in set(re.findall(r"TENON_[A-Z_]+", document.text)):
                self.assertIn(name, code, f"{document.name}: {name}")


class Options(DocsTest):
    def test_the_generated_part_is_current(self):
        now = (SOURCE / generate_options.DOCUMENT).read_text(encoding="utf-8")
        self.assertEqual(now, generate_options.generate(TENON, SOURCE),
                         "docs/pipelines.md is stale; run tests/docs/generate_options.py TENON SOURCE")

    def test_every_technique_has_its_section(self):
        text = (SOURCE / generate_options.DOCUMENT).read_text(encoding="utf-8")
        self.assertEqual(set(generate_options.SECTION.findall(text)), in_tree())

    def test_readme_has_the_models_that_the_code_reads(self):
        done = run([TENON, "models", "--markdown"])
        self.assertEqual(done.returncode, 0, done.stderr)
        told = re.search(r"<!-- tenon models --markdown -->\n(.*?)<!-- end -->", (SOURCE / "README.md").read_text(encoding="utf-8"),
                         re.DOTALL)
        self.assertIsNotNone(told)
        self.assertEqual(told.group(1), done.stdout, "replace that part of README.md with what `tenon models --markdown` prints")

    def test_readme_has_every_plugin(self):
        told = {}
        for family, name, doc, *_ in Document(SOURCE, "README.md").rows("family"):
            told[(family, name.split("`")[1])] = (doc, "default" in name)
        self.assertEqual(set(told), in_tree())
        for key, component in components().items():
            self.assertEqual(told[key], (component["doc"], component["default"]), key)

    def test_interfaces_are_those_of_the_sdk(self):
        rows = Document(SOURCE, "docs/writing-a-plugin.md").rows("family")
        self.assertEqual([row[0] for row in rows], [*generate_options.FAMILIES, "any"])
        for _, interfaces, header, _ in rows:
            text = (SOURCE / "sdk/include" / header.strip("`")).read_text(encoding="utf-8")
            for interface in re.findall(r"`(tenon\.[\w./]+)`", interfaces):
                self.assertIn(f'"{interface}"', text)


class Commands(DocsTest):
    def flags(self, command):
        helped = run([TENON, *command, "--help"])
        self.assertEqual(helped.returncode, 0, helped.stderr)
        return set(re.findall(r"^ +(?:-\w,)?(--[a-z-]+)", helped.stdout, re.M))

    def names(self):
        listed = run([TENON, "--help"]).stdout.partition("Subcommands:")[2]
        return re.findall(r"^  ([a-z-]+) ", listed, re.M)

    def check(self, place, words, document):
        """One call as a document shows it."""
        given = {word.partition("=")[0] for word in words[1:] if word.startswith("--")}
        command = words[1] if len(words) > 1 and not words[1].startswith("-") else ""
        if words[0] == SETUP:
            told = run([SOURCE / "setup.sh", "--help"]).stdout
            self.assertIn(f"{SETUP} {command}", told, place)
            self.assertLessEqual(given, self.flags(["run"]) if command == "run" else {"--help"}, place)
            return
        self.assertIn(command, ["", *self.names()], place)
        self.assertLessEqual(given, self.flags([command] if command else []), place)
        pipelines = [word for word in words[2:] if word.endswith(".yaml")]
        for pipeline in pipelines:
            self.check_pipeline(place, pipeline, words, document)

    def check_pipeline(self, place, pipeline, words, document):
        if (SOURCE / "sdk/template/decoding" / f"{pipeline}.in").exists():
            return  # scaffold_decoding_test runs it
        folder = self.sandbox(document)
        self.assertTrue((folder / pipeline).exists(), f"{place}: {pipeline} does not exist")
        layers = [word for before, word in zip(words, words[1:]) if before == "--set"]
        if not pipeline.endswith(NEEDS_CUDA) and pipeline != "wrong.yaml":
            self.explains(place, pipeline, folder, layers)

    def explains(self, place, pipeline, folder, layers):
        arguments = [word for layer in layers for word in ("--set", layer)]
        ended = self.explain(pipeline, folder, *arguments)
        self.assertEqual(ended.returncode, 0, f"{place}: {ended.stderr}")

    def test_calls_in_blocks_exist(self):
        seen = 0
        for document in guides():
            for block in document.blocks:
                if block.word(0) == "sh":
                    for words in commands_in(block.text):
                        seen += 1
                        self.check(block.where, words, document)
        self.assertGreaterEqual(seen, 10)

    def test_calls_in_text_exist(self):
        seen = 0
        for document in guides():
            for place, span in document.spans():
                if re.match(r"(tenon|\./setup\.sh) ", span):
                    for words in commands_in(span):
                        seen += 1
                        self.check(place, words, document)
        self.assertGreaterEqual(seen, 10)

    def test_flags_in_text_exist(self):
        every = set().union(*(self.flags([name]) for name in self.names()), {"--component"})  # the last is cmake's
        for document in guides():
            for place, span in document.spans():
                if re.match(r"--[a-z]", span):
                    self.assertIn(span.split()[0].split("=")[0], every, place)

    def test_readme_has_every_command(self):
        told = [cells[0].split("`")[1].split()[1] for cells in Document(SOURCE, "README.md").rows("command")]
        self.assertEqual(sorted(told), sorted(self.names()))

    def test_set_takes_what_the_reference_says(self):
        document = Document(SOURCE, "docs/pipelines.md")
        folder, seen = self.sandbox(document), 0
        for cells in document.rows("`--set`"):
            for layer in re.findall(r"`([^`]+=[^`]+)`", cells[0]):
                if not layer.startswith("model="):
                    seen += 1
                    layer = layer.replace("4096", "256")  # the tiny model's context is short
                    self.explains(layer, "configs/default.yaml", folder, [layer])
        self.assertGreaterEqual(seen, 7)

    def test_models_to_pull_are_known(self):
        told = run([TENON, "pull", "--help"]).stdout
        for name in re.findall(r"`tenon pull` knows (.*?)\.", Document(SOURCE, "README.md").text)[0].split("`")[1::2]:
            self.assertIn(name, told)


class Pipelines(DocsTest):
    def test_they_load(self):
        seen = 0
        for document in guides():
            for block in document.blocks:
                if block.word(1) != "pipeline":
                    continue
                seen += 1
                folder = self.sandbox(document)
                (folder / "block.yaml").write_text(block.text, encoding="utf-8")
                short = ["--set", "memory.context_tokens=256"]  # of the tiny model
                ended = self.explain("block.yaml", folder, *short)
                self.assertEqual(ended.returncode, 0, f"{block.where}: {ended.stderr}")
        self.assertGreaterEqual(seen, 6)

    def test_output_is_what_the_binary_prints(self):
        seen = 0
        for document in guides():
            for block in document.blocks:
                if block.word(1) != "output":
                    continue
                seen += 1
                command = block.info[3:]  # without "text output tenon"
                ended = run([TENON, *command, "--set", f"model={SOURCE / TINY}"], self.sandbox(document))
                self.assertIn("\n" + block.text, "\n" + ended.stdout + "\n" + ended.stderr, block.where)
        self.assertGreaterEqual(seen, 2)

    def test_every_key_is_in_the_reference(self):
        keys = generate_options.ask(TENON, "--schema")["properties"]
        told = [cells[0].strip("`") for cells in Document(SOURCE, "docs/pipelines.md").rows("key")]
        self.assertEqual(sorted(told), sorted(keys))


if __name__ == "__main__":
    TENON, SOURCE = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
    if TENON.exists():
        TENON = TENON.resolve()
        os.environ.setdefault("TENON_PLUGIN_PATH", str(TENON.parent.parent / "lib/tenon/plugins"))
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
