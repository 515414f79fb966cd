"""YOLOX's PAFPN without its coarsest level, for data without large objects."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from abc_mmdet.errors import UserError
from mmdet.models.layers import CSPLayer
from mmdet.models.necks import YOLOXPAFPN
from mmdet.registry import MODELS


@MODELS.register_module()
class TrimmedPAFPN(YOLOXPAFPN):
    """A :class:`YOLOXPAFPN` that has no output of its coarsest stride.

    Where no object is large, the level of stride 32 finds nothing. Its FLOPs are better spent on a
    larger input. What remains is named and computed as in the whole pyramid, so pretrained weights
    keep their meaning:

    - with ``context``, the coarsest map of the backbone still flows down into the finer levels, and
      these are exactly those of the whole pyramid (YOLOX-Nano: 7 % fewer FLOPs);
    - without, the backbone needs no such stage, and the block below it works on its own map alone,
      with the half of its weights that read that map (23 % fewer).

    Args:
        in_channels: channels of the levels of the whole pyramid, finest first, the one that is left
            out included.
        out_channels: channels of every output.
        context: whether the backbone gives the coarsest map.
        **kwargs: as in :class:`YOLOXPAFPN`.

    Raises:
        UserError: fewer than two levels would remain.

    Examples:
        >>> import torch
        >>> neck = TrimmedPAFPN([16, 32, 64], 16, context=False, num_csp_blocks=1)
        >>> levels = neck((torch.zeros(1, 16, 8, 8), torch.zeros(1, 32, 4, 4)))
        >>> [tuple(level.shape) for level in levels]
        [(1, 16, 8, 8), (1, 16, 4, 4)]
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int,
        context: bool = True,
        num_csp_blocks: int = 3,
        use_depthwise: bool = False,
        conv_cfg: dict | None = None,
        norm_cfg: dict = dict(type='BN', momentum=0.03, eps=0.001),  # noqa: B006
        act_cfg: dict = dict(type='Swish'),  # noqa: B006
        **kwargs: object,
    ) -> None:
        if len(in_channels) < 3:
            raise UserError(
                f'TrimmedPAFPN in_channels={in_channels!r}: give those of three levels or more; '
                'the last is left out.'
            )
        options = dict(
            num_csp_blocks=num_csp_blocks,
            use_depthwise=use_depthwise,
            conv_cfg=conv_cfg,
            norm_cfg=norm_cfg,
            act_cfg=act_cfg,
        )
        super().__init__(list(in_channels), out_channels, **options, **kwargs)
        self.context = context
        for blocks in (self.downsamples, self.bottom_up_blocks, self.out_convs):
            del blocks[-1]
        if not context:
            del self.reduce_layers[0]
            options['num_blocks'] = options.pop('num_csp_blocks')
            channels = in_channels[-2]
            self.top_down_blocks[0] = CSPLayer(channels, channels, add_identity=False, **options)

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Maps of the backbone, finest first, to those of the levels that remain."""
        remaining = list(inputs)
        above = remaining.pop() if self.context else None
        reduce_layers = iter(self.reduce_layers)
        laterals: list[Tensor] = []  # finest first
        for block in self.top_down_blocks:
            own = remaining.pop()
            if above is not None:
                laterals.insert(0, next(reduce_layers)(above))
                own = torch.cat([self.upsample(laterals[0]), own], 1)
            above = block(own)
        outputs = [above]
        # with context there is one lateral more than there are levels to make
        for down, block, lateral in zip(
            self.downsamples, self.bottom_up_blocks, laterals, strict=False
        ):
            outputs.append(block(torch.cat([down(outputs[-1]), lateral], 1)))
        return tuple(conv(out) for conv, out in zip(self.out_convs, outputs, strict=True))
