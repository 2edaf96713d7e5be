# SPDX-License-Identifier: Apache-2.0
"""The public gRPC endpoint with PyPI's grpcio, which knows nothing but public.proto. grpc_test.py BINARY SOURCE_FOLDER"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import grpc
import tiny_model
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from tenon_server import TenonServer, ask, until

KEYS = ("sk-one-11", "sk-two-22")
PROMPT = "the rain in the plain and the sea on the shore " * 4


class Client:
    """Calls of the service by their names; messages as public.proto describes them."""

    def __init__(self, address, folder):
        described = folder / "public.pb"
        subprocess.run(["protoc", f"--proto_path={SOURCE}/apps/link", "public.proto", f"--descriptor_set_out={described}"], check=True)
        pool = descriptor_pool.DescriptorPool()
        for file in descriptor_pb2.FileDescriptorSet.FromString(described.read_bytes()).file:
            pool.Add(file)
        self.message = lambda name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"tenon.v1.{name}"))
        self.channel = grpc.insecure_channel(address)

    def generate(self, key, **fields):
        call = self.channel.unary_stream("/tenon.v1.Tenon/Generate", request_serializer=lambda m: m.SerializeToString(),
                                         response_deserializer=self.message("GenerateChunk").FromString)
        return call(self.message("GenerateRequest")(**fields), metadata=[("authorization", f"Bearer {key}")], timeout=60)

    def embed(self, key, **fields):
        call = self.channel.unary_unary("/tenon.v1.Tenon/Embed", request_serializer=lambda m: m.SerializeToString(),
                                        response_deserializer=self.message("EmbedReply").FromString)
        return call(self.message("EmbedRequest")(**fields), metadata=[("authorization", f"Bearer {key}")], timeout=60)


class Grpc(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        keys = folder / "keys"
        keys.write_text("\n".join(KEYS) + "\n")
        keys.chmod(0o600)
        pipeline = tiny_model.pipeline(SOURCE, folder, memory={"kv_tokens": 4096, "context_tokens": 512})
        cls.server = cls.enterClassContext(TenonServer(TENON, pipeline, "--grpc-port", 0, "--api-key-file", keys))
        cls.client = Client(re.search(r"gRPC at (\S+)", cls.server.log).group(1), folder)
        cls.enterClassContext(cls.client.channel)

    def over_http(self, key=KEYS[0], **fields):
        answer = ask(self.server.url + "/v1/completions", fields, headers={"Authorization": f"Bearer {key}"})
        self.assertEqual(answer.status, 200, answer.text)
        return json.loads(answer.text)

    def test_says_what_http_says(self):
        fields = {"prompt": PROMPT, "max_tokens": 20, "temperature": 0, "ignore_eos": True}
        chunks = list(self.client.generate(KEYS[0], **fields))
        told = self.over_http(**fields)
        self.assertEqual("".join(chunk.text for chunk in chunks), told["choices"][0]["text"])
        self.assertEqual([chunk.finish_reason for chunk in chunks if chunk.finish_reason], ["length"])
        self.assertEqual(chunks[-1].usage.completion_tokens, 20)
        self.assertEqual(chunks[-1].usage.prompt_tokens, told["usage"]["prompt_tokens"])

    def test_refusals_have_the_status_and_the_field(self):
        for key, fields, code, param in ((KEYS[0], {"prompt": "x", "temperature": -1.0}, grpc.StatusCode.INVALID_ARGUMENT, "temperature"),
                                         ("sk-wrong", {"prompt": "x"}, grpc.StatusCode.UNAUTHENTICATED, None)):
            with self.assertRaises(grpc.RpcError) as refused:
                list(self.client.generate(key, **fields))
            self.assertEqual(refused.exception.code(), code)
            self.assertEqual(dict(refused.exception.trailing_metadata()).get("error-param"), param)
        with self.assertRaises(grpc.RpcError) as refused:
            self.client.embed("sk-wrong", input=["a text"])
        self.assertEqual(refused.exception.code(), grpc.StatusCode.UNAUTHENTICATED)
        with self.assertRaises(grpc.RpcError) as refused:
            self.client.embed(KEYS[0], input=["a text"])
        self.assertEqual(refused.exception.code(), grpc.StatusCode.NOT_FOUND)  # no model here embeds

    def test_cancelled_calls_end_in_the_engine(self):
        call = self.client.generate(KEYS[0], prompt="the", max_tokens=400, ignore_eos=True)
        next(call)
        call.cancel()
        running = re.compile(r"num_requests_running\{[^}]*\} 0\b")
        until(lambda: running.search(ask(self.server.url + "/metrics", headers={"Authorization": f"Bearer {KEYS[0]}"}).text), "an engine at rest")

    def test_prefixes_are_one_tenants(self):
        fields = {"prompt": "a shore of its own " * 10, "max_tokens": 2, "ignore_eos": True}
        cached = lambda key: self.over_http(key, **fields)["usage"]["prompt_tokens_details"]["cached_tokens"]
        self.assertEqual(cached(KEYS[0]), 0)
        self.assertGreater(cached(KEYS[0]), 0)
        self.assertEqual(cached(KEYS[1]), 0)


if __name__ == "__main__":
    TENON, SOURCE = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
