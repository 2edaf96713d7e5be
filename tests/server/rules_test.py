# SPDX-License-Identifier: Apache-2.0
"""Rules of a pipeline, as a client of the server meets them. rules_test.py BINARY SOURCE_FOLDER"""
import json
import pathlib
import sys
import tempfile
import unittest

import tiny_model
from tenon_server import TenonServer, ask

PROMPT, TOKENS = "the rain", 24


def chat(**fields):
    return {"messages": [{"role": "user", "content": PROMPT}], "max_tokens": TOKENS, "temperature": 0, "ignore_eos": True, **fields}


def text_of(server, **fields):
    reply = json.loads(ask(server.url + "/v1/chat/completions", chat(**fields)).text)
    return reply["choices"][0]["message"]["content"], reply["choices"][0]["finish_reason"]


def streamed(server):
    deltas = []
    for line in ask(server.url + "/v1/chat/completions", chat(stream=True)).text.splitlines():
        if line.startswith("data: {"):
            deltas.append(json.loads(line[6:])["choices"][0]["delta"].get("content", ""))
    return "".join(deltas)


class Rules(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def serve(self, *decoding):
        return TenonServer(BINARY, tiny_model.pipeline(SOURCE, self.folder, decoding=[{"use": "penalties"}, {"use": "sampler"}, *decoding]))

    def plain(self):
        with self.serve() as server:
            return text_of(server)[0]

    def test_canned_answers_come_without_the_model(self):
        answers = self.folder / "answers.tsv"
        answers.write_text("The  RAIN?\tIn Spain.\n")
        with self.serve({"use": "canned", "file": str(answers)}) as server:
            self.assertEqual(text_of(server), ("In Spain.", "stop"))
            self.assertEqual(streamed(server), "In Spain.")
            self.assertIn('generation_tokens_total{model_name="%s"} 0' % json.loads(ask(server.url + "/v1/models").text)["data"][0]["id"],
                          ask(server.url + "/metrics").text)

    def test_replacements_show_in_streams_as_in_whole_answers(self):
        plain = self.plain()
        middle = plain[len(plain) // 2:len(plain) // 2 + 3]
        with self.serve({"use": "replace", "find": middle, "with": "<->"}) as server:
            wanted = plain.replace(middle, "<->")
            self.assertEqual(text_of(server)[0], wanted)
            self.assertEqual(streamed(server), wanted)

    def test_blocked_texts_end_the_answer_before_them(self):
        plain = self.plain()
        middle = plain[len(plain) // 2:len(plain) // 2 + 3]
        with self.serve({"use": "replace", "find": middle, "block": True}) as server:
            wanted = plain[:plain.index(middle)]
            self.assertEqual(text_of(server), (wanted, "content_filter"))
            self.assertEqual(streamed(server), wanted)


if __name__ == "__main__":
    BINARY, SOURCE = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1])
