from mmengine.config import Config

from abc_mmdet.study.variants import config_hash


def experiment(root: str = 'data/x/', **fields: object) -> Config:
    return Config(
        dict(
            data_root=root,
            model=dict(type='YOLOX', teacher=dict(checkpoint='a/teacher.pth')),
            train_dataloader=dict(batch_size=2, dataset=dict(data_root=root)),
            val_evaluator=dict(ann_file=f'{root}annotations/val.json'),
            default_hooks=dict(checkpoint=dict(interval=5), names=dict(type='ClassNamesHook')),
            load_from='weights/nano.pth',
        )
        | fields
    )


def test_neither_places_nor_what_nothing_reads() -> None:
    same = config_hash(experiment())
    assert len(same) == 12
    assert config_hash(experiment('/elsewhere/y/')) == same
    assert config_hash(experiment(load_from='https://example.org/nano.pth')) == same
    model = dict(teacher=dict(checkpoint='/b/teacher.pth'), type='YOLOX')
    assert config_hash(experiment(model=model)) == same
    assert config_hash(experiment(work_dir='x', title='words', lr=3, train_pipeline=[])) == same
    hooks = dict(logger=dict(interval=1), names=dict(type='ClassNamesHook'))
    assert config_hash(experiment(default_hooks=hooks)) == same, 'a study has its own loggers'


def test_what_is_trained_and_evaluated() -> None:
    changed = [
        experiment(),
        experiment(load_from='weights/tiny.pth'),
        experiment(model=dict(type='YOLOX', teacher=dict(checkpoint='a/other.pth'))),
        experiment(train_dataloader=dict(batch_size=3, dataset=dict(data_root='data/x/'))),
        experiment(val_evaluator=dict(ann_file='data/x/annotations/test.json')),
        experiment(default_hooks=dict(names=dict(type='ClassNamesHook', strict=True))),
        experiment(custom_hooks=[dict(type='EMAHook')]),
        experiment(optim_wrapper=dict(optimizer=dict(lr=1))),
    ]
    assert len({config_hash(config) for config in changed}) == len(changed)
