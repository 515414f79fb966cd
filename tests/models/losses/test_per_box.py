"""Box losses that cannot be weighted box by box are refused when they are built."""

import pytest

from abc_mmdet.errors import UserError
from mmdet.registry import MODELS


@pytest.mark.parametrize(
    ('around', 'field'), [('SizeAwareIoULoss', 'iou_loss'), ('NWDBlendLoss', 'box_loss')]
)
def test_losses_with_four_numbers_a_box_are_refused(around: str, field: str) -> None:
    for kind in ('BoundedIoULoss', 'L1Loss', 'SmoothL1Loss', 'MSELoss'):
        with pytest.raises(UserError, match=f'{around} {field}={kind} does not give one'):
            MODELS.build({'type': around, field: dict(type=kind)})
    for kind in ('IoULoss', 'GIoULoss', 'DIoULoss', 'CIoULoss', 'EIoULoss'):
        MODELS.build({'type': around, field: dict(type=kind)})
    blend = dict(type='NWDBlendLoss', box_loss=dict(type='GIoULoss'))
    MODELS.build(dict(type='SizeAwareIoULoss', iou_loss=blend))
