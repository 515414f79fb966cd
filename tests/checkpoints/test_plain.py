from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import load_checkpoint

from abc_mmdet.checkpoints.plain import to_plain, write_plain_checkpoint
from abc_mmdet.errors import UserError
from mmdet.registry import MODELS

ROOT = Path(__file__).parents[2]


def test_main_head_is_unwrapped_and_auxiliary_parts_left_out() -> None:
    state = {
        'backbone.stem.conv.weight': 1,
        'neck.out_convs.0.conv.weight': 2,
        'neck.aux_branches.0.out.conv.weight': 3,
        'bbox_head.main_head.multi_level_conv_cls.0.weight': 4,
        'bbox_head.aux_head.multi_level_conv_cls.0.weight': 5,
        'bbox_head.multi_task_loss.log_variance': 6,
    }
    assert to_plain(state) == {
        'backbone.stem.conv.weight': 1,
        'neck.out_convs.0.conv.weight': 2,
        'bbox_head.multi_level_conv_cls.0.weight': 4,
    }


def test_averaged_weights_keep_their_prefix() -> None:
    assert to_plain({'module.bbox_head.main_head.w': 1, 'steps': 2}) == {
        'module.bbox_head.w': 1,
        'steps': 2,
    }


def test_plain_names_stay() -> None:
    state = {'bbox_head.multi_level_conv_cls.0.weight': 1, 'neck.reduce_layers.0.conv.weight': 2}
    assert to_plain(state) == state


def small_model(config: str) -> torch.nn.Module:
    return MODELS.build(Config.fromfile(ROOT / 'configs' / 'small' / config).model)


def test_way_to_plain_yolox_and_back_through_files(tmp_path: Path) -> None:
    abc = small_model('abc_basic_hituav.py')
    plain_config = Config.fromfile(ROOT / 'configs' / 'small' / 'abc_basic_hituav.py').model
    plain_config.bbox_head = {**plain_config.bbox_head.main_head, 'num_classes': 3}
    plain = MODELS.build(plain_config)
    torch.save(dict(state_dict=abc.state_dict(), meta={}), tmp_path / 'abc.pth')
    kept, left_out = write_plain_checkpoint(str(tmp_path / 'abc.pth'), str(tmp_path / 'plain.pth'))
    assert kept == len(plain.state_dict())
    assert kept + left_out == len(abc.state_dict())
    load_checkpoint(plain, str(tmp_path / 'plain.pth'), strict=True)

    other = small_model('abc_basic_hituav.py')
    load_checkpoint(other, str(tmp_path / 'plain.pth'))  # as load_from in a config does
    image = torch.randn(1, 3, 64, 96)
    outputs = [model.eval()(image) for model in (abc, plain, other)]
    for of_abc, of_plain, of_other in zip(*outputs, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(of_abc, of_plain, strict=True))
        assert all(torch.equal(a, b) for a, b in zip(of_abc, of_other, strict=True))


def test_file_without_weights_is_refused(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / 'list.pth')
    with pytest.raises(UserError, match='holds no weights: it is a list'):
        write_plain_checkpoint(str(tmp_path / 'list.pth'), str(tmp_path / 'out.pth'))
    assert not (tmp_path / 'out.pth').exists()
