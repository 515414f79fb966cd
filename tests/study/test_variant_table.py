from pathlib import Path

import pytest
from mmengine.config import Config

from abc_mmdet.errors import UserError
from abc_mmdet.study.variant_table import resolve, use_variant

PIPELINE = [dict(type='Resize', scale=(64, 64)), dict(type='RandomFlip', prob=0.5)]


def base() -> dict:
    loader = dict(dataset=dict(type='CocoDataset', pipeline=PIPELINE))
    return dict(
        model=dict(type='YOLOX', head=dict(loss=dict(type='IoULoss', weight=5.0), strides=(8, 16))),
        train_dataloader=loader,
        val_dataloader=loader,
        test_dataloader=loader,
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=400, val_interval=400),
        optim_wrapper=dict(optimizer=dict(lr=1.0)),
        param_scheduler=[
            dict(type='LinearLR', end=20, by_epoch=False),
            dict(type='CosineAnnealingLR', begin=20, T_max=380, end=400, by_epoch=False),
        ],
        custom_hooks=[dict(type='EMAHook', momentum=0.05)],
        max_iters=400,
    )


def entry(**fields: object) -> dict:
    return dict(order=1, title='title', reason='reason') | fields


TABLE = dict(
    baseline=entry(),
    slow=entry(optim_wrapper=dict(optimizer=dict(lr=0.5))),
    flips=entry(train_pipeline=dict(RandomFlip=dict(prob=0.1))),
    turns=entry(combines='flips', train_pipeline=dict(RandomTranspose=dict(_after_='RandomFlip'))),
    both=entry(combines=('slow', 'turns', 'flips')),
    larger=entry(combines='both', input_scale=1.5, run_length=0.5),
    aux=entry(model=dict(head=dict(_delete_=True, type='ABC', main=base()['model']['head']))),
    loss=entry(model=dict(head=dict(loss=dict(weight=2.0)))),
    heavier=entry(combines='loss', model=dict(head=dict(loss=dict(weight=3.0)))),
    two_levels=entry(combines='slow', model=dict(head=dict(strides=(8,))), input_scale=1.5),
)


def test_fields_are_merged_as_with_a_base() -> None:
    assert resolve(base(), TABLE, 'baseline').to_dict() == base()
    config = resolve(base(), TABLE, 'slow')
    assert config.to_dict() == base() | dict(optim_wrapper=dict(optimizer=dict(lr=0.5)))
    head = resolve(base(), TABLE, 'aux').model.head
    assert set(head) == {'type', 'main'} and head.main.strides == (8, 16)


def test_combined_variants_change_everything_once() -> None:
    config = resolve(base(), TABLE, 'both')
    assert config.optim_wrapper.optimizer.lr == 0.5
    assert config.train_dataloader.dataset.pipeline == [
        PIPELINE[0],
        dict(type='RandomFlip', prob=0.1),
        dict(type='RandomTranspose'),
    ]
    assert config.val_dataloader.dataset.pipeline == PIPELINE, 'is not that of training'
    assert resolve(base(), TABLE, 'heavier').model.head.loss == dict(type='IoULoss', weight=3.0)


def test_test_pipeline_is_that_of_validation_and_test() -> None:
    table = dict(x=entry(test_pipeline=dict(RandomTranspose=dict(_after_='Resize'))))
    config = resolve(base(), table, 'x')
    types = [part.type for part in config.val_dataloader.dataset.pipeline]
    assert types == ['Resize', 'RandomTranspose', 'RandomFlip']
    assert config.test_dataloader == config.val_dataloader


