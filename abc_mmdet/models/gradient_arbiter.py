"""Decides in backward how the gradients of the two tasks meet on the features they share."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.autograd.function import once_differentiable

from abc_mmdet.errors import UserError
from mmdet.registry import MODELS

MODES = ('sum', 'detach', 'gate', 'main_first', 'pcgrad')
UNITS = {'level': (0, 1, 2, 3), 'image': (1, 2, 3), 'location': (1,)}  # dimensions that they span


@MODELS.register_module()
class GradientArbiter(nn.Module):
    """Hands the same features to both heads, and joins what comes back from them.

    Forward is the identity. In backward the gradients of both tasks on a shared level are known
    before they are added, so one backward pass is enough to compare them and to change their sum:

    - ``sum``: their plain sum, as without an arbiter.
    - ``detach``: the main task's alone. The auxiliary task trains its own head and nothing else,
      on levels that only it sees as well, where the gradient is zero.
    - ``gate``: without the auxiliary task's where the two conflict, that is, where their inner
      product is negative (Du et al., 2018, arXiv 1812.02224).
    - ``main_first``: where they conflict, the part of the auxiliary gradient that is opposed to
      the main one is taken out of it.
    - ``pcgrad``: where they conflict, each loses the part that is opposed to the other (Yu et
      al., 2020, arXiv 2001.06782).

    Whether two gradients conflict is decided ``per`` location (a vector of C values), per image
    or per level (the whole batch, over all processes of a distributed run). Inner products are
    taken in float32. A gradient that is not finite conflicts with nothing: it goes through, for
    the loss scaler of mixed precision to find it.

    How the tasks get on is measured in every mode; :meth:`report` says it.

    Args:
        mode, per: see above.
        main_strides, aux_strides: strides of the levels of the two heads in pixels, in their
            order; :class:`ABCHead` fills them in.

    Raises:
        UserError: a mode or ``per`` that does not exist.

    Examples:
        >>> arbiter = GradientArbiter([4, 8, 16, 32], [4, 8], mode='gate', per='level')
        >>> arbiter.shared_strides
        [4, 8]
    """

    def __init__(
        self,
        main_strides: Sequence[int],
        aux_strides: Sequence[int],
        mode: str = 'sum',
        per: str = 'image',
    ) -> None:
        super().__init__()
        for name, value, choices in (('mode', mode, MODES), ('per', per, tuple(UNITS))):
            if value not in choices:
                raise UserError(
                    f'GradientArbiter {name}={value!r} is unknown; use one of {choices}.'
                )
        self.mode, self.per = mode, per
        self.main_strides, self.aux_strides = tuple(main_strides), tuple(aux_strides)
        self.shared_strides = [s for s in self.main_strides if s in self.aux_strides]
        # A leaf that stands beside the features, so that backward can return its measurements as
        # a gradient. Neither parameter nor buffer: no optimizer, checkpoint or wrapper sees it.
        self.probe = torch.zeros(len(self.shared_strides), 5, requires_grad=True)

    def _apply(self, fn: Any, *args: Any, **kwargs: Any) -> nn.Module:
        """Move the probe along with the module; it stays in float32."""
        self.probe = fn(self.probe.detach()).float().requires_grad_()
        return super()._apply(fn, *args, **kwargs)

    # Runs between compiled graphs, not in them: a graph may return equal tensors as one, or make
    # them anew as views of their common base, and either leads gradients around the function.
    @torch.compiler.disable
    def forward(
        self, main_levels: Sequence[Tensor], aux_levels: Sequence[Tensor]
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """The same levels with arbitrated gradients, for the main and for the auxiliary head.

        Args:
            main_levels, aux_levels: ``(B, C, H_i, W_i)`` per level of ``main_strides`` and of
                ``aux_strides``; a level of both is the same tensor in both.
        """
        main = dict(zip(self.main_strides, main_levels, strict=True))
        aux = dict(zip(self.aux_strides, aux_levels, strict=True))
        if self.mode == 'detach':
            for stride in aux.keys() - main.keys():
                aux[stride] = _ZeroGradient.apply(aux[stride])
        shared = [main[stride] for stride in self.shared_strides]
        if any(level.requires_grad for level in shared):  # else nothing that learns is shared
            levels = _Meeting.apply(self.mode, self.per, self.probe, *shared)
            main.update(zip(self.shared_strides, levels[: len(shared)], strict=True))
            aux.update(zip(self.shared_strides, levels[len(shared) :], strict=True))
        return tuple(main.values()), tuple(aux.values())

    @torch.compiler.disable
    @torch.no_grad()
    def report(self) -> dict[str, Tensor]:
        """What the backward passes since the last call met; empty where there was none.

        The gradients are those that came from the heads, before the arbiter changed anything and
        with the weights of the tasks in them. Nothing is waited for: values stay on the device.
        In a distributed run, where all processes have to ask, they are those of the whole batch.

        Returns:
            For every shared level, ``s8`` being the one of stride 8: ``conflict/s8_cosine`` of
            the two gradients, ``conflict/s8_norm_ratio``, auxiliary over main, and, with
            ``per='image'``, ``conflict/s8_image_rate``, the share of the images with both
            gradients where they conflict (of locations, of steps). 0 where it is undefined.
        """
        measured, self.probe.grad = self.probe.grad, None
        if measured is None:
            return {}
        if self.per != 'level':  # else the sums are those of all processes already
            measured = _sum_over_processes(measured)
        inner, main_square, aux_square, conflicts, meetings = measured.unbind(dim=1)
        metrics = {
            'cosine': inner / (main_square.sqrt() * aux_square.sqrt()),
            'norm_ratio': (aux_square / main_square).sqrt(),
            f'{self.per}_rate': conflicts / meetings,
        }
        return {
            f'conflict/s{stride}_{name}': value
            for name, values in metrics.items()
            for stride, value in zip(
                self.shared_strides, values.nan_to_num(0.0, 0.0, 0.0).unbind(), strict=True
            )
        }

    def running_state(self) -> Tensor | None:
        """What :meth:`report` is going to say, for :class:`ExactResumeHook`."""
        return self.probe.grad

    def set_running_state(self, state: Tensor | None) -> None:
        self.probe.grad = None if state is None else state.to(self.probe)

    def extra_repr(self) -> str:
        return f'mode={self.mode}, per={self.per}, shared_strides={self.shared_strides}'


class _Meeting(torch.autograd.Function):
    """Levels for both heads in forward; in backward their joined gradients and measurements.

    All levels at once, so that a distributed run needs one reduction. None of them has to wait
    for it: autograd goes through both heads before it goes on to what is before them.
    """

    @staticmethod
    def forward(ctx: Any, mode: str, per: str, probe: Tensor, *levels: Tensor) -> tuple:
        ctx.mode, ctx.per = mode, per
        return tuple(level.view_as(level) for level in (*levels, *levels))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple:
        half = len(gradients) // 2
        pairs = [_Pair(*pair) for pair in zip(gradients[:half], gradients[half:], strict=True)]
        products = [pair.inner_products(UNITS[ctx.per]) for pair in pairs]
        if ctx.per == 'level':
            products = list(_sum_over_processes(torch.stack(products)))
        joined = [pair.join(ctx.mode, *inner) for pair, inner in zip(pairs, products, strict=True)]
        return None, None, torch.stack([_measure(inner) for inner in products]), *joined


class _ZeroGradient(torch.autograd.Function):
    """Identity whose gradient is zero: what is before it stays in use and learns nothing."""

    @staticmethod
    def forward(ctx: Any, level: Tensor) -> Tensor:
        return level.view_as(level)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return torch.zeros_like(gradient)


class _Pair:
    """The gradients of both tasks on one level ``(B, C, H, W)``, in float32 or better.

    Every result is written to one tensor, which in the end is their join: on a CPU taking memory
    of this size costs more than the arithmetic.
    """

    def __init__(self, main: Tensor, aux: Tensor) -> None:
        self.dtype = main.dtype
        wide = torch.promote_types(main.dtype, torch.float32)
        self.main, self.aux = main.to(wide), aux.to(wide)
        self.out = torch.empty_like(self.main)

    def inner_products(self, dims: tuple[int, ...]) -> Tensor:
        """``<main, aux>``, ``<main, main>``, ``<aux, aux>`` over ``dims``, which stay as size 1."""
        # Elementwise products: matrix products would be rounded to half precision under autocast.
        pairs = ((self.main, self.aux), (self.main, self.main), (self.aux, self.aux))
        return torch.stack([torch.mul(*p, out=self.out).sum(dims, keepdim=True) for p in pairs])

    def join(self, mode: str, inner: Tensor, main_square: Tensor, aux_square: Tensor) -> Tensor:
        if mode == 'detach':
            return self.main.to(self.dtype)
        if mode == 'gate':
            agree = (~_conflicts(inner)).to(inner.dtype)
            return torch.addcmul(self.main, self.aux, agree, out=self.out).to(self.dtype)
        joined = torch.add(self.main, self.aux, out=self.out)
        if mode != 'sum':
            opposed = torch.where(_conflicts(inner), inner, 0)
            tiny = torch.finfo(inner.dtype).tiny  # a square can vanish where ``inner`` does not
            joined.addcmul_(self.main, opposed / main_square.clamp_min(tiny), value=-1)
            if mode == 'pcgrad':
                joined.addcmul_(self.aux, opposed / aux_square.clamp_min(tiny), value=-1)
        return joined.to(self.dtype)


def _conflicts(inner: Tensor) -> Tensor:
    return (inner < 0) & inner.isfinite()


def _sum_over_processes(products: Tensor) -> Tensor:
    if distributed.is_available() and distributed.is_initialized():
        distributed.all_reduce(products)
    return products


def _measure(products: Tensor) -> Tensor:
    """The three sums over all units, the number of conflicts, that of units where both learn."""
    inner = products[0]
    counts = torch.stack([_conflicts(inner).sum(), (inner != 0).sum()])
    return torch.cat([products.flatten(1).sum(dim=1), counts])
