# SPDX-License-Identifier: Apache-2.0
"""The commands as a user meets them: cli_test.py BINARY SOURCE_FOLDER [TestCase ...]

Needs the model that configs/default.yaml names, and gemma-3-270m for configs/gemma.yaml."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

import tenon_process
from tenon_process import config, data, finish, generate, interrupt, start, tenon, tiny

COMMANDS = ("run", "batch", "bench", "score", "compare", "tokenize", "embed", "explain", "plugins", "models", "devices", "pull", "new")
DEFAULT = "smollm2-135m-instruct"


class CliTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    def expect(self, code, ended, *words):
        self.assertEqual(ended.code, code, ended.said)
        for word in words:
            self.assertIn(word, ended.err, ended.said)
        if code != 0:
            self.assertEqual(ended.out, "", ended.said)


class Commands(CliTest):
    def test_every_command_has_help(self):
        for command in COMMANDS:
            ended = tenon(command, "--help")
            self.assertEqual((ended.code, ended.err), (0, ""), ended.said)
            self.assertIn(f"Usage: tenon {command}", ended.out)
        ended = tenon("--help")
        self.assertEqual(ended.code, 0)
        for command in COMMANDS:
            self.assertIn(f"\n  {command} ", ended.out)
        self.assertRegex(tenon("--version").out, r"^tenon \d+\.\d+\.\d+\n$")

    def test_wrong_usage_ends_with_2(self):
        default = config("default.yaml")
        for wrong in ([], ["nope"], ["run"], ["run", default, "--nope"], ["run", default, "--prompt"],
                      ["run", default, "--prompt", "a", "--chat"], ["run", default, "--chat", "--json"],
                      ["run", default, "--prompt", "a", "--token-ids", "1"],
                      ["run", default, "--prompt", "a", "--max-tokens", "-1"],
                      ["run", default, "--prompt", "a", "--max-tokens", "many"],
                      ["run", default, "--prompt", "a", "--max-tokens", "99999999999"],
                      ["run", default, "--prompt", "a", "--seed", "-1"],
                      ["run", default, "--prompt", "a", "--seed", "99999999999999999999"],
                      ["run", default, "--prompt", "a", "--temperature", "-1"],
                      ["run", default, "--prompt", "a", "--temperature", "nan"],
                      ["run", default, "--prompt", "a", "--top-p", "2"],
                      ["run", default, "--prompt", "a", "--min-p", "inf"],
                      ["run", default, "--prompt", "a", "--top-k", "-5"],
                      ["run", default, "--prompt", "a", "--logprobs", "1000"],
                      ["bench", default, "--repeat", "0"], ["bench", default, "--gen-tokens", "-1"],
                      ["score", default], ["score", default, "--text-file", "x", "--window", "1"],
                      ["tokenize"], ["embed"], ["embed", default, "--pooling", "median"],
                      ["embed", default, "--max-tokens", "0"], ["explain"], ["pull"], ["plugins", "extra"], ["devices", "--nope"]):
            self.expect(2, tenon(*wrong), "--help" if "--chat" not in wrong[2:] and
                        "--token-ids" not in wrong else "tenon run")
            self.assertNotIn("0000000", tenon(*wrong).err, "a range nobody can read")

    def test_explain_gives_one_document(self):
        ended = tenon("explain", config("default.yaml"), "--json", *tiny())
        self.expect(0, ended)
        self.assertEqual(ended.err, "")
        document = ended.document()
        for family in ("device", "attention", "quant", "scheduler", "parallel"):
            self.assertLessEqual({"use", "file", "version"}, document["components"][family].keys())
        self.assertEqual([link["use"] for link in document["components"]["decoding"]], ["penalties", "sampler"])
        for key in ("weights_bytes", "kv_bytes", "arena_bytes"):
            self.assertGreater(document["memory"][key], 0)
        self.assertGreater(len(document["ops"]), 10)
        self.assertTrue(any("attention" in op["kind"] for op in document["ops"]))
        text = tenon("explain", config("default.yaml"), *tiny())
        self.expect(0, text)
        self.assertIn("weights", text.out)

    def test_bench_gives_one_document(self):
        ended = tenon("bench", config("default.yaml"), "--json", "--prompt-tokens", 8, "--gen-tokens", 4, "--batch",
                      "1,2", "--depth", "0,5", "--repeat", 2, *tiny())
        self.expect(0, ended)
        document = ended.document()
        self.assertLessEqual({"model", "pipeline", "isa", "threads", "results"}, document.keys())
        rows = {(row["kind"], row["batch"], row["depth"]) for row in document["results"]}
        self.assertEqual(rows, {(kind, batch, depth) for kind in ("prefill", "decode") for batch in (1, 2)
                                for depth in (0, 5)})
        for row in document["results"]:
            rate = row["tokens_per_s"]
            self.assertTrue(0 < rate["min"] <= rate["median"] <= rate["max"], row)
            self.assertEqual(row["tokens"], row["batch"] * (8 if row["kind"] == "prefill" else 4))
            self.assertGreater(sum(row["by_plugin"].values()), 0)
        self.assertIn("decode", tenon("bench", config("default.yaml"), "--prompt-tokens", 0, "--gen-tokens", 2,
                                      "--repeat", 1, *tiny()).out)

    def test_bench_refuses_what_does_not_fit(self):
        for wrong, word in ((["--depth", "2000000000", "--prompt-tokens", "2000000000"], "context"),
                            (["--depth", "-1"], "--depth"), (["--batch", "0"], "--batch"),
                            (["--batch", "1,x"], "--batch"), (["--batch", "2000000000"], "max_sequences"),
                            (["--prompt-tokens", "513"], "context")):
            self.expect(1, tenon("bench", config("default.yaml"), "--repeat", 1, *wrong, *tiny()), word)

    def test_score_gives_one_document(self):
        text = data("golden/wikitext2-head.txt")
        ended = tenon("score", config("default.yaml"), "--json", "--text-file", text, "--window", 64, "--windows", 3)
        self.expect(0, ended)
        document = ended.document()
        self.assertEqual(len(document["chunk_nll"]), 3)
        self.assertAlmostEqual(document["nll"], sum(document["chunk_nll"]) / 3, 6)
        self.assertTrue(5 < document["ppl"] < 200, document)
        self.expect(1, tenon("score", config("default.yaml"), "--text-file", self.write("short", "a few words")),
                    "less than one window")
        self.expect(1, tenon("score", config("default.yaml"), "--text-file", "no/such"), "no/such")
        self.expect(1, tenon("score", config("default.yaml"), "--text-file", text, *tiny()), "tokenizer")

    def test_plugins_and_devices_give_one_document(self):
        document = tenon("plugins", "--json").document()
        families = {component["family"] for component in document["components"]}
        self.assertLessEqual({"device", "attention", "quant", "scheduler", "parallel", "decoding"}, families)
        self.assertIn("refused", document)
        described = tenon("plugins", "--describe", "paged", "--json").document()
        self.assertIn("page_tokens", {o["name"] for o in described["components"][0]["options"]})
        self.assertIn("page_tokens", tenon("plugins", "--describe", "paged").out)
        self.assertIn("properties", tenon("plugins", "--schema").document())
        self.expect(1, tenon("plugins", "--describe", "pagd"), "TN203", 'did you mean "paged"')
        devices = tenon("devices", "--json").document()
        self.assertEqual([level["name"] for level in devices["isa_levels"]][0], "generic")
        self.assertEqual(sum(device["used"] for device in devices["devices"]), 1)

    def test_pull_of_an_unknown_name_says_the_known_ones(self):
        for extra in ([], ["--json"]):
            self.expect(1, tenon("pull", "nope", *extra), "nope", DEFAULT)

    def test_refused_plugins_say_why(self):
        self.write("text.so", "not a library")
        self.write("empty.so", "")
        ours = json.loads(tenon("plugins", "--json").out)["components"][0]["file"]
        if ours:  # a build with the plugins inside has no files
            self.write("cut.so", pathlib.Path(ours).read_bytes()[:5000])
        (self.folder / "folder.so").mkdir()
        ended = tenon("plugins", "--why", "--plugin-dir", self.folder)
        self.assertEqual(ended.code, 0, ended.said)
        for name in ("text.so", "empty.so"):
            self.assertIn(f"TN101 {name}", ended.out)
        refused = tenon("plugins", "--json", "--plugin-dir", self.folder).document()["refused"]
        self.assertGreaterEqual(len([one for one in refused if one["code"] == "TN101"]), 2)
        self.expect(0, tenon("run", config("default.yaml"), "--plugin-dir", self.folder, "--token-ids", "5",
                             "--max-tokens", 1, *tiny()))
        self.assertIn("no/such", tenon("plugins", "--why", "--plugin-dir", "no/such").out)

    def test_isa_levels_can_be_forced(self):
        levels = tenon("devices", "--json").document()["isa_levels"]
        outputs = []
        for level in levels:
            env = {"TENON_ISA": level["name"]}
            if not level["available"]:
                self.expect(1, tenon("run", config("exact.yaml"), "--token-ids", "5", *tiny(), env=env), "TENON_ISA")
                continue
            used = [one for one in tenon("devices", "--json", env=env).document()["isa_levels"] if one["used"]]
            self.assertEqual([one["name"] for one in used], [level["name"]])
            outputs.append(generate("--token-ids", "5,6,7", "--greedy", "--max-tokens", 16, *tiny(),
                                    pipeline="exact.yaml", env=env)["token_ids"])
        self.assertTrue(all(ids == outputs[0] for ids in outputs), outputs)
        self.expect(1, tenon("run", config("default.yaml"), "--token-ids", "5", *tiny(), env={"TENON_ISA": "mmx"}),
                    "TENON_ISA", "mmx", "generic")
        ended = tenon("devices", env={"TENON_ISA": "mmx"})
        self.assertEqual(ended.code, 1, ended.said)


class Output(CliTest):
    """What happens when nobody can read, or the user wants no more."""

    def test_a_full_or_closed_stdout_is_a_failure(self):
        commands = (["devices", "--json"], ["plugins"], ["explain", config("default.yaml"), *tiny()],
                    ["run", config("default.yaml"), "--token-ids", "5", "--json", *tiny()],
                    ["run", config("default.yaml"), "--prompt", "Hi", "--max-tokens", "4000", "--ignore-eos"])
        for command in commands:
            with open("/dev/full", "wb") as full:
                ended = tenon(*command, stdout=full)
                self.assertEqual(ended.code, 1, ended.said)
            reader, writer = os.pipe()
            os.close(reader)
            ended = tenon(*command, stdout=writer)
            os.close(writer)
            self.assertEqual(ended.code, 1, ended.said)
            closed = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", str(tenon_process.BINARY), *command],
                                    stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=300, check=False,
                                    env=tenon_process.environment())
            self.assertEqual(closed.returncode, 1, closed.stderr)

    def test_a_reader_that_leaves_ends_the_generation(self):
        process = start("run", config("default.yaml"), "--prompt", "Tell a story.", "--ignore-eos", "--max-tokens",
                        8000)
        self.assertTrue(process.stdout.read(1))
        process.stdout.close()
        process.stdin.close()
        err = process.stderr.read()
        self.assertEqual(process.wait(), 1, err)
        self.assertIn(b"standard output", err)
        process.stderr.close()

    def test_ctrl_c_ends_a_generation_with_130(self):
        process = start("run", config("default.yaml"), "--prompt", "Tell a story.", "--ignore-eos", "--max-tokens",
                        8000)
        self.assertTrue(process.stdout.read(1))
        interrupt(process)
        self.assertEqual(finish(process).code, 130)

    def test_ctrl_c_at_any_time_gives_130(self):
        ids = ",".join(["5"] * 8000)
        for command in (["run", config("default.yaml"), "--json", "--token-ids", ids],
                        ["bench", config("default.yaml"), "--prompt-tokens", 4000, "--json"]):
            for wait_s in (0, 0.1, 0.5, 2):
                process = start(*command)
                time.sleep(wait_s)
                interrupt(process)
                ended = finish(process)
                self.assertEqual(ended.code, 130, ended.said)
                if ended.out:
                    self.assertEqual(ended.document()["finish_reason"], "cancelled")
        for command in (["tokenize", DEFAULT], ["score", config("default.yaml"), "--text-file", "-"],
                        ["run", config("default.yaml")]):
            process = start(*command)
            interrupt(process)
            self.assertEqual(process.wait(), 130)
            finish(process)

    def test_a_cancelled_run_prints_its_document(self):
        process = start("run", config("default.yaml"), "--prompt", "Tell a story.", "--ignore-eos", "--max-tokens",
                        8000, "--json")
        time.sleep(3)
        interrupt(process)
        ended = finish(process)
        self.assertEqual(ended.code, 130, ended.said)
        if ended.out:  # nothing where it was loading still
            self.assertEqual(ended.document()["finish_reason"], "cancelled")

    def test_ctrl_c_in_a_chat_stops_the_answer_only(self):
        process = start("run", config("default.yaml"), "--chat", "--ignore-eos", "--max-tokens", 3000)
        process.stdin.write(b"Tell a story.\n")
        process.stdin.flush()
        self.assertTrue(process.stdout.read(1))
        interrupt(process)
        ended = finish(process, b"/exit\n")
        self.assertEqual(ended.code, 0, ended.said)
        self.assertLess(len(ended.out), 6000)  # of about 12000 characters

    def test_ctrl_c_between_answers_ends_the_chat(self):
        process = start("run", config("default.yaml"), "--chat", "--greedy", "--max-tokens", 2)
        process.stdin.write(b"Hi\n")
        process.stdin.flush()
        while process.stdout.read(1) != b"\n":
            pass
        time.sleep(0.2)
        interrupt(process)
        self.assertEqual(process.wait(), 130)
        finish(process)


class Pipelines(CliTest):
    def run_pipeline(self, text, *more, name="p.yaml"):
        return tenon("run", self.write(name, text), "--token-ids", "5", *more)

    def test_all_errors_of_a_file_come_at_once(self):
        ended = self.run_pipeline(f"model: {DEFAULT}\n"
                                  "device: {use: cpu, thread: 3}\n"
                                  "attention: {use: pagd}\n"
                                  "quant: {use: native, activations: f33}\n"
                                  "schedular: {use: static}\n")
        self.expect(1, ended, 'TN201', ':2:20: unknown option "thread" of cpu; did you mean "threads"?',
                    'TN203', ':3:18:', 'did you mean "paged"?', 'TN202', ':4:35:', 'f33', 'int8, f32',
                    ':5:1: unknown key "schedular"; did you mean "scheduler"?')
        lines = ended.err.splitlines()
        at = next(i for i, line in enumerate(lines) if ":3:18:" in line)
        self.assertEqual(lines[at + 2].index("^"), lines[at + 1].index("pagd"), ended.err)

    def test_what_is_no_pipeline_is_refused(self):
        for text in ("model: [\n", b"\x00\x01\xff", "", "- 1\n", "5", "extends: p.yaml\n", "extends: no.yaml\n",
                     "model: {a: b}\n", "a: &a [*a]\n", "&a a: *b\n", "model: x\nmodel: y\n", "[" * 20000,
                     "model: ${\n", "model: ${NOT_SET_ANYWHERE}\n", "decoding: 5\n", "plugins: [no.so]\nmodel: x\n",
                     "? " * 5000, "memory: {context_tokens: -1}\nmodel: x\n", b"\xef\xbb\xbfmodel: 1\n"):
            self.expect(1, self.run_pipeline(text), "p.yaml")
        self.expect(1, tenon("run", "no/such.yaml", "--prompt", "a"), "no/such.yaml", "TN207")
        self.expect(1, tenon("run", self.folder, "--prompt", "a"), "folder")
        self.expect(1, tenon("explain", "no/such.yaml"), "no/such.yaml")
        self.expect(1, tenon("bench", "no/such.yaml"), "no/such.yaml")

    def test_adapters_are_refused_rather_than_ignored(self):
        self.expect(1, self.run_pipeline(f"model: {DEFAULT}\nadapters: {{poet: some/folder}}\n"), "adapters", "poet")

    def test_set_is_checked_like_a_file(self):
        for override, words in (("attention.use=flesh", ("TN203", "flash")), ("attention", ("TN208",)),
                                ("attention.pagetokens=3", ("TN201", "page_tokens")), ("=", ("TN",)),
                                ("attention.page_tokens=1", ("TN202", "16 to 256")), ("", ("TN",)),
                                ("nope.x=1", ("TN201", "nope")), ("memory.kv_tokens=1", ("kv_tokens",)),
                                ("memory.context_tokens=100000", ("context_tokens", "512")),
                                ("scheduler.max_batch_tokens=99999999999999999999", ("TN202",)),
                                ("device.threads=0", ("threads",)), ("decoding=[{use: paged}]", ("TN",))):
            self.expect(1, tenon("run", config("default.yaml"), "--token-ids", "5", *tiny(), "--set", override),
                        *words)

    def test_attention_is_swapped_by_one_word(self):
        outputs = {}
        for attention in ("paged", "flash", "reference"):
            outputs[attention] = generate("--token-ids", "5,6,7", "--greedy", "--max-tokens", 24, *tiny(), "--set",
                                          f"attention.use={attention}", pipeline="exact.yaml")["token_ids"]
            explained = tenon("explain", config("exact.yaml"), "--json", *tiny(), "--set",
                              f"attention.use={attention}").document()
            self.assertEqual(explained["components"]["attention"]["use"], attention)
        self.assertEqual(outputs["paged"], outputs["flash"])
        self.assertEqual(outputs["paged"], outputs["reference"])
        self.assertTrue(any("page_tokens" in note for note in explained["notes"]), explained["notes"])

    def test_a_pipeline_is_found_by_its_own_folder(self):
        (self.folder / "sub").mkdir()
        self.write("base.yaml", "model: " + data("models/llama") + "\n")
        self.write("sub/over.yaml", "extends: ../base.yaml\nattention: {use: flash}\n")
        self.expect(0, tenon("run", "sub/over.yaml", "--token-ids", "5", "--max-tokens", 2, cwd=self.folder))
        pathlib.Path(self.folder, "m").symlink_to(data("models/llama"))
        self.write("near.yaml", "model: ./m\n")
        self.expect(0, tenon("run", str(self.folder / "near.yaml"), "--token-ids", "5", "--max-tokens", 2))

    def test_the_environment_fills_in(self):
        path = self.write("env.yaml", "model: ${TINY}\nattention: {use: \"${ATTENTION:-flash}\"}\n")
        env = {"TINY": data("models/llama")}
        for extra, wanted in (({}, "flash"), ({"ATTENTION": "reference"}, "reference")):
            document = tenon("explain", path, "--json", env={**env, **extra}).document()
            self.assertEqual(document["components"]["attention"]["use"], wanted)


class Models(CliTest):
    def refuse(self, model, *words):
        self.expect(1, tenon("run", config("default.yaml"), "--token-ids", "5", "--set", f"model={model}"), *words)
        self.expect(1, tenon("tokenize", model), *words)

    def test_a_model_that_does_not_exist(self):
        self.refuse("nope", "nope", DEFAULT)
        self.refuse("no/such.gguf", "no/such.gguf")
        self.refuse(self.folder, "config.json")
        self.refuse("./", "config.json")
        ended = tenon("run", config("default.yaml"), "--prompt", "a", env={"TENON_HOME": str(self.folder)})
        self.expect(1, ended, f"tenon pull {DEFAULT}")

    def test_a_broken_gguf(self):
        whole = pathlib.Path(data("models/fuzz/gguf/tiny_llama.gguf")).read_bytes()
        for name, content in (("empty", b""), ("magic", b"GGUF"), ("text", b"hello"), ("zeros", bytes(4096)),
                              ("counts", whole[:8] + b"\xff" * 16 + whole[24:]), ("version", b"GGUF\x63" + whole[5:])):
            self.refuse(self.write(name + ".gguf", content), name + ".gguf")
        for cut in range(30, len(whole) - 1, len(whole) // 12):
            self.refuse(self.write("cut.gguf", whole[:cut]), "cut.gguf")
        for at in range(24, min(len(whole), 2000), 83):
            path = self.write("flip.gguf", whole[:at] + bytes([whole[at] ^ 0xff]) + whole[at + 1:])
            tenon("run", config("default.yaml"), "--token-ids", "1", "--max-tokens", 1, "--set", f"model={path}")

    def test_a_broken_folder(self):
        source = pathlib.Path(data("models/llama"))
        good = json.loads((source / "config.json").read_text())
        weights = (source / "model.safetensors").read_bytes()

        def folder(config_text, tensors):
            self.write("config.json", config_text)
            self.write("model.safetensors", tensors)
            return str(self.folder)

        text = json.dumps(good)
        for config_text in ("", "{", "[]", "5", "[" * 50000, json.dumps({**good, "model_type": "nope"}),
                            json.dumps({**good, "hidden_size": -1}), json.dumps({**good, "num_hidden_layers": 10**9}),
                            json.dumps({**good, "num_attention_heads": 0}), json.dumps({**good, "vocab_size": 2**40}),
                            json.dumps({**good, "hidden_size": "64"}), json.dumps({**good, "hidden_act": "nope"})):
            self.expect(1, tenon("run", config("default.yaml"), "--token-ids", "5", "--set",
                                 "model=" + folder(config_text, weights)), str(self.folder))
        for tensors in (b"", b"\xff" * 8, weights[:4000], weights[:-1], b"\x02\0\0\0\0\0\0\0{}"):
            self.expect(1, tenon("run", config("default.yaml"), "--token-ids", "5", "--set",
                                 "model=" + folder(text, tensors)), str(self.folder))
        self.expect(0, tenon("run", config("default.yaml"), "--token-ids", "5", "--max-tokens", 1, "--set",
                             "model=" + folder(text, weights)))

    def test_a_model_without_text_takes_ids(self):
        self.expect(1, tenon("run", config("default.yaml"), "--prompt", "a", *tiny()), "--token-ids")
        self.expect(1, tenon("run", config("default.yaml"), "--chat", *tiny()), "chat template")
        for name in ("llama", "gemma3_text"):
            document = generate("--token-ids", "5,6", "--max-tokens", 3, *tiny(name))
            self.assertEqual(len(document["token_ids"]), 3)


class Generation(CliTest):
    def golden(self, name):
        return json.loads(pathlib.Path(data(f"golden/{name}.json")).read_text())["cases"]

    def test_the_document_has_the_promised_keys(self):
        document = generate("--prompt", "Hi", "--max-tokens", 5, "--greedy", "--logprobs", 3)
        self.assertEqual(document.keys(),
                         {"prompt_ids", "token_ids", "text", "finish_reason", "logprobs", "timing"})
        self.assertLessEqual({"load_ms", "prefill_ms", "prefill_tokens", "decode_ms", "decode_tokens"},
                             document["timing"].keys())
        self.assertEqual(document["timing"]["prefill_tokens"], len(document["prompt_ids"]))
        self.assertEqual([one["id"] for one in document["logprobs"]], document["token_ids"])
        for one in document["logprobs"]:
            self.assertEqual(len(one["top"]), 3)
            self.assertEqual(one["top"][0]["id"], one["id"])
            self.assertAlmostEqual(one["top"][0]["logprob"], one["logprob"], 5)
            self.assertLessEqual(one["logprob"], 0)
        self.assertEqual(generate("--prompt", "Hi", "--max-tokens", 2)["logprobs"], [])

    def test_the_prompt_becomes_what_the_model_asks_for(self):
        chat = next(case for case in self.golden("smollm2-135m-instruct-q4_1")
                    if len(case.get("messages", [])) == 1)
        document = generate("--prompt", chat["messages"][0]["content"], "--max-tokens", 1)
        self.assertEqual(document["prompt_ids"], chat["ids"])
        plain = self.golden("smollm2-135m-instruct-q4_1")[0]
        self.assertEqual(generate("--raw", "--prompt", plain["prompt"], "--max-tokens", 1)["prompt_ids"],
                         plain["ids"])
        self.assertEqual(generate("--token-ids", "7,7,0", "--max-tokens", 1)["prompt_ids"], [7, 7, 0])
        gemma = self.golden("gemma-3-270m-q4_k_m")[0]
        for raw in ([], ["--raw"]):  # no template; BOS is added either way
            self.assertEqual(generate(*raw, "--prompt", gemma["prompt"], "--max-tokens", 1,
                                      pipeline="gemma.yaml")["prompt_ids"], gemma["ids"])
        self.assertEqual(generate("--token-ids", "818,5279", "--max-tokens", 1, pipeline="gemma.yaml")["prompt_ids"],
                         [818, 5279])

    def test_the_prompt_comes_from_where_the_user_says(self):
        wanted = generate("--prompt", "Grüße, 世界 🙂", "--max-tokens", 2)["prompt_ids"]
        path = self.write("prompt", "Grüße, 世界 🙂")
        self.assertEqual(generate("--prompt-file", path, "--max-tokens", 2)["prompt_ids"], wanted)
        text = "Grüße, 世界 🙂".encode()
        self.assertEqual(generate("--prompt-file", "-", "--max-tokens", 2, stdin=text)["prompt_ids"], wanted)
        self.assertEqual(generate("--max-tokens", 2, stdin=text)["prompt_ids"], wanted)

    def test_the_stream_is_the_text_of_the_document(self):
        prompt = ["--prompt", "Say hello in French, Japanese and with an emoji.", "--greedy", "--max-tokens", 40]
        self.assertEqual(tenon("run", config("default.yaml"), *prompt).out, generate(*prompt)["text"] + "\n")

    def test_greedy_follows_the_reference(self):
        case = self.golden("smollm2-135m-instruct-q4_1")[0]
        document = generate("--raw", "--prompt", case["prompt"], "--greedy", "--ignore-eos", "--max-tokens",
                            len(case["greedy"]), pipeline="exact.yaml")
        steps = next((i for i, gap in enumerate(case["gap"]) if gap < 0.01), len(case["gap"]))
        self.assertGreater(steps, 5)
        self.assertEqual(document["token_ids"][:steps], case["greedy"][:steps])

    def test_a_seed_gives_the_same_text_again(self):
        prompt = ["--prompt", "Invent a name.", "--temperature", "1.5", "--max-tokens", 24]
        texts = [generate(*prompt, "--seed", seed)["text"] for seed in (7, 7, 8, 9)]
        self.assertEqual(texts[0], texts[1])
        self.assertGreater(len(set(texts)), 1)
        greedy = {generate(*prompt, "--greedy", "--seed", seed)["text"] for seed in (1, 2)}
        self.assertEqual(len(greedy), 1)
        generate(*prompt, "--seed", 2**64 - 1)

    def test_stop_strings_end_the_text_before_them(self):
        prompt = ["--prompt", "Count from one to ten in words.", "--greedy", "--max-tokens", 60]
        whole = generate(*prompt)["text"]
        stop = whole[len(whole) // 2:len(whole) // 2 + 6]
        document = generate(*prompt, "--stop", "never in this text", "--stop", stop)
        self.assertEqual(document["text"], whole[:whole.index(stop)])
        self.assertEqual(document["finish_reason"], "stop")
        self.assertEqual(tenon("run", config("default.yaml"), *prompt, "--stop", stop).out, document["text"] + "\n")
        self.expect(1, tenon("run", config("default.yaml"), *prompt, "--stop", ""), "stop")

    def test_max_tokens_and_the_models_own_end(self):
        nothing = generate("--prompt", "Hi", "--max-tokens", 0)
        self.assertEqual((nothing["token_ids"], nothing["text"], nothing["finish_reason"]), ([], "", "length"))
        self.assertGreater(nothing["timing"]["prefill_ms"], 0)
        short = generate("--prompt", "Hi", "--max-tokens", 3, "--greedy")
        self.assertEqual((len(short["token_ids"]), short["finish_reason"]), (3, "length"))
        ends = generate("--prompt", "What is 1+1? Answer with one number.", "--greedy", "--max-tokens", 200)
        self.assertEqual(ends["finish_reason"], "stop")
        self.assertLess(len(ends["token_ids"]), 200)
        on = generate("--prompt", "What is 1+1? Answer with one number.", "--greedy", "--ignore-eos", "--max-tokens",
                      len(ends["token_ids"]) + 5)
        self.assertEqual(len(on["token_ids"]), len(ends["token_ids"]) + 5)

    def test_a_context_is_filled_to_its_last_token(self):
        ids = ",".join(["5"] * 500)
        self.assertEqual(len(generate("--token-ids", ids, "--ignore-eos", *tiny())["token_ids"]), 12)
        self.expect(1, tenon("run", config("default.yaml"), "--token-ids", ids, "--max-tokens", 13, *tiny()),
                    "500", "13", "512")

    def test_prompts_that_cannot_run_are_refused(self):
        for ids, word in (("1,99999999", "99999999"), ("1,-1", "-1"), ("", "--token-ids"), ("1,,2", "--token-ids"),
                          ("1,", "comma"), ("a", "--token-ids"), ("1 2", "--token-ids"), ("1.5", "--token-ids"),
                          ("99999999999999", "--token-ids"), (",".join(["5"] * 9000), "512")):
            self.expect(1, tenon("run", config("default.yaml"), "--token-ids", ids, *tiny()), word)
        self.expect(1, tenon("run", config("default.yaml"), "--raw", "--prompt", ""), "no tokens")
        self.expect(1, tenon("run", config("default.yaml"), "--prompt", "word " * 20000), "8192")
        self.expect(1, tenon("run", config("default.yaml"), "--prompt-file", "no/such"), "no/such")
        self.expect(1, tenon("run", config("default.yaml"), "--prompt-file", self.folder), str(self.folder))
        self.expect(1, tenon("run", config("default.yaml"), "--prompt-file",
                             self.write("large", b"a" * (17 << 20))), "16 MiB")

    def test_any_bytes_are_a_prompt(self):
        for content in (b"\xff\xfe\xed\xa0\x80", bytes(range(256)), b"\0", b"<|im_end|>" * 50, "\u202e\u0000".encode(),
                        b"\n" * 300):
            document = generate("--prompt-file", self.write("prompt", content), "--max-tokens", 2)
            self.assertGreater(len(document["prompt_ids"]), 0)

    def test_a_chat_keeps_its_history(self):
        ended = tenon("run", config("default.yaml"), "--chat", "--greedy", "--max-tokens", 12,
                      stdin=b"Remember the word mango.\n\nWhich word?\n/exit\nnever read\n")
        self.assertEqual(ended.code, 0, ended.said)
        self.assertEqual(ended.err, "")
        self.assertGreaterEqual(ended.out.count("\n"), 2)
        self.assertEqual(tenon("run", config("default.yaml"), "--chat").code, 0)


class Tokenize(CliTest):
    def test_lines_go_both_ways(self):
        texts = ["hello world", "", "Grüße\n世界 🙂", "<|im_start|>", "\u0000", "a" * 5000]
        lines = "\n".join(json.dumps(text) for text in texts) + "\n"
        ended = tenon("tokenize", DEFAULT, stdin=lines.encode())
        self.expect(0, ended)
        ids = [json.loads(line) for line in ended.out.splitlines()]
        self.assertEqual(len(ids), len(texts))
        self.assertEqual(ids[0], [28120, 905])
        back = tenon("tokenize", DEFAULT, "--decode", stdin=ended.out.encode())
        self.assertEqual([json.loads(line) for line in back.out.splitlines()], texts)
        special = tenon("tokenize", DEFAULT, "--special", stdin=b'"<|im_start|>"\n').document()
        self.assertEqual(special, [1])
        self.assertGreater(len(ids[3]), 1)
        self.assertEqual(tenon("tokenize", DEFAULT, stdin=b'"no newline"').code, 0)
        self.assertEqual(tenon("tokenize", DEFAULT).out, "")

    def test_the_references_agree(self):
        for model, name in ((DEFAULT, "smollm2"), ("gemma-3-270m", "gemma3")):
            cases = json.loads(pathlib.Path(data(f"text/tokens-{name}.json")).read_text())["cases"]
            lines = "\n".join(json.dumps(case["text"]) for case in cases)
            ids = [json.loads(line) for line in
                   tenon("tokenize", model, "--special", stdin=lines.encode()).out.splitlines()]
            self.assertEqual(ids, [case["ids"] for case in cases])
            lines = "\n".join(json.dumps(case["ids"]) for case in cases)
            texts = [json.loads(line) for line in
                     tenon("tokenize", model, "--decode", stdin=lines.encode()).out.splitlines()]
            self.assertEqual(texts, [case["decoded"] for case in cases])

    def test_bad_lines_are_named(self):
        good = b'"fine"\n'
        for line in (b"hello", b"5", b"[1]", b'"open', b'"\\ud800"', b"[" * 200000, b'"\xff"', b'"a" "b"', b"{}"):
            ended = tenon("tokenize", DEFAULT, stdin=good + line + b"\n" + good)
            self.assertEqual(ended.code, 1, ended.said)
            self.assertIn("stdin:2: ", ended.err)
            self.assertEqual(ended.out.count("\n"), 1, ended.said)
        for line in (b'"a"', b"5", b"[1.5]", b'["1"]', b"[-1]", b"[49152]", b"[18446744073709551615]", b"[1e400]",
                     b"[[1]]", b"[null]", b"[" * 200000):
            ended = tenon("tokenize", DEFAULT, "--decode", stdin=b"[1]\n" + line + b"\n")
            self.assertEqual(ended.code, 1, ended.said)
            self.assertIn("stdin:2: ", ended.err)
        self.assertIn("18446744073709551615",
                      tenon("tokenize", DEFAULT, "--decode", stdin=b"[18446744073709551615]").err)

    def test_a_huge_line_is_only_long(self):
        for text in ("a" * 3000000, "hello wörld " * 200000, "\n" * 1000000):
            ended = tenon("tokenize", DEFAULT, stdin=json.dumps(text).encode() + b"\n")
            self.expect(0, ended)
            back = tenon("tokenize", DEFAULT, "--decode", stdin=ended.out.encode())
            self.assertEqual(back.document(), text)


class Batch(CliTest):
    """Files of requests. Needs all-minilm-l6-v2 too."""

    def lines(self, count, url, body):
        return "".join(json.dumps({"custom_id": f"r{i}", "method": "POST", "url": url, "body": body(i)}) + "\n"
                       for i in range(count))

    def answers(self, path):
        return {answer["custom_id"]: answer for answer in map(json.loads, pathlib.Path(path).read_text().splitlines())}

    def chat(self, i):
        return {"model": DEFAULT, "messages": [{"role": "user", "content": f"Count to {i}."}], "max_tokens": 16,
                "temperature": 0}

    def test_answers_are_those_of_run_and_bad_lines_do_not_stop_the_rest(self):
        path = self.write("in.jsonl", self.lines(3, "/v1/chat/completions", self.chat) + "not json\n")
        out = self.folder / "out.jsonl"
        ended = tenon("batch", config("default.yaml"), path, out, "--json")
        self.expect(0, ended, "3 answered, 1 failed")
        self.assertEqual(ended.document()["succeeded"], 3)
        answers = self.answers(out)
        self.assertEqual(answers[None]["error"]["code"], "invalid_line")
        run = tenon("run", config("default.yaml"), "--prompt", "Count to 2.", "--max-tokens", "16", "--greedy", "--json")
        body = answers["r2"]["response"]["body"]
        self.assertEqual(body["choices"][0]["message"]["content"], run.document()["text"])
        self.assertEqual(body["usage"]["prompt_tokens"], len(run.document()["prompt_ids"]))

    def test_goes_on_after_ctrl_c(self):
        path = self.write("in.jsonl", self.lines(200, "/v1/chat/completions", self.chat))
        out = self.folder / "out.jsonl"
        process = start("batch", config("default.yaml"), path, out)
        while not out.exists() or out.read_bytes().count(b"\n") < 5:
            time.sleep(0.01)
        interrupt(process)
        ended = finish(process)
        self.assertEqual(ended.code, 130, ended.said)
        before = out.read_text()
        self.assertTrue(before.endswith("\n"))
        self.assertLess(before.count("\n"), 200)
        with open(out, "a") as file:
            file.write('{"id":"batch_req_9","cust')
        ended = tenon("batch", config("default.yaml"), path, out, "--json")
        self.expect(0, ended)
        self.assertEqual(ended.document()["skipped"], before.count("\n"))
        self.assertTrue(out.read_text().startswith(before))
        self.assertEqual(len(self.answers(out)), 200)
        self.assertEqual(out.read_text().count("\n"), 200)

    def test_embeds(self):
        path = self.write("in.jsonl", self.lines(2, "/v1/embeddings", lambda i: {"input": [f"text {i}", "other"]}))
        out = self.folder / "out.jsonl"
        self.expect(0, tenon("batch", config("embed.yaml"), path, out))
        vectors = [entry["embedding"] for entry in self.answers(out)["r1"]["response"]["body"]["data"]]
        ended = tenon("embed", config("embed.yaml"), stdin=b'"text 1"\n"other"\n')
        for got, line in zip(vectors, ended.out.splitlines()):
            self.assertLess(max(abs(a - b) for a, b in zip(got, json.loads(line))), 1e-5)

    def test_files_that_cannot_be_are_told(self):
        path = self.write("in.jsonl", self.lines(1, "/v1/completions", lambda i: {"prompt": "a", "max_tokens": 1}))
        self.expect(1, tenon("batch", config("default.yaml"), self.folder / "none", self.folder / "out"), "none")
        self.expect(1, tenon("batch", config("default.yaml"), path, self.folder), "cannot be written")
        foreign = self.write("notes", "mine\n")
        self.expect(1, tenon("batch", config("default.yaml"), path, foreign), "not an answer")
        self.assertEqual(pathlib.Path(foreign).read_text(), "mine\n")


class Embed(CliTest):
    """Sentence embeddings. Needs all-minilm-l6-v2."""

    PIPELINE = "embed.yaml"

    def embed(self, lines, *arguments, pipeline=PIPELINE):
        stdin = "".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
        return tenon("embed", config(pipeline), *arguments, stdin=stdin.encode())

    def vectors(self, texts, *arguments, pipeline=PIPELINE):
        ended = self.embed([json.dumps(text) + "\n" for text in texts], *arguments, pipeline=pipeline)
        self.expect(0, ended)
        lines = ended.out.splitlines()
        self.assertEqual(len(lines), len(texts), ended.said)
        return [json.loads(line) for line in lines]

    def cases(self):
        return json.loads(pathlib.Path(data("golden/embeddings-minilm.json")).read_text())["cases"]

    def close(self, got, want):
        self.assertEqual(len(got), len(want))
        self.assertLess(max(abs(a - b) for a, b in zip(got, want)), 1e-3)

    def test_texts_and_ids_give_the_references_vectors(self):
        cases = self.cases()
        for key in ("text", "ids"):
            for case, vector in zip(cases, self.vectors([case[key] for case in cases])):
                self.close(vector, case["embedding"])

    def test_the_order_stays_and_no_text_depends_on_another(self):
        ids = [[101] + [1000 + 7 * i + j for j in range(1 + i * 37 % 90)] + [102] for i in range(60)]
        together = self.vectors(ids)
        for i in (0, 13, 59):
            self.assertEqual(self.vectors([ids[i]]), [together[i]])

    def test_pooling_and_length_are_choices(self):
        case = self.cases()[0]
        mean, cls, last, most = (self.vectors([case["ids"]], "--pooling", mode)[0]
                                 for mode in ("mean", "cls", "last", "max"))
        self.close(mean, case["embedding"])
        for other in (cls, last, most):
            self.assertNotEqual(other, mean)
            self.assertAlmostEqual(sum(v * v for v in other), 1, places=4)
        plain = self.vectors([case["ids"]], "--no-normalize")[0]
        length = sum(v * v for v in plain) ** 0.5
        self.assertGreater(abs(length - 1), 0.01)
        self.close([v / length for v in plain], mean)

    def test_json_is_one_document(self):
        cases = self.cases()
        ended = self.embed([json.dumps(case["ids"]) + "\n" for case in cases], "--json")
        self.expect(0, ended)
        document = ended.document()
        self.assertEqual({key: document[key] for key in ("dimensions", "pooling", "normalized", "max_tokens")},
                         {"dimensions": 384, "pooling": "mean", "normalized": True, "max_tokens": 256})
        self.assertEqual(len(document["embeddings"]), len(cases))
        self.close(document["embeddings"][1], cases[1]["embedding"])
        empty = self.embed([], "--json")
        self.assertEqual(empty.document()["embeddings"], [], empty.said)

    def test_bad_lines_are_named_after_what_was_done(self):
        for line in ("hello", "5", '"open', "{}", "[]", "[-1]", "[30522]", "[1.5]", '["1"]', "[" * 100000,
                     json.dumps([5] * 2000)):
            ended = self.embed(["[101, 102]\n", "\n", line + "\n", "[101, 102]\n"])
            self.assertEqual(ended.code, 1, ended.said)
            self.assertIn("stdin:3: ", ended.err)
            self.assertEqual(ended.out.count("\n"), 1, ended.said)

    def test_long_texts_are_cut_and_it_says_so(self):
        text = "word " * 1000
        ended = self.embed([json.dumps(text) + "\n", json.dumps("word") + "\n"])
        self.assertEqual(ended.code, 0, ended.said)
        self.assertIn("1 of 2 texts were cut at 256 tokens", ended.err)
        short = self.vectors(["word " * 254])
        self.close(json.loads(ended.out.splitlines()[0]), short[0])
        self.expect(1, self.embed([], "--max-tokens", "513"), "--max-tokens is 513; 1 to 512 allowed")

    def test_who_waits_for_an_answer_gets_it(self):
        process = start("embed", config(self.PIPELINE))
        for _ in range(3):
            process.stdin.write(b"[101, 4937, 102]\n")
            process.stdin.flush()
            self.assertEqual(len(json.loads(process.stdout.readline())), 384)
        interrupt(process)
        self.assertEqual(finish(process).code, 130)

    def test_nobody_to_read_is_a_failure(self):
        with open("/dev/full", "wb") as full:
            ended = tenon("embed", config(self.PIPELINE), stdin=b"[101, 102]\n", stdout=full)
            self.assertEqual(ended.code, 1, ended.said)

    def test_a_decoder_gives_its_last_token(self):
        ids = [[1, 7, 3, 9, 2], [5]]
        vectors = self.vectors(ids, *tiny(), pipeline="default.yaml")
        self.assertEqual(self.vectors(ids, "--pooling", "last", *tiny(), pipeline="default.yaml"), vectors)
        self.assertNotEqual(self.vectors(ids, "--pooling", "mean", *tiny(), pipeline="default.yaml"), vectors)
        self.expect(1, self.embed(['"text"\n'], *tiny(), pipeline="default.yaml"), "stdin:1: ", "tokenizer")

    def test_an_encoder_is_explained_and_does_not_run(self):
        document = tenon("explain", config(self.PIPELINE), "--json").document()
        self.assertEqual(document["memory"]["kv_bytes"], 0)
        self.assertIn("bidirectional_attention", {op["kind"] for op in document["ops"]})
        self.expect(1, tenon("run", config(self.PIPELINE), "--token-ids", "101,102"), "is an encoder", "tenon embed")


class Configs(CliTest):
    def test_every_pipeline_runs(self):
        devices = tenon("devices", "--json").document()["devices"]
        usable = {device["component"] for device in devices if "problem" not in device}
        names = sorted(path.name for path in (tenon_process.SOURCE / "configs").glob("*.yaml"))
        self.assertIn("default.yaml", names)
        for name in names:
            with self.subTest(name):
                arguments = ["run", config(name), "--prompt", "The sea", "--max-tokens", 4, "--ignore-eos", "--json"]
                ended = tenon(*arguments)
                if name == "embed.yaml":  # an encoder: see Embed
                    self.expect(1, ended, "encoder", "tenon embed")
                    continue
                if name.startswith("cuda") and "cuda" not in usable:
                    self.expect(1, ended, "cuda")
                    self.assertRegex(ended.err, "TN105|TN203")
                    continue
                self.expect(0, ended)
                self.assertEqual(ended.err, "")
                self.assertEqual(len(ended.document()["token_ids"]), 4)


if __name__ == "__main__":
    tenon_process.BINARY = pathlib.Path(sys.argv[1]).resolve()
    tenon_process.SOURCE = pathlib.Path(sys.argv[2]).resolve()
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
