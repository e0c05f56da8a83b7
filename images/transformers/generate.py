"""Static batches over a causal language model, one token at a time.

An Engine takes the requests that wait, up to its batch size, and decodes them
together until the last has ended: the way of transformers' own generate(), with
each request's own length, seed and end. Prompts are padded on the left. A
request that comes later waits for the next batch.
"""

import inspect
import logging
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Callable

import torch

log = logging.getLogger("llem")


@dataclass(eq=False)
class Request:
    """One prompt and what is wanted of its answer."""

    prompt: list[int]
    max_tokens: int
    min_tokens: int = 0
    ignore_eos: bool = False
    temperature: float = 1.0
    seed: int | None = None
    out: Any = None  # the caller's; the engine hands it back with each event
    cancelled: bool = False  # set by the caller: the answer is no longer wanted
    sent: int = field(default=0, init=False)
    finish: str | None = field(default=None, init=False)
    generator: torch.Generator | None = field(default=None, init=False)


@dataclass
class Event:
    """A token of a request, or the error that ended it."""

    request: Request
    token: int = -1
    finish: str | None = None  # stop or length, with the last token
    error: str | None = None


class Engine(threading.Thread):
    """Decodes in a thread of its own; sink is called there, once a step."""

    def __init__(self, model, eos: list[int], sink: Callable[[list[Event]], None], batch_size: int, batch_wait: float):
        super().__init__(name="engine", daemon=True)
        self.model, self.eos, self.sink = model, eos, sink
        self.batch_size, self.batch_wait = batch_size, batch_wait
        self.device = next(model.parameters()).device
        self.last_only = {"logits_to_keep": 1} if "logits_to_keep" in inspect.signature(model.forward).parameters else {}
        self.changed = threading.Condition()
        self.waiting: deque[Request] = deque()
        self.batch: list[Request] = []
        self.prompt_tokens = self.generation_tokens = 0

    def submit(self, requests: list[Request]) -> None:
        with self.changed:
            self.waiting.extend(requests)
            self.changed.notify_all()

    def counts(self) -> dict[str, int]:
        with self.changed:
            return {
                "requests_running": sum(r.finish is None for r in self.batch),
                "requests_waiting": len(self.waiting),
                "prompt_tokens_total": self.prompt_tokens,
                "generation_tokens_total": self.generation_tokens,
                "cached_tokens_total": 0,  # no prompt is kept from one request to the next
            }

    def sync(self) -> None:
        """Returns when nothing runs or waits and the device has done its work."""
        with self.changed:
            self.changed.wait_for(lambda: not self.batch and not self.waiting)
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def run(self) -> None:
        while True:
            batch = self.collect()
            try:
                if batch:
                    self.decode(batch)
            except Exception as e:  # such as a device out of memory: the next batch may fit
                log.exception("a batch of %d failed", len(batch))
                open_ = [r for r in batch if r.finish is None]
                for r in open_:
                    r.finish = "error"
                self.sink([Event(r, error=f"{type(e).__name__}: {e}") for r in open_])
            with self.changed:
                self.batch = []
                self.changed.notify_all()

    def collect(self) -> list[Request]:
        """The next batch: full, or what came within batch_wait of its first."""
        with self.changed:
            self.changed.wait_for(lambda: self.waiting)
            end = time.monotonic() + self.batch_wait
            self.changed.wait_for(lambda: len(self.waiting) >= self.batch_size, max(0, end - time.monotonic()))
            taken = [self.waiting.popleft() for _ in range(min(self.batch_size, len(self.waiting)))]
            self.batch = [r for r in taken if not r.cancelled]
            return self.batch

    @torch.inference_mode()
    def decode(self, batch: list[Request]) -> None:
        ids, mask = self.pad(batch)
        width = ids.shape[1]
        position = (mask[:, :width].cumsum(-1) - 1).clamp(min=0)
        cache = None
        for r in batch:
            if r.seed is not None:
                r.generator = torch.Generator(self.device).manual_seed(r.seed)
        while any(r.finish is None for r in batch):
            out = self.model(input_ids=ids, attention_mask=mask[:, :width], position_ids=position,
                             past_key_values=cache, use_cache=True, **self.last_only)
            tokens = self.sample(out.logits[:, -1].float(), batch)
            self.send(batch, tokens.tolist(), first=cache is None)
            cache, ids = out.past_key_values, tokens[:, None]
            position, width = position[:, -1:] + 1, width + 1

    def pad(self, batch: list[Request]) -> tuple[torch.Tensor, torch.Tensor]:
        """The prompts, right-aligned, and a mask with room for the answers."""
        width = max(len(r.prompt) for r in batch)
        ids = torch.zeros(len(batch), width, dtype=torch.long)
        mask = torch.ones(len(batch), width + max(r.max_tokens for r in batch), dtype=torch.long)
        for i, r in enumerate(batch):
            ids[i, width - len(r.prompt):] = torch.tensor(r.prompt)
            mask[i, : width - len(r.prompt)] = 0
        return ids.to(self.device), mask.to(self.device)

    def sample(self, logits: torch.Tensor, batch: list[Request]) -> torch.Tensor:
        for i, r in enumerate(batch):
            if r.sent < r.min_tokens and not r.ignore_eos:
                logits[i, self.eos] = -torch.inf
        tokens = logits.argmax(-1)
        free = [i for i, r in enumerate(batch) if r.finish is None and r.temperature > 0]
        if not free:
            return tokens
        heat = torch.tensor([batch[i].temperature for i in free], device=self.device)
        probs = torch.softmax(logits[free] / heat[:, None], -1)
        drawn = torch.multinomial(probs, 1)[:, 0]
        for k, i in enumerate(free):
            if batch[i].generator is not None:
                drawn[k] = torch.multinomial(probs[k], 1, generator=batch[i].generator)[0]
        tokens[free] = drawn
        return tokens

    def send(self, batch: list[Request], tokens: list[int], first: bool) -> None:
        events = []
        with self.changed:
            if first:
                self.prompt_tokens += sum(len(r.prompt) for r in batch)
            for r, token in zip(batch, tokens):
                if r.finish is not None:
                    continue
                if r.cancelled:
                    r.finish = "cancelled"
                    continue
                r.sent += 1
                if token in self.eos and not r.ignore_eos:
                    r.finish = "stop"
                elif r.sent == r.max_tokens:
                    r.finish = "length"
                events.append(Event(r, token, r.finish))
            self.generation_tokens += len(events)
        self.sink(events)
