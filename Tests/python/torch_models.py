"""Small PyTorch models of the kinds that people convert: images, sequences, attention, a cache.

Imported only where torch is there; knows nothing of MIL.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Images(nn.Module):
    """Convolutions, one strided and one over groups, norms, pooling, and classes."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, stride=2, padding=1, groups=4),
            nn.GroupNorm(4, 16),
            nn.SiLU(),
            nn.ConvTranspose2d(16, 8, 2, stride=2),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(8, 5),
        )

    def forward(self, x: Tensor) -> Tensor:
        return functional.log_softmax(self.layers(x), dim=-1)


class Sequence(nn.Module):
    """Two layers of LSTM in both directions, and a GRU behind them."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(6, 8, num_layers=2, bidirectional=True, batch_first=True)
        self.gru = nn.GRU(16, 4, batch_first=True)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y, (_, c) = self.lstm(x)
        z, _ = self.gru(y)
        return z, c


def turn(x: Tensor) -> Tensor:
    """Rotates pairs of features by their position: [B, H, S, D]."""
    length, features = x.shape[-2:]
    rates = 100.0 ** (-torch.arange(0, features, 2) / features)
    angles = torch.outer(torch.arange(length).float(), rates)
    first, second = x[..., ::2], x[..., 1::2]
    cos, sin = angles.cos(), angles.sin()
    return torch.cat((first * cos - second * sin, first * sin + second * cos), dim=-1)


class Words(nn.Module):
    """Tokens to logits: causal attention with rotations and a gated layer between embeddings."""

    def __init__(self) -> None:
        super().__init__()
        width = 32
        self.embedding = nn.Embedding(50, width)
        self.norms = nn.ModuleList([nn.RMSNorm(width), nn.LayerNorm(width)])
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width)
        self.gate = nn.Linear(width, 2 * 48)
        self.down = nn.Linear(48, width)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        batch, length, width = x.shape
        parts = self.qkv(self.norms[0](x)).view(batch, length, 3, 4, width // 4)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(turn(q), turn(k), v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, width))
        gate, up = self.gate(self.norms[1](x)).chunk(2, dim=-1)
        x = x + self.down(functional.gelu(gate, approximate="tanh") * up)
        return x @ self.embedding.weight.T


class Dense(nn.Module):
    """Two layers, for weights that are stored small."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(32, 64)
        self.second = nn.Linear(64, 16, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(torch.tanh(self.first(x)))


class Cache(nn.Module):
    """Attention over what earlier calls left in two buffers."""

    length = 6

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(8, 24)
        self.register_buffer("keys", torch.zeros(self.length, 8, dtype=torch.float16))
        self.register_buffer("values", torch.zeros(self.length, 8, dtype=torch.float16))

    def forward(self, x: Tensor, place: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        row = (torch.arange(self.length) == place).unsqueeze(1).half()
        self.keys.mul_(1 - row)
        self.keys.add_(row * k.half())
        self.values.mul_(1 - row)
        self.values.add_(row * v.half())
        hidden = torch.where(torch.arange(self.length) <= place, 0.0, -1e4)
        scores = q @ self.keys.float().T / 8**0.5 + hidden
        return torch.softmax(scores, dim=-1) @ self.values.float()
