"""MaxViT's block: attention within windows, then across them (Tu et al., 2022).

Everything here is channels last, ``(B, H, W, C)``. A partition size ``(ph, pw)`` is the number of
tokens that attend to one another, as rows and columns, and divides the height and width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MaxViTBlock(nn.Module):
    """Window attention, then grid attention, each followed by its own MLP.

    Args:
        dim: channels.
        dim_head: channels per head; divides ``dim``.
        mlp_ratio: hidden channels of the MLPs per channel.
        layer_scale_init: first value of the learned scale of every residual branch.
        normed_input: the input comes out of a LayerNorm, so the block begins without one.
    """

    def __init__(
        self,
        dim: int,
        dim_head: int,
        mlp_ratio: int = 4,
        layer_scale_init: float = 1e-5,
        normed_input: bool = False,
    ) -> None:
        super().__init__()
        sizes = (dim, dim_head, mlp_ratio, layer_scale_init)
        self.att_window = PartitionAttention(*sizes, grid=False, normed_input=normed_input)
        self.att_grid = PartitionAttention(*sizes, grid=True)

    def forward(self, x: Tensor, partition: tuple[int, int]) -> Tensor:
        return self.att_grid(self.att_window(x, partition), partition)


class PartitionAttention(nn.Module):
    """Attention and MLP with residual connections; tokens of one partition see one another.

    Args:
        dim, dim_head, mlp_ratio, layer_scale_init, normed_input: as in :class:`MaxViTBlock`.
        grid: a partition is a dilated grid over the whole map; otherwise a window of neighbours.
    """

    def __init__(
        self,
        dim: int,
        dim_head: int,
        mlp_ratio: int,
        layer_scale_init: float,
        grid: bool,
        normed_input: bool = False,
    ) -> None:
        super().__init__()
        self.grid = grid
        self.norm1 = nn.Identity() if normed_input else nn.LayerNorm(dim)
        self.self_attn = SelfAttention(dim, dim_head)
        self.ls1 = LayerScale(dim, layer_scale_init)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = MLP(dim, mlp_ratio * dim)
        self.ls2 = LayerScale(dim, layer_scale_init)

    def forward(self, x: Tensor, partition: tuple[int, int]) -> Tensor:
        x = x + self.ls1(self._attend(self.norm1(x), partition))
        return x + self.ls2(self.mlp(self.norm2(x)))

    def _attend(self, x: Tensor, partition: tuple[int, int]) -> Tensor:
        (b, h, w, c), (ph, pw) = x.shape, partition
        rows, columns = h // ph, w // pw
        if self.grid:
            split, order, back = (ph, rows, pw, columns), (0, 2, 4, 1, 3, 5), (0, 3, 1, 4, 2, 5)
        else:
            split, order, back = (rows, ph, columns, pw), (0, 1, 3, 2, 4, 5), (0, 1, 3, 2, 4, 5)
        tokens = x.reshape(b, *split, c).permute(order).reshape(b * rows * columns, ph * pw, c)
        tokens = self.self_attn(tokens)
        return tokens.view(b, rows, columns, ph, pw, c).permute(back).reshape(b, h, w, c)


class SelfAttention(nn.Module):
    """Multi-head self-attention of tokens ``(N, T, dim)``; query, key, value lie head by head."""

    def __init__(self, dim: int, dim_head: int) -> None:
        super().__init__()
        self.dim_head = dim_head
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        of_heads = self.qkv(x).unflatten(-1, (-1, 3 * self.dim_head)).transpose(1, 2)
        query, key, value = of_heads.chunk(3, dim=-1)
        attended = F.scaled_dot_product_attention(query, key, value)
        return self.proj(attended.transpose(1, 2).flatten(2))


class MLP(nn.Module):
    """Two linear layers with a GELU between them."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        # Nested and with a gap, so that parameters have the names of RVT's checkpoints.
        self.net = nn.Sequential(
            nn.Sequential(nn.Linear(dim, hidden), nn.GELU()), nn.Identity(), nn.Linear(hidden, dim)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class LayerScale(nn.Module):
    """A learned factor per channel (Touvron et al., 2021)."""

    def __init__(self, dim: int, init: float) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((dim,), init))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma
