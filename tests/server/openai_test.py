# SPDX-License-Identifier: Apache-2.0
"""The official `openai` client against `tenon serve`: openai_test.py BINARY SOURCE_FOLDER [CASE...]"""
import base64
import pathlib
import struct
import sys
import tempfile
import unittest

import openai
from tenon_server import TenonServer, until

TENON = "tenon"
SOURCE = pathlib.Path()
KEY = "sk-test-5d1f"
COUNT = [{"role": "user", "content": "Count from one to five."}]
GREEDY = {"temperature": 0, "seed": 1}


class Case(unittest.TestCase):
    pipeline, arguments = "configs/default.yaml", ()

    @classmethod
    def setUpClass(cls):
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        keys = pathlib.Path(folder) / "keys"
        keys.write_text(KEY + "\n")
        keys.chmod(0o600)
        cls.server = cls.enterClassContext(TenonServer(TENON, SOURCE / cls.pipeline, "--api-key-file", keys, *cls.arguments))
        cls.client = cls.connect(KEY)
        cls.model = cls.client.models.list().data[0].id

    @classmethod
    def connect(cls, key):
        client = openai.OpenAI(base_url=cls.server.url + "/v1", api_key=key, max_retries=0, timeout=120)
        cls.addClassCleanup(client.close)
        return client


class Generating(Case):
    def chat(self, **more):
        return self.client.chat.completions.create(**{"model": self.model, "messages": COUNT, "max_tokens": 24, **GREEDY, **more})

    def stream(self, **more):
        return list(self.chat(stream=True, **more))

    def test_models_are_listed_and_found(self):
        listed = self.client.models.list().data
        self.assertTrue(listed)
        for model in listed:
            self.assertEqual(model.object, "model")
            self.assertEqual(self.client.models.retrieve(model.id).id, model.id)

    def test_a_chat(self):
        answer = self.chat()
        choice = answer.choices[0]
        self.assertEqual((answer.object, answer.model, choice.index, choice.message.role), ("chat.completion", self.model, 0, "assistant"))
        self.assertTrue(choice.message.content)
        self.assertIn(choice.finish_reason, ("stop", "length"))
        usage = answer.usage
        self.assertEqual(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)
        self.assertLessEqual(usage.completion_tokens, 24)

    def test_a_stream_says_what_the_whole_answer_says(self):
        whole, chunks = self.chat(), self.stream(stream_options={"include_usage": True})
        self.assertEqual(len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}), 1)
        self.assertEqual({chunk.object for chunk in chunks}, {"chat.completion.chunk"})
        self.assertEqual((chunks[0].choices[0].delta.role, chunks[0].choices[0].delta.content), ("assistant", ""))
        self.assertEqual(chunks[-1].choices, [])
        self.assertEqual(chunks[-1].usage.completion_tokens, whole.usage.completion_tokens)
        self.assertTrue(all(chunk.usage is None for chunk in chunks[:-1]))
        reasons = [chunk.choices[0].finish_reason for chunk in chunks[:-1]]
        self.assertEqual(reasons, [None] * (len(reasons) - 1) + [whole.choices[0].finish_reason])
        self.assertEqual("".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]), whole.choices[0].message.content)

    def test_without_include_usage_there_is_none(self):
        chunks = self.stream(max_tokens=3)
        self.assertTrue(all(chunk.usage is None and chunk.choices for chunk in chunks))

    def test_logprobs(self):
        for chunks in ([self.chat(logprobs=True, top_logprobs=3, max_tokens=6)], self.stream(logprobs=True, top_logprobs=3, max_tokens=6)):
            entries = [entry for chunk in chunks for choice in chunk.choices if choice.logprobs for entry in choice.logprobs.content]
            self.assertEqual(len(entries), 6)
            for entry in entries:
                self.assertLessEqual(entry.logprob, 0)
                self.assertEqual(len(entry.top_logprobs), 3)
                values = [top.logprob for top in entry.top_logprobs]
                self.assertEqual(values, sorted(values, reverse=True))
                self.assertAlmostEqual(values[0], entry.logprob, places=5)  # greedy takes the likeliest
                self.assertEqual(bytes(entry.bytes).decode(errors="replace"), entry.token)

    def test_several_choices_of_one_prompt(self):
        answer = self.chat(n=3, temperature=1, seed=7, max_tokens=12)
        texts = [choice.message.content for choice in answer.choices]
        self.assertEqual([choice.index for choice in answer.choices], [0, 1, 2])
        self.assertGreater(len(set(texts)), 1)
        self.assertEqual([choice.message.content for choice in self.chat(n=3, temperature=1, seed=7, max_tokens=12).choices], texts)
        merged = ["", "", ""]
        for chunk in self.stream(n=3, temperature=1, seed=7, max_tokens=12):
            for choice in chunk.choices:
                merged[choice.index] += choice.delta.content or ""
        self.assertEqual(merged, texts)

    def test_the_same_seed_gives_the_same_text(self):
        texts = [self.chat(temperature=1, seed=seed).choices[0].message.content for seed in (3, 3, 4)]
        self.assertEqual(texts[0], texts[1])
        self.assertNotEqual(texts[0], texts[2])

    def test_stop_strings_end_the_text_before_them(self):
        text = self.chat(max_tokens=40).choices[0].message.content
        stop = text[len(text) // 2:len(text) // 2 + 4]
        cut = self.chat(max_tokens=40, stop=[stop]).choices[0]
        self.assertEqual((cut.message.content, cut.finish_reason), (text[:text.index(stop)], "stop"))
        streamed = "".join(chunk.choices[0].delta.content or "" for chunk in self.stream(max_tokens=40, stop=stop) if chunk.choices)
        self.assertEqual(streamed, cut.message.content)

    def test_fields_beyond_openai(self):
        answer = self.chat(max_tokens=9, extra_body={"ignore_eos": True, "top_k": 5, "min_p": 0.01, "repetition_penalty": 1.1, "min_tokens": 2})
        self.assertEqual(answer.usage.completion_tokens, 9)
        self.assertEqual(answer.choices[0].finish_reason, "length")

    def test_max_completion_tokens(self):
        answer = self.client.chat.completions.create(model=self.model, messages=COUNT, max_completion_tokens=2, **GREEDY)
        self.assertEqual((answer.usage.completion_tokens, answer.choices[0].finish_reason), (2, "length"))

    def test_biased_tokens(self):
        first = self.chat(max_tokens=1, logprobs=True, top_logprobs=1).choices[0].message.content
        ids = self.server.post("/tokenize", {"model": self.model, "prompt": first, "add_special_tokens": False},
                               headers={"Authorization": f"Bearer {KEY}"}).json["tokens"]
        self.assertNotEqual(self.chat(max_tokens=1, logit_bias={str(ids[0]): -100}).choices[0].message.content, first)

    def test_completions(self):
        ask = {"model": self.model, "max_tokens": 8, **GREEDY}
        one = self.client.completions.create(prompt="The capital of France is", **ask)
        self.assertEqual(one.object, "text_completion")
        self.assertIn("Paris", one.choices[0].text)
        two = self.client.completions.create(prompt=["The capital of France is", "One, two, three,"], **ask)
        self.assertEqual([choice.index for choice in two.choices], [0, 1])
        self.assertEqual(two.choices[0].text, one.choices[0].text)
        chunks = list(self.client.completions.create(prompt="The capital of France is", stream=True, **ask))
        self.assertEqual("".join(chunk.choices[0].text for chunk in chunks if chunk.choices), one.choices[0].text)
        told = self.client.completions.create(prompt="The capital of France is", logprobs=2, **ask).choices[0].logprobs
        self.assertEqual(len(told.tokens), len(told.token_logprobs))
        self.assertEqual("".join(told.tokens), one.choices[0].text)
        echoed = self.client.completions.create(prompt=[1, 504, 3575], **ask)
        self.assertEqual(echoed.usage.prompt_tokens, 3)

    def test_a_shared_beginning_comes_from_the_cache(self):
        long = [{"role": "user", "content": "Say hello. " * 80}]
        first, again = self.chat(messages=long, max_tokens=2).usage, self.chat(messages=long, max_tokens=2).usage
        self.assertEqual(first.prompt_tokens, again.prompt_tokens)
        self.assertGreater(again.prompt_tokens_details.cached_tokens, again.prompt_tokens / 2)

    def test_errors_are_the_clients_own_types(self):
        with self.assertRaises(openai.AuthenticationError):
            self.connect("wrong").models.list()
        with self.assertRaises(openai.NotFoundError):
            self.chat(model="nobody")
        with self.assertRaises(openai.NotFoundError):
            self.client.models.retrieve("nobody")
        for field, value in (("temperature", -1), ("max_tokens", -1), ("n", 0), ("top_p", 2), ("stop", [""] * 99), ("top_logprobs", 99)):
            with self.assertRaises(openai.BadRequestError, msg=field) as caught:
                self.chat(**{field: value})
            self.assertEqual(caught.exception.param, field)
            self.assertIn(field, caught.exception.message)
        with self.assertRaises(openai.BadRequestError):
            self.chat(messages=[{"role": "user", "content": "word " * 20000}])
        with self.assertRaises(openai.APIStatusError) as caught:
            self.chat(messages=[{"role": "user", "content": "x" * (5 << 20)}])
        self.assertEqual(caught.exception.status_code, 413)

    def test_a_closed_stream_ends_its_request(self):
        stream = self.chat(stream=True, max_tokens=4000, extra_body={"ignore_eos": True})
        next(iter(stream))
        stream.close()
        headers = {"Authorization": f"Bearer {KEY}"}
        until(lambda: "num_requests_running" in self.server.get("/metrics", headers=headers).text
              and all(line.split()[-1] in ("0", "0.0") for line in self.server.get("/metrics", headers=headers).text.splitlines()
                      if not line.startswith("#") and ":num_requests_running" in line), "the request's end")


class Embedding(Case):
    pipeline = "configs/embed.yaml"

    def test_embeddings(self):
        texts = ["a cat", "a kitten", "quarterly revenue"]
        answer = self.client.embeddings.create(model=self.model, input=texts, encoding_format="float")
        vectors = [entry.embedding for entry in answer.data]
        self.assertEqual([entry.index for entry in answer.data], [0, 1, 2])
        near, far = (sum(a * b for a, b in zip(vectors[0], vectors[i])) for i in (1, 2))
        self.assertGreater(near, far)
        self.assertGreater(answer.usage.prompt_tokens, 0)
        # The client itself asks for base64 where nothing is said.
        same = self.client.embeddings.create(model=self.model, input=texts[0]).data[0].embedding
        self.assertEqual([struct.pack("f", x) for x in same], [struct.pack("f", x) for x in vectors[0]])

    def test_base64_is_little_endian_floats(self):
        answer = self.server.post("/v1/embeddings", {"model": self.model, "input": "a cat", "encoding_format": "base64"},
                                  headers={"Authorization": f"Bearer {KEY}"}).json
        data = base64.b64decode(answer["data"][0]["embedding"])
        self.assertEqual(len(data), 4 * len(self.client.embeddings.create(model=self.model, input="a cat").data[0].embedding))

    def test_a_model_that_embeds_does_not_chat(self):
        with self.assertRaises(openai.BadRequestError):
            self.client.chat.completions.create(model=self.model, messages=COUNT)


if __name__ == "__main__":
    TENON, SOURCE = sys.argv[1], pathlib.Path(sys.argv[2])
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