def test_scale_and_length() -> None:
    config = resolve(base(), TABLE, 'larger')
    for kind in ('train', 'val', 'test'):
        assert config[f'{kind}_dataloader'].dataset.pipeline[0].scale == (96, 96)
    assert config.train_dataloader.dataset.pipeline[2].type == 'RandomTranspose'
    assert dict(config.train_cfg) == base()['train_cfg'] | dict(max_iters=200, val_interval=200)
    warmup, cosine = config.param_scheduler
    assert (warmup.end, cosine.begin, cosine.T_max, cosine.end) == (10, 10, 190, 200)
    assert config.custom_hooks[0].momentum == 0.1
    two = resolve(base(), TABLE, 'two_levels')
    assert two.model.head.strides == (8,) and two.optim_wrapper.optimizer.lr == 0.5
    assert two.train_dataloader.dataset.pipeline[0].scale == (96, 96)


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [
        (dict(title=None), r"title=None: give order=NUMBER, title='WORDS', reason='WORDS'"),
        (dict(modle={}), r'nothing reads a field modle\. Did you mean model\?'),
        (dict(train_pipeline=dict(Pad=dict(size=(1, 1)))), r'Pad: train_pipeline has no Pad'),
        (dict(train_pipeline=[]), r'train_pipeline: give a dict'),
        (dict(custom_hooks=dict(EMAHok=None)), r'custom_hooks has no EMAHok'),
        (dict(param_scheduler=dict(LinearLR=dict(ned=3))), r'LinearLR has no such field'),
        (dict(model=dict(type=dict(a=1))), 'model: '),
        (dict(combines='nope'), r"combines='nope', which the table does not have"),
        (dict(combines='wrong'), r'combines itself'),
        (dict(input_scale='2'), r"input_scale='2'"),
        (dict(run_length=0), r'run_length=0'),
        (dict(combines=('aux', 'loss')), r'changes model\.head in two ways, of loss and of aux'),
        (dict(combines=('loss', 'heavier')), r'changes model\.head\.loss\.weight in two ways'),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_mistakes_name_the_entry(wrong: dict, message: str) -> None:
    with pytest.raises(UserError, match=f'variant wrong: .*{message}'):
        resolve(base(), TABLE | dict(wrong=entry() | wrong), 'wrong')


def test_a_mistake_of_what_is_combined_is_its_own() -> None:
    table = dict(bad=entry(train_pipeline=dict(Pad=None)), both=entry(combines='bad'))
    with pytest.raises(UserError, match='variant bad: '):
        resolve(base(), table, 'both')


def test_own_changes_settle_what_combined_ones_disagree_on() -> None:
    own = entry(combines=('loss', 'heavier'), model=dict(head=dict(loss=dict(weight=4.0))))
    assert resolve(base(), TABLE | dict(own=own), 'own').model.head.loss.weight == 4.0


def test_unknown_name() -> None:
    with pytest.raises(UserError, match=r'variant slwo: .* Did you mean slow\?'):
        resolve(base(), TABLE, 'slwo')


def test_nothing_of_the_table_or_the_baseline_is_changed() -> None:
    one, table = base(), dict(TABLE)
    for name in table:
        resolve(one, table, name)
    assert one == base()
    assert resolve(one, table, 'aux').to_dict() == resolve(base(), TABLE, 'aux').to_dict()


def test_a_table_is_a_config_that_can_be_trained(tmp_path: Path, monkeypatch) -> None:
    """As MMDetection's own tools read it, equal to what a study makes of it."""
    (tmp_path / 'baseline.py').write_text(
        '\n'.join(f'{field} = {value!r}' for field, value in base().items())
    )
    (tmp_path / 'variants.py').write_text(
        f"_base_ = './baseline.py'\nvariants = {TABLE!r}\n"
        'from abc_mmdet.study.variant_table import use_variant\n'
        "use_variant(globals(), '{{$ABC_ABLATION_VARIANT:baseline}}')\n"
    )

    def read(name: str) -> dict:
        monkeypatch.setenv('ABC_ABLATION_VARIANT', name)
        return Config.fromfile(tmp_path / 'variants.py').to_dict()

    for name in TABLE:
        expected = resolve(base(), TABLE, name).to_dict() | dict(work_dir=f'work_dirs/{name}')
        found = read(name)
        assert (found.pop('variants', None) is not None) == (name == 'baseline')
        assert found == expected
    with pytest.raises(UserError, match='variant nope'):
        read('nope')


def test_the_baseline_stays_as_it_is() -> None:
    namespace = dict(_base_=base(), variants=TABLE, helper=1)
    use_variant(namespace, 'baseline')
    expected = dict(_base_=base(), variants=TABLE, helper=1, work_dir='work_dirs/baseline')
    assert namespace == expected
