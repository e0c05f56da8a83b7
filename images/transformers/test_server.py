"""Tests of the server on a model that `go run ./images/tinymodel` wrote.

    TINY=path/of/hf/folder TINY_EOS=one/written/with--eos python3 -m unittest -v
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import unittest

import torch
from aiohttp import ClientSession
from aiohttp.test_utils import TestClient, TestServer
from transformers import AutoModelForCausalLM

from server import Server, arguments

TINY, TINY_EOS = os.environ["TINY"], os.environ["TINY_EOS"]
LONG, SHORT = [0] + list(range(400, 430)), [0, 900, 901]
TEXT = " babe bebi ba"  # three words, and the mark before them


class Case(unittest.IsolatedAsyncioTestCase):
    model, flags = TINY, ["--dtype", "float32", "--device", "cpu"]

    async def asyncSetUp(self):
        torch.set_num_threads(1)
        self.server = Server(arguments(["--model", self.model, "--served-model-name", "tiny", *self.flags]))
        self.client = TestClient(TestServer(self.server.app()))
        await self.client.start_server()
        self.addAsyncCleanup(self.client.close)
        await self.server.loading

    async def post(self, body, path="/v1/completions", status=200):
        r = await self.client.post(path, json={"temperature": 0, **body})
        self.assertEqual(r.status, status, await r.text())
        return await r.json()

    async def events(self, body, path="/v1/completions"):
        r = await self.client.post(path, json={"temperature": 0, "stream": True, **body})
        self.assertEqual(r.status, 200, await r.text())
        lines = [l[len("data: "):] for l in (await r.text()).split("\n") if l]
        self.assertEqual(lines.pop(), "[DONE]")
        return [json.loads(l) for l in lines]

    async def refusal(self, body, status=400, path="/v1/completions"):
        return (await self.post(body, path, status))["error"]


class Lengths(Case):
    async def test_exactly_max_tokens(self):
        a = await self.post({"prompt": SHORT, "max_tokens": 37})
        self.assertEqual(a["usage"]["completion_tokens"], 37)
        self.assertEqual(a["usage"]["prompt_tokens"], 3)
        self.assertEqual(a["choices"][0]["finish_reason"], "length")
        self.assertEqual(len(a["choices"][0]["text"].split()), 37)

    async def test_text_is_tokenized_with_the_mark_that_begins_it(self):
        a = await self.post({"prompt": TEXT, "max_tokens": 1})
        self.assertEqual(a["usage"]["prompt_tokens"], 4)

    async def test_text_and_its_token_ids_give_the_same_answer(self):
        ids = self.server.loaded.tokenizer(TEXT)["input_ids"]
        a, b = [await self.post({"prompt": p, "max_tokens": 9}) for p in (TEXT, ids)]
        self.assertEqual(a["choices"], b["choices"])

    async def test_a_list_of_prompts_gives_an_answer_each(self):
        a = await self.post({"prompt": [SHORT, LONG], "max_tokens": 5})
        self.assertEqual([c["index"] for c in a["choices"]], [0, 1])
        self.assertEqual(a["usage"]["completion_tokens"], 10)


class Batches(Case):
    async def test_a_padded_batch_answers_as_each_prompt_alone(self):
        prompts = [SHORT, LONG, LONG[:9]]
        alone = [(await self.post({"prompt": p, "max_tokens": 20}))["choices"][0]["text"] for p in prompts]
        both = await self.post({"prompt": prompts, "max_tokens": 20})
        self.assertEqual([c["text"] for c in both["choices"]], alone)

    async def test_it_decodes_as_transformers_does(self):
        model = AutoModelForCausalLM.from_pretrained(TINY, dtype=torch.float32)
        ids = torch.tensor([LONG])
        want = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=24, do_sample=False)[0, len(LONG):]
        got = await self.post({"prompt": LONG, "max_tokens": 24})
        self.assertEqual(got["choices"][0]["text"], self.server.loaded.tokenizer.decode(want))

    async def test_requests_of_different_lengths_share_a_batch(self):
        answers = await asyncio.gather(*[self.post({"prompt": SHORT, "max_tokens": n}) for n in (3, 30, 11)])
        self.assertEqual([a["usage"]["completion_tokens"] for a in answers], [3, 30, 11])

    async def test_the_seed_decides_alone_and_in_a_batch(self):
        body = {"max_tokens": 12, "temperature": 1, "seed": 7}
        alone = await self.post({"prompt": SHORT, **body})
        both = await self.post({"prompt": [LONG, SHORT], **body})
        other = await self.post({"prompt": SHORT, **body, "seed": 8})
        self.assertEqual(both["choices"][1]["text"], alone["choices"][0]["text"])
        self.assertNotEqual(other["choices"][0]["text"], alone["choices"][0]["text"])


class FullBatch(Case):
    flags = [*Case.flags, "--max-batch-size", "2", "--batch-wait-ms", "0"]

    async def test_more_than_a_batch_waits_its_turn(self):
        most = 0

        async def watch():
            nonlocal most
            while True:
                most = max(most, self.server.engine.counts()["requests_running"])
                await asyncio.sleep(0.001)

        watcher = asyncio.create_task(watch())
        a = await self.post({"prompt": [SHORT] * 5, "max_tokens": 8})
        watcher.cancel()
        self.assertEqual(a["usage"]["completion_tokens"], 40)
        self.assertEqual(most, 2)


class Streams(Case):
    async def test_one_event_per_token_then_the_usage(self):
        events = await self.events({"prompt": SHORT, "max_tokens": 6, "stream_options": {"include_usage": True}})
        self.assertEqual(len(events), 7)
        self.assertEqual([e["choices"][0]["finish_reason"] for e in events[:6]], [None] * 5 + ["length"])
        self.assertEqual(events[6]["choices"], [])
        self.assertEqual(events[6]["usage"]["completion_tokens"], 6)

    async def test_no_usage_unless_asked(self):
        events = await self.events({"prompt": SHORT, "max_tokens": 2})
        self.assertFalse(any("usage" in e for e in events))

    async def test_the_pieces_are_the_whole(self):
        whole = await self.post({"prompt": LONG, "max_tokens": 15})
        events = await self.events({"prompt": LONG, "max_tokens": 15})
        self.assertEqual("".join(e["choices"][0]["text"] for e in events), whole["choices"][0]["text"])

    async def test_chat(self):
        body = {"messages": [{"role": "user", "content": TEXT}], "max_tokens": 4, "stream_options": {"include_usage": True}}
        events = await self.events(body, "/v1/chat/completions")
        self.assertEqual(events[0]["choices"][0]["delta"]["role"], "assistant")
        self.assertEqual(events[-1]["usage"]["prompt_tokens"], 6)  # the mark, user, three words, assistant
        self.assertEqual(len(events), 5)

    async def test_a_client_that_goes_frees_the_batch(self):
        r = await self.client.post("/v1/completions", json={"prompt": SHORT, "max_tokens": 4000, "stream": True})
        await r.content.readline()
        r.close()
        async with asyncio.timeout(20):
            self.assertEqual((await self.client.post("/sync")).status, 200)
        self.assertLess(self.server.engine.counts()["generation_tokens_total"], 4000)


class Ends(Case):
    model = TINY_EOS

    async def test_the_end_stops_and_counts(self):
        a = await self.post({"prompt": LONG, "max_tokens": 200})
        self.assertEqual(a["choices"][0]["finish_reason"], "stop")
        self.assertEqual(a["usage"]["completion_tokens"], len(a["choices"][0]["text"].split()) + 1)

    async def test_ignore_eos_goes_on(self):
        a = await self.post({"prompt": LONG, "max_tokens": 200, "ignore_eos": True})
        self.assertEqual(a["usage"]["completion_tokens"], 200)

    async def test_min_tokens_goes_on_until_then(self):
        a = await self.post({"prompt": LONG, "max_tokens": 200, "min_tokens": 50})
        self.assertGreaterEqual(len(a["choices"][0]["text"].split()), 50)
        self.assertEqual(a["choices"][0]["finish_reason"], "stop")


class Account(Case):
    async def metrics(self):
        text = await (await self.client.get("/metrics")).text()
        return {l.split()[0]: float(l.split()[1]) for l in text.splitlines() if not l.startswith("#")}

    async def test_metrics_count_tokens(self):
        await self.post({"prompt": [SHORT, LONG], "max_tokens": 5})
        self.assertEqual(await self.metrics(), {
            "llem_transformers_requests_running": 0, "llem_transformers_requests_waiting": 0,
            "llem_transformers_prompt_tokens_total": 34, "llem_transformers_generation_tokens_total": 10,
            "llem_transformers_cached_tokens_total": 0,
        })

    async def test_sync_waits_for_what_runs(self):
        post = asyncio.create_task(self.post({"prompt": SHORT, "max_tokens": 100}))
        while not self.server.engine.counts()["prompt_tokens_total"]:
            await asyncio.sleep(0.001)
        await self.client.post("/sync")
        self.assertEqual(self.server.engine.counts()["generation_tokens_total"], 100)
        await post

    async def test_models_says_what_it_is(self):
        m = (await (await self.client.get("/v1/models")).json())["data"][0]
        want = {"id": "tiny", "owned_by": "llem-transformers", "max_model_len": 4096, "parameters_total": 4196608,
                "parameters_non_embedding": 3148032, "dtype": "float32", "num_layers": 4, "head_dim": 64}
        self.assertEqual({k: m[k] for k in want}, want)

    async def test_version_names_the_libraries(self):
        v = await (await self.client.get("/version")).json()
        self.assertEqual(v["torch"], torch.__version__)


class Dummy(Case):
    flags = [*Case.flags, "--load-format", "dummy"]

    async def test_random_weights_answer(self):
        a = await self.post({"prompt": SHORT, "max_tokens": 5, "ignore_eos": True})
        self.assertEqual(a["usage"]["completion_tokens"], 5)


class BadInput(Case):
    flags = [*Case.flags, "--max-model-len", "40"]

    async def test_refusals(self):
        for body, words in [
            ({"prompt": SHORT, "max_tokens": 38}, "3 prompt tokens and max_tokens 38 do not fit the context of 40"),
            ({"prompt": list(range(400, 440))}, "40 prompt tokens leave no room in the context of 40"),
            ({"prompt": []}, "prompt is neither"),
            ({"prompt": [[]]}, "the prompt is empty"),
            ({"prompt": [2048]}, "token id 2048 is outside the vocabulary of 2048"),
            ({"prompt": {"a": 1}}, "prompt is neither"),
            ({"prompt": ["a", 1]}, "prompt is neither"),
            ({}, "prompt is neither"),
            ({"prompt": SHORT, "max_tokens": 0}, "max_tokens is 0"),
            ({"prompt": SHORT, "max_tokens": "9"}, "max_tokens is '9'"),
            ({"prompt": SHORT, "max_tokens": 4, "min_tokens": 5}, "min_tokens is 5"),
            ({"prompt": SHORT, "temperature": -1}, "temperature is -1"),
            ({"prompt": SHORT, "seed": 1.5}, "seed is 1.5"),
            ({"prompt": SHORT, "ignore_eos": "yes"}, "ignore_eos is 'yes'"),
            ({"prompt": SHORT, "n": 2}, "n is not supported"),
            ({"prompt": SHORT, "top_p": 0.9}, "top_p is not supported"),
        ]:
            with self.subTest(body=body):
                e = await self.refusal(body)
                self.assertIn(words, e["message"])
                self.assertEqual(e["type"], "invalid_request_error")

    async def test_no_room_has_the_code_of_openai(self):
        e = await self.refusal({"prompt": SHORT, "max_tokens": 38})
        self.assertEqual(e["code"], "context_length_exceeded")

    async def test_another_model_is_not_found(self):
        self.assertIn("'gpt'", (await self.refusal({"prompt": SHORT, "model": "gpt"}, 404))["message"])

    async def test_an_unknown_route_is_not_found(self):
        self.assertEqual((await self.client.get("/nowhere")).status, 404)

    async def test_no_json(self):
        r = await self.client.post("/v1/completions", data=b"{")
        self.assertEqual(r.status, 400)
        self.assertIn("not JSON", (await r.json())["error"]["message"])

    async def test_a_failed_batch_is_an_error_and_the_next_one_works(self):
        forward = self.server.engine.model.forward

        def fail(*_, **__):
            raise RuntimeError("out of memory")

        self.server.engine.model.forward = fail
        e = await self.refusal({"prompt": SHORT}, 500)
        self.assertEqual((e["message"], e["type"]), ("RuntimeError: out of memory", "server_error"))
        self.server.engine.model.forward = forward
        await self.post({"prompt": SHORT})


class Process(unittest.IsolatedAsyncioTestCase):
    """The program itself, from its start to SIGTERM."""

    def start(self, *flags):
        p = subprocess.Popen([sys.executable, "server.py", "--host", "127.0.0.1", "--device", "cpu", "--threads", "1", *flags],
                             stderr=subprocess.PIPE, text=True)
        self.addCleanup(p.stderr.close)
        self.addCleanup(p.wait)
        self.addCleanup(p.kill)
        return p

    async def test_503_until_loaded_and_sigterm_lets_answers_end(self):
        p = self.start("--model", TINY, "--port", "18731")
        url, seen = "http://127.0.0.1:18731", set()
        async with ClientSession() as http:
            while 200 not in seen:
                self.assertIsNone(p.poll())
                try:
                    async with http.get(url + "/health") as r:
                        seen.add(r.status)
                except OSError:
                    await asyncio.sleep(0.02)
            self.assertIn(503, seen)
            body = {"prompt": SHORT, "max_tokens": 100, "stream": True}
            async with http.post(url + "/v1/completions", json=body) as r:
                await r.content.readline()
                p.send_signal(signal.SIGTERM)
                rest = await r.text()
        self.assertTrue(rest.rstrip().endswith("[DONE]"))
        self.assertEqual(rest.count("data: {"), 99)
        self.assertEqual(p.wait(20), 0)

    async def test_a_missing_model_ends_with_the_reason(self):
        p = self.start("--model", "/nowhere/model", "--port", "18732")
        self.assertIn("could not load /nowhere/model", p.stderr.read())
        self.assertEqual(p.wait(), 1)

    async def test_a_longer_context_than_the_models_ends_with_the_reason(self):
        p = self.start("--model", TINY, "--port", "18733", "--max-model-len", "5000")
        self.assertIn("--max-model-len 5000 is more than the model's 4096", p.stderr.read())
        self.assertEqual(p.wait(), 1)


if __name__ == "__main__":
    unittest.main()
