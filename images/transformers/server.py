"""An OpenAI-style server over Hugging Face transformers, for llem.

    python3 server.py --model PATH_OR_ID [--port 8000] [--max-batch-size 32]

/health answers 503 until the model is loaded. POST /sync answers when nothing
runs or waits and the GPU has done its work. SIGTERM lets what runs end.
"""

import argparse
import asyncio
import itertools
import json
import logging
import os
import platform
import sys

import torch
import transformers
from aiohttp import web
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from api import Answer, Reader, Refused
from generate import Engine, Event

VERSION = "0.1.0"
log = logging.getLogger("llem")


def arguments(argv: list[str]) -> argparse.Namespace:
    p = argparse.ArgumentParser(prog="llem-transformers", description="OpenAI-style server over transformers")
    p.add_argument("--model", required=True, help="a folder, or a Hugging Face id")
    p.add_argument("--revision", help="branch, tag or commit of a Hugging Face id")
    p.add_argument("--served-model-name", help="the name in requests and answers (default: --model)")
    p.add_argument("--host", default="0.0.0.0")
    p.add_argument("--port", type=int, default=8000)
    p.add_argument("--device", default="auto", help="auto (the first GPU, else the CPU), cpu, cuda, cuda:N")
    p.add_argument("--dtype", default="auto", choices=["auto", "float32", "float16", "bfloat16"])
    p.add_argument("--load-format", default="auto", choices=["auto", "dummy"], help="dummy: random weights, of config.json alone")
    p.add_argument("--max-model-len", type=positive, help="context in tokens (default: the model's)")
    p.add_argument("--max-batch-size", type=positive, default=32, help="requests decoded together")
    p.add_argument("--batch-wait-ms", type=float, default=10, help="how long a batch waits for more after its first request")
    p.add_argument("--threads", type=positive, help="CPU threads (default: PyTorch's)")
    p.add_argument("--grace", type=float, default=8, help="seconds that SIGTERM leaves to what runs")
    return p.parse_args(argv)


def positive(text: str) -> int:
    n = int(text)
    if n < 1:
        raise argparse.ArgumentTypeError(f"{n} is less than 1")
    return n


