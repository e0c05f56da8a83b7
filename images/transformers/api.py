"""OpenAI's completions and chat requests, checked, and their answers."""

import math
import time

from generate import Request


class Refused(Exception):
    """A request that cannot be served; the status and what to say."""

    def __init__(self, status: int, message: str, code: str | None = None):
        super().__init__(message)
        self.status, self.code = status, code

    def body(self) -> dict:
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        return {"error": {"message": str(self), "type": kind, "param": None, "code": self.code}}


# What would change the answer and is not done here, with the values that ask for nothing.
NOT_DONE = {
    "n": (1,), "best_of": (1,), "echo": (False,), "suffix": ("",), "stop": ("", []), "stop_token_ids": ([],),
    "logprobs": (False,), "top_logprobs": (0,), "prompt_logprobs": (), "top_p": (1,), "top_k": (-1, 0), "min_p": (0,),
    "presence_penalty": (0,), "frequency_penalty": (0,), "repetition_penalty": (1,), "logit_bias": ({},),
    "tools": ([],), "response_format": ({"type": "text"},),
}

MAX_PROMPTS = 256


def number(body: dict, key: str, default, low, high=math.inf, whole=True):
    """A number of the body; default where it is absent or null."""
    v = body.get(key)
    if v is None:
        return default
    kinds = (int,) if whole else (int, float)
    if isinstance(v, bool) or not isinstance(v, kinds) or not low <= v <= high:
        bound = f"at least {low}" if high == math.inf else f"from {low} to {high}"
        raise Refused(400, f"{key} is {v!r} and must be a {'whole ' if whole else ''}number, {bound}")
    return v


def flag(body: dict, key: str) -> bool:
    v = body.get(key)
    if v is not None and not isinstance(v, bool):
        raise Refused(400, f"{key} is {v!r} and must be true or false")
    return bool(v)


class Reader:
    """Makes the engine's requests of a body."""

    def __init__(self, name: str, tokenizer, vocab_size: int, context: int):
        self.name, self.tokenizer, self.vocab_size, self.context = name, tokenizer, vocab_size, context

    def read(self, body, chat: bool) -> list[Request]:
        if not isinstance(body, dict):
            raise Refused(400, "the body is no JSON object")
        if (model := body.get("model")) not in (None, self.name):
            raise Refused(404, f"model {model!r} is not served here, {self.name!r} is", "model_not_found")
        for key, neutral in NOT_DONE.items():
            if body.get(key) is not None and body[key] not in neutral:
                raise Refused(400, f"{key} is not supported by this server: leave it out")
        prompts = [self.chat(body)] if chat else self.prompts(body)
        return [self.request(body, p, chat) for p in prompts]

    def request(self, body: dict, prompt: list[int], chat: bool) -> Request:
        room = self.context - len(prompt)
        if room < 1:
            raise Refused(400, f"{len(prompt)} prompt tokens leave no room in the context of {self.context}", "context_length_exceeded")
        default = room if chat else min(16, room)
        length = number(body, "max_tokens", number(body, "max_completion_tokens", default, 1), 1)
        if length > room:
            raise Refused(400, f"{len(prompt)} prompt tokens and max_tokens {length} do not fit the context of {self.context}",
                          "context_length_exceeded")
        return Request(
            prompt, length,
            min_tokens=number(body, "min_tokens", 0, 0, length),
            ignore_eos=flag(body, "ignore_eos"),
            temperature=number(body, "temperature", 1.0, 0, 100, whole=False),
            seed=number(body, "seed", None, -(2**63), 2**63 - 1),
        )

    def prompts(self, body: dict) -> list[list[int]]:
        """A prompt in any of OpenAI's forms: text, token ids, or a list of either."""
        prompt = body.get("prompt")
        if isinstance(prompt, str) or isinstance(prompt, list) and prompt and all(type(t) is int for t in prompt):
            prompt = [prompt]
        if not isinstance(prompt, list) or not prompt:
            raise Refused(400, "prompt is neither text, nor token ids, nor a list of either")
        if len(prompt) > MAX_PROMPTS:
            raise Refused(400, f"{len(prompt)} prompts in one request, at most {MAX_PROMPTS} are taken")
        return [self.ids(p) for p in prompt]

    def ids(self, prompt) -> list[int]:
        if isinstance(prompt, str):
            prompt = self.tokenizer(prompt)["input_ids"]
        if not isinstance(prompt, list) or not all(type(t) is int for t in prompt):
            raise Refused(400, "prompt is neither text, nor token ids, nor a list of either")
        if not prompt:
            raise Refused(400, "the prompt is empty")
        for t in prompt:
            if not 0 <= t < self.vocab_size:
                raise Refused(400, f"token id {t} is outside the vocabulary of {self.vocab_size}")
        return prompt

    def chat(self, body: dict) -> list[int]:
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages or not all(isinstance(m, dict) for m in messages):
            raise Refused(400, "messages must be a list of messages, each with role and content")
        if not self.tokenizer.chat_template:
            raise Refused(400, f"the tokenizer of {self.name} has no chat template: use /v1/completions")
        plain = [{"role": m.get("role"), "content": text_of(m.get("content"))} for m in messages]
        try:
            text = self.tokenizer.apply_chat_template(plain, tokenize=False, add_generation_prompt=True)
        except Exception as e:  # a template may refuse by any of Jinja's errors
            raise Refused(400, f"the chat template refused the messages: {e}") from e
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]


