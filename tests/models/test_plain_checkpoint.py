from abc_mmdet.models.plain_checkpoint import to_plain


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