class Loaded:
    """A model, its tokenizer and what is known of it."""

    def __init__(self, a: argparse.Namespace):
        device = a.device if a.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
        dtype = a.dtype if a.dtype == "auto" else getattr(torch, a.dtype)
        at = {"revision": a.revision} if a.revision else {}
        self.tokenizer = AutoTokenizer.from_pretrained(a.model, **at)
        self.config = AutoConfig.from_pretrained(a.model, **at)
        if a.load_format == "dummy":
            torch.manual_seed(0)
            dtype = self.config.dtype or torch.float32 if dtype == "auto" else dtype
            model = AutoModelForCausalLM.from_config(self.config, dtype=dtype)
            model.generation_config = generation(a.model, at, model)
        else:
            model = AutoModelForCausalLM.from_pretrained(a.model, dtype=dtype, **at)
        self.model = model.to(device).eval()
        eos = model.generation_config.eos_token_id
        if eos is None:
            eos = self.tokenizer.eos_token_id
        self.eos = [] if eos is None else eos if isinstance(eos, list) else [eos]
        text = self.config.get_text_config()
        longest = getattr(text, "max_position_embeddings", None)
        self.context = a.max_model_len or longest
        if not self.context:
            raise ValueError("config.json gives no max_position_embeddings: set --max-model-len")
        if longest and self.context > longest:
            raise ValueError(f"--max-model-len {self.context} is more than the model's {longest}")

    def parameters(self) -> dict:
        """Counts; shared weights count once, and embeddings are the input's and the output's."""
        m = self.model
        ends = {id(p): p.numel() for e in (m.get_input_embeddings(), m.get_output_embeddings()) if e for p in e.parameters()}
        total = sum(p.numel() for p in m.parameters())
        return {"parameters_total": total, "parameters_non_embedding": total - sum(ends.values())}

    def shape(self) -> dict:
        c = self.config.get_text_config()
        heads = getattr(c, "num_attention_heads", None)
        hidden = getattr(c, "hidden_size", None)
        return {
            "dtype": str(self.model.dtype).removeprefix("torch."), "device": str(self.model.device),
            "vocab_size": c.vocab_size, "hidden_size": hidden, "num_layers": getattr(c, "num_hidden_layers", None),
            "num_heads": heads, "head_dim": getattr(c, "head_dim", None) or (hidden // heads if hidden and heads else None),
        }


def generation(model: str, at: dict, fallback) -> GenerationConfig:
    try:
        return GenerationConfig.from_pretrained(model, **at)
    except OSError:  # the model has none of its own
        return fallback.generation_config


class Server:
    def __init__(self, a: argparse.Namespace):
        self.args, self.name = a, a.served_model_name or a.model
        self.ids = itertools.count(1)
        self.engine: Engine | None = None
        self.failed = False

    def app(self) -> web.Application:
        app = web.Application(client_max_size=16 << 20, middlewares=[errors])
        app.add_routes([
            web.get("/health", self.health), web.get("/version", self.version), web.get("/metrics", self.metrics),
            web.get("/v1/models", self.models), web.post("/sync", self.sync),
            web.post("/v1/completions", self.completions), web.post("/v1/chat/completions", self.chat),
        ])
        app.on_startup.append(self.start)
        return app

    async def start(self, _app) -> None:
        self.loading = asyncio.create_task(self.load())

    async def load(self) -> None:
        try:
            self.loaded = await asyncio.to_thread(Loaded, self.args)
        except Exception:
            log.exception("could not load %s", self.args.model)
            self.failed = True
            asyncio.get_running_loop().call_soon(stop)
            return
        loop = asyncio.get_running_loop()
        m = self.loaded
        self.reader = Reader(self.name, m.tokenizer, m.config.get_text_config().vocab_size, m.context)
        engine = Engine(m.model, m.eos, lambda events: loop.call_soon_threadsafe(deliver, events),
                        self.args.max_batch_size, self.args.batch_wait_ms / 1000)
        engine.start()
        self.engine = engine
        log.info("ready: %s on %s, %s, context %d", self.name, m.model.device, m.model.dtype, m.context)

    def ready(self) -> Engine:
        if self.engine is None:
            raise Refused(503, "the model is being loaded")
        return self.engine

    async def health(self, _request) -> web.Response:
        self.ready()
        return web.json_response({"status": "ok"})

    async def version(self, _request) -> web.Response:
        return web.json_response({
            "version": VERSION, "transformers": transformers.__version__, "torch": torch.__version__,
            "cuda": torch.version.cuda if torch.cuda.is_available() else None, "python": platform.python_version(),
        })

    async def models(self, _request) -> web.Response:
        self.ready()
        m = self.loaded
        return web.json_response({"object": "list", "data": [{
            "id": self.name, "object": "model", "created": 0, "owned_by": "llem-transformers", "root": self.args.model,
            "max_model_len": m.context, **m.parameters(), **m.shape(),
        }]})

    async def metrics(self, _request) -> web.Response:
        lines = []
        for name, value in self.ready().counts().items():
            kind = "counter" if name.endswith("_total") else "gauge"
            lines += [f"# TYPE llem_transformers_{name} {kind}", f"llem_transformers_{name} {value}"]
        return web.Response(text="\n".join(lines) + "\n")

    async def sync(self, _request) -> web.Response:
        await asyncio.to_thread(self.ready().sync)
        return web.Response(text="idle\n")

    async def completions(self, request: web.Request) -> web.StreamResponse:
        return await self.answer(request, "text")

    async def chat(self, request: web.Request) -> web.StreamResponse:
        return await self.answer(request, "chat")

    async def answer(self, http: web.Request, kind: str) -> web.StreamResponse:
        engine = self.ready()
        try:
            body = json.loads(await http.read())
        except ValueError as e:
            raise Refused(400, f"the body is not JSON: {e}") from e
        requests = self.reader.read(body, kind == "chat")
        queue: asyncio.Queue[Event] = asyncio.Queue()
        for r in requests:
            r.out = queue
        answer = Answer(kind, f"cmpl-{next(self.ids)}", self.name, requests, self.loaded.tokenizer)
        engine.submit(requests)
        try:
            if body.get("stream"):
                options = body.get("stream_options") or {}
                return await stream(http, answer, queue, bool(options.get("include_usage")))
            return await whole(answer, queue)
        finally:
            for r in requests:
                r.cancelled = True


def deliver(events: list[Event]) -> None:
    for e in events:
        e.request.out.put_nowait(e)


async def whole(answer: Answer, queue: asyncio.Queue) -> web.Response:
    texts = [""] * len(answer.requests)
    left = len(texts)
    while left:
        e = await queue.get()
        if e.error:
            raise Refused(500, e.error)
        i = answer.requests.index(e.request)
        texts[i] += answer.detokenizers[i].add(e.token, e.finish is not None)
        left -= e.finish is not None
    return web.json_response(answer.whole(texts, [r.finish for r in answer.requests]))


async def stream(http: web.Request, answer: Answer, queue: asyncio.Queue, usage: bool) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    response.content_type = "text/event-stream"
    await response.prepare(http)

    async def send(chunk: dict) -> None:
        await response.write(b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n")

    begun, left = set(), len(answer.requests)
    while left:
        e = await queue.get()
        if e.error:
            await send(Refused(500, e.error).body())
            return response
        i = answer.requests.index(e.request)
        await send(answer.token(i, e.token, e.finish, i not in begun))
        begun.add(i)
        left -= e.finish is not None
    if usage:
        await send(answer.chunk([], usage=answer.usage()))
    await response.write(b"data: [DONE]\n\n")
    return response


@web.middleware
async def errors(request: web.Request, handler):
    """Every refusal is OpenAI's error object."""
    try:
        return await handler(request)
    except Refused as e:
        return web.json_response(e.body(), status=e.status)
    except web.HTTPException as e:
        return web.json_response(Refused(e.status, f"{request.method} {request.path}: {e.reason}").body(), status=e.status)


def stop() -> None:
    raise web.GracefulExit


def main() -> int:
    a = arguments(sys.argv[1:])
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if a.threads:
        torch.set_num_threads(a.threads)
    server = Server(a)
    log.info("loading %s; listening on %s:%d", a.model, a.host, a.port)
    web.run_app(server.app(), host=a.host, port=a.port, print=None, access_log=None,
                shutdown_timeout=a.grace, handler_cancellation=True)
    return 1 if server.failed else 0


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    os._exit(code)  # what still loads or decodes is not waited for
