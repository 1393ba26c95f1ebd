"""A training step of a Llama in PyTorch whenever a line comes in.

Arguments: layers, channels, hidden, heads, vocabulary, sequence, batch, and `eager` or `compile`.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Any

import torch  # type: ignore[import-not-found, unused-ignore]
from torch import nn  # type: ignore[import-not-found, unused-ignore]
from torch.nn import functional  # type: ignore[import-not-found, unused-ignore]

LAYERS, CHANNELS, HIDDEN, HEADS, VOCABULARY, SEQUENCE, BATCH = (int(each) for each in sys.argv[1:8])
WIDTH = CHANNELS // HEADS


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = (nn.RMSNorm(CHANNELS, 1e-5) for _ in range(2))
        self.q, self.k, self.v, self.o = (
            nn.Linear(CHANNELS, CHANNELS, bias=False) for _ in range(4)
        )
        self.gate, self.up = (nn.Linear(CHANNELS, HIDDEN, bias=False) for _ in range(2))
        self.down = nn.Linear(HIDDEN, CHANNELS, bias=False)

    def forward(self, x: Any, cos: Any, sin: Any) -> Any:
        h = self.norm1(x)
        q, k, v = (
            each(h).view(-1, SEQUENCE, HEADS, WIDTH).transpose(1, 2)
            for each in (self.q, self.k, self.v)
        )
        found = functional.scaled_dot_product_attention(
            turned(q, cos, sin), turned(k, cos, sin), v, is_causal=True
        )
        x = x + self.o(found.transpose(1, 2).reshape(x.shape))
        h = self.norm2(x)
        return x + self.down(functional.silu(self.gate(h)) * self.up(h))


def turned(x: Any, cos: Any, sin: Any) -> Any:
    """Rotary positions on [batch, heads, sequence, width]."""
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)


class Llama(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, CHANNELS)
        self.layers = nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm = nn.RMSNorm(CHANNELS, 1e-5)
        angles = torch.arange(SEQUENCE)[:, None] / 10000 ** (torch.arange(0, WIDTH, 2) / WIDTH)
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def forward(self, ids: Any, targets: Any) -> Any:
        x = self.embedding(ids)
        for layer in self.layers:
            x = layer(x, self.cos, self.sin)
        logits = functional.linear(self.norm(x), self.embedding.weight)
        return functional.cross_entropy(logits.view(-1, VOCABULARY), targets.reshape(-1))


def main() -> None:
    torch.manual_seed(0)
    model = Llama()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.01, fused=True)
    run = torch.compile(model) if sys.argv[8] == "compile" else model
    for _ in sys.stdin:
        rows = torch.randint(VOCABULARY, (BATCH, SEQUENCE + 1))
        begun = time.perf_counter()
        value = run(rows[:, :-1], rows[:, 1:])
        value.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        found = {"loss": value.item(), "step_s": time.perf_counter() - begun}
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        found["peak_bytes"] = peak * (1 if sys.platform == "darwin" else 1024)
        print(json.dumps(found), flush=True)


main()