def text_of(content) -> str:
    if isinstance(content, list) and all(isinstance(p, dict) and p.get("type") == "text" for p in content):
        return "".join(str(p.get("text", "")) for p in content)
    if not isinstance(content, str):
        raise Refused(400, "a message's content must be text")
    return content


class Detokenizer:
    """Turns tokens into text as they come, a character never cut in two."""

    def __init__(self, tokenizer, prompt: list[int]):
        self.tokenizer = tokenizer
        self.ids = prompt[-6:]  # enough for a tokenizer to see whether a space goes before
        self.start, self.shown = 0, len(self.ids)

    def text(self, ids: list[int]) -> str:
        return self.tokenizer.decode(ids, skip_special_tokens=True)

    def add(self, token: int, last: bool) -> str:
        self.ids.append(token)
        before, now = self.text(self.ids[self.start : self.shown]), self.text(self.ids[self.start :])
        if now.endswith("\ufffd") and not last and len(self.ids) - self.shown < 4:  # UTF-8 has at most 4 bytes
            return ""
        self.start, self.shown = self.shown, len(self.ids)
        return now[len(before) :]


class Answer:
    """The JSON of one answer, whole or in chunks."""

    def __init__(self, kind: str, ident: str, model: str, requests: list[Request], tokenizer):
        self.chat, self.requests = kind == "chat", requests
        self.head = {"id": ident, "created": int(time.time()), "model": model}
        self.detokenizers = [Detokenizer(tokenizer, r.prompt) for r in requests]

    def usage(self) -> dict:
        prompt, out = sum(len(r.prompt) for r in self.requests), sum(r.sent for r in self.requests)
        return {"prompt_tokens": prompt, "completion_tokens": out, "total_tokens": prompt + out,
                "prompt_tokens_details": {"cached_tokens": 0}}

    def chunk(self, choices: list[dict], **more) -> dict:
        return {**self.head, "object": "chat.completion.chunk" if self.chat else "text_completion", "choices": choices, **more}

    def token(self, index: int, token: int, finish: str | None, first: bool) -> dict:
        text = self.detokenizers[index].add(token, finish is not None)
        choice = {"index": index, "finish_reason": finish, "logprobs": None}
        if self.chat:
            choice["delta"] = {"role": "assistant", "content": text} if first else {"content": text}
        else:
            choice["text"] = text
        return self.chunk([choice])

    def whole(self, texts: list[str], finishes: list[str]) -> dict:
        choices = []
        for i, (text, finish) in enumerate(zip(texts, finishes)):
            says = {"message": {"role": "assistant", "content": text}} if self.chat else {"text": text}
            choices.append({"index": i, "finish_reason": finish, "logprobs": None, **says})
        return {**self.head, "object": "chat.completion" if self.chat else "text_completion",
                "choices": choices, "usage": self.usage()}
