# SPDX-License-Identifier: Apache-2.0
"""`tenon bench-serve` against a server whose delays and faults are known: bench_serve_test.py BINARY [CASE...]"""
import html.parser
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import unittest

from stub_server import StubServer, plain, refuse

TENON = "tenon"


def environment(extra):
    return {**{key: value for key, value in os.environ.items() if key != "OPENAI_API_KEY"}, **extra}


def run(stub, *arguments, expected=0, **extra):
    done = subprocess.run([TENON, "bench-serve", stub.url, *map(str, arguments)], capture_output=True, text=True, timeout=120, env=environment(extra))
    if expected is not None and done.returncode != expected:
        raise AssertionError(f"bench-serve {' '.join(map(str, arguments))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


def measure(stub, *arguments, expected=0, **extra):
    return json.loads(run(stub, *arguments, "--json", expected=expected, **extra).stdout)


class BenchServe(unittest.TestCase):
    def test_counts_are_exact_and_times_are_the_servers(self):
        with StubServer(plain(first_s=0.2, each_s=0.02, together=10)) as stub:
            result = measure(stub, "--num-prompts", 10, "--input-len", 32, "--output-len", 11, "--save-detailed")
        self.assertEqual((result["completed"], result["failed"], result["errors"]), (10, 0, {}))
        self.assertEqual((result["total_input_tokens"], result["total_output_tokens"], result["total_cached_tokens"]), (320, 110, 10))
        self.assertEqual(result["max_concurrent_requests"], 10)
        # A busy machine makes waits longer, never shorter.
        for name, true in (("ttft", 200), ("tpot", 20), ("e2el", 400)):
            self.assertGreater(result[f"median_{name}_ms"], 0.95 * true, name)
        for name in ("ttft", "tpot", "itl", "e2el"):
            self.assertLessEqual(result[f"p50_{name}_ms"], result[f"p99_{name}_ms"])
        # How they hang together is the same at any speed.
        for first, gaps, latency in zip(result["ttfts"], result["itls"], result["latencies"]):
            self.assertEqual(len(gaps), 10)
            self.assertLessEqual(first + sum(gaps), latency + 1e-6)
            self.assertLessEqual(latency, result["duration"])
        middle = lambda values: statistics.median(1000 * value for value in values)
        self.assertAlmostEqual(result["median_ttft_ms"], middle(result["ttfts"]))
        self.assertAlmostEqual(result["median_e2el_ms"], middle(result["latencies"]))
        self.assertAlmostEqual(result["median_tpot_ms"], middle([(whole - first) / 10 for whole, first in zip(result["latencies"], result["ttfts"])]))
        self.assertAlmostEqual(result["median_itl_ms"], middle([gap for gaps in result["itls"] for gap in gaps]))
        self.assertAlmostEqual(result["request_throughput"], 10 / result["duration"])
        self.assertAlmostEqual(result["output_throughput"], 110 / result["duration"])
        self.assertAlmostEqual(result["total_token_throughput"], 430 / result["duration"])

    def test_requests_are_what_was_asked_for(self):
        with StubServer() as stub:
            measure(stub, "--num-prompts", 2, "--input-len", 5, "--output-len", 3, "--ignore-eos", "--temperature", 0, "--extra-body", '{"top_k": 4}')
            measure(stub, "--num-prompts", 1, "--input-len", 5, "--backend", "openai-chat", "--model", "named")
        (path, body), _, (chat_path, chat) = stub.bodies
        self.assertEqual(path, "/v1/completions")
        self.assertEqual(len(body["prompt"]), 5)
        self.assertLessEqual(set(body["prompt"]), {3, 5, 8, 13, 21})
        self.assertEqual((body["model"], body["max_tokens"], body["ignore_eos"], body["temperature"], body["top_k"], body["stream"]),
                         ("stub", 3, True, 0, 4, True))
        self.assertEqual((chat_path, chat["model"], chat["max_completion_tokens"]), ("/v1/chat/completions", "named", 128))
        self.assertEqual(len(chat["messages"][0]["content"].split()), 5)

    def test_a_role_is_no_token(self):
        with StubServer(plain(first_s=0.3)) as stub:
            result = measure(stub, "--num-prompts", 2, "--input-len", 4, "--output-len", 2, "--backend", "openai-chat")
        self.assertGreater(result["mean_ttft_ms"], 280)
        self.assertEqual(result["total_output_tokens"], 4)

    def test_closed_loop_holds_back_and_says_for_how_long(self):
        with StubServer(plain(first_s=0.1, together=3)) as stub:
            result = measure(stub, "--num-prompts", 12, "--max-concurrency", 3, "--input-len", 4, "--output-len", 2)
            self.assertEqual(stub.peak, 3)
            self.assertLessEqual(stub.connections, 3 + 2)  # used again; two for the model and its tokens
        self.assertEqual((result["completed"], result["max_concurrent_requests"]), (12, 3))
        self.assertGreater(result["mean_wait_ms"], 100)
        self.assertGreaterEqual(result["duration"], 0.4)

    def test_open_loop_sends_on_time_however_slow_answers_are(self):
        with StubServer(plain(first_s=1.5)) as stub:
            result = measure(stub, "--num-prompts", 40, "--request-rate", 40, "--burstiness", "inf", "--input-len", 4, "--output-len", 1, "--save-detailed")
        starts = result["start_times"]
        for i, start in enumerate(starts):
            self.assertGreaterEqual(start, i / 40 - 1e-3)
        self.assertGreater(result["max_concurrent_requests"], 20)
        self.assertEqual(result["completed"], 40)

    def test_errors_are_counted_by_kind(self):
        script = [plain(), refuse(429, "queue full"), plain(end="cut"), plain(end="error"), plain(tokens=0), refuse(500, "broken"), plain(end="silent")]
        with StubServer(*script) as stub:
            result = measure(stub, "--num-prompts", 14, "--max-concurrency", 1, "--input-len", 4, "--output-len", 2, "--request-timeout", 5)
        self.assertEqual({kind: error["count"] for kind, error in result["errors"].items()},
                         {"HTTP 429": 2, "cut off": 2, "stream error": 2, "no output": 2, "HTTP 500": 2, "timeout": 2})
        self.assertEqual((result["completed"], result["failed"]), (2, 12))
        self.assertEqual(result["errors"]["HTTP 429"]["example"], "queue full")
        self.assertEqual(result["errors"]["stream error"]["example"], "engine lost")
        self.assertEqual(result["total_output_tokens"], 4)

    def test_goodput_counts_requests_within_the_limits(self):
        with StubServer(plain(), plain(first_s=6)) as stub:
            result = measure(stub, "--num-prompts", 6, "--input-len", 4, "--output-len", 2, "--goodput", "ttft:5500", "e2el:100000")
        self.assertAlmostEqual(result["request_goodput"] * result["duration"], 3)

    def test_shared_prefixes_and_custom_files(self):
        with tempfile.TemporaryDirectory() as folder, StubServer() as stub:
            measure(stub, "--dataset-name", "prefix_repetition", "--num-prompts", 8, "--prefix-repetition-prefix-len", 40,
                    "--prefix-repetition-suffix-len", 10, "--prefix-repetition-num-prefixes", 2, "--output-len", 1)
            self.assertEqual(len({tuple(body["prompt"][:40]) for _, body in stub.bodies}), 2)
            self.assertEqual({len(body["prompt"]) for _, body in stub.bodies}, {50})
            path = pathlib.Path(folder) / "prompts.jsonl"
            path.write_text('{"prompt": "tell me", "output_tokens": 7}\n')
            result = measure(stub, "--dataset-name", "custom", "--dataset-path", path, "--num-prompts", 3)
        self.assertEqual(result["total_output_tokens"], 21)
        self.assertEqual(stub.bodies[-1][1]["prompt"], "tell me")

    def test_keys_are_sent_and_never_shown(self):
        key = "sk-canary-71"
        with StubServer(key=key) as stub:
            arguments = ("--num-prompts", 2, "--input-len", 4, "--output-len", 2)
            for done in (run(stub, *arguments, OPENAI_API_KEY=key), run(stub, *arguments, "--api-key", key), run(stub, *arguments, expected=1)):
                self.assertNotIn(key, done.stdout + done.stderr)
        self.assertEqual(len(stub.bodies), 4)
        self.assertIn("401", done.stderr)

    def test_closed_connections_are_opened_anew(self):
        with StubServer(plain(close=True)) as stub:
            result = measure(stub, "--num-prompts", 10, "--max-concurrency", 2, "--input-len", 4, "--output-len", 2)
        self.assertEqual((result["completed"], result["failed"]), (10, 0))

    def test_ctrl_c_reports_what_there_is(self):
        with StubServer(plain(), plain(end="silent")) as stub:
            process = subprocess.Popen([TENON, "bench-serve", stub.url, "--num-prompts", "100", "--max-concurrency", "2", "--input-len", "4",
                                        "--output-len", "2", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment({}))
            # The second and the fourth are silent: the first and the third are over.
            deadline = time.monotonic() + 60
            while len(stub.bodies) < 4 and time.monotonic() < deadline:
                time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, err)
        result = json.loads(out)
        self.assertGreaterEqual(result["completed"], 1)
        self.assertEqual(result["interrupted"], 2)
        self.assertEqual(result["failed"], 0)
        self.assertEqual(result["completed"] + result["interrupted"] + result["unsent"], 100)

    def test_a_page_that_stands_alone(self):
        with tempfile.TemporaryDirectory() as folder, StubServer(plain(first_s=0.02, each_s=0.005), refuse(503)) as stub:
            page = pathlib.Path(folder) / "page.html"
            run(stub, "--num-prompts", 20, "--input-len", 4, "--output-len", 8, "--html", page)
            text = page.read_text()
        opened = []

        class Balance(html.parser.HTMLParser):
            def handle_starttag(self, tag, attributes):
                if tag != "meta":
                    opened.append(tag)

            def handle_startendtag(self, tag, attributes):
                pass

            def handle_endtag(self, tag):
                assert opened and opened[-1] == tag, (opened[-3:], tag)
                opened.pop()

        Balance().feed(text)
        self.assertEqual(opened, [])
        for word in ("<script", "src=", "http-equiv=\"refresh"):
            self.assertNotIn(word, text)
        self.assertGreaterEqual(text.count("<svg"), 6)
        self.assertIn("HTTP 503", text)

    def test_wrong_usage_is_told(self):
        with StubServer() as stub:
            for arguments, code, word in ((("--goodput", "x:1"), 1, "ttft"), (("--request-rate", "0"), 2, "--request-rate"),
                                          (("--dataset-name", "custom"), 2, "--dataset-path"), (("--metric-percentiles", "101"), 1, "100"),
                                          (("--extra-body", "[]"), 1, "--extra-body"), (("--num-prompts", "-1"), 2, "--num-prompts")):
                done = run(stub, *arguments, expected=code)
                self.assertIn(word, done.stdout + done.stderr)
        done = subprocess.run([TENON, "bench-serve", stub.url, "--num-prompts", "1"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 1)  # nobody listens any more
        self.assertTrue(done.stderr.strip())

    def test_help_states_the_formulas(self):
        done = subprocess.run([TENON, "bench-serve", "--help"], capture_output=True, text=True, timeout=60)
        for word in ("(E2EL - TTFT) / (output tokens - 1)", "goodput", "--request-rate", "--max-concurrency"):
            self.assertIn(word, done.stdout)


if __name__ == "__main__":
    TENON = sys.argv[1]
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]], verbosity=2)
