"""Which files are there at every moment of a training with checkpoints."""

import os
from pathlib import Path

import pytest
import torch
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import Tensor
from torch.utils.data import Dataset

from abc_mmdet.checkpoints.loading import is_whole
from abc_mmdet.engine import AtomicCheckpointHook
from abc_mmdet.errors import UserError
from abc_mmdet.utils import atomic_write


class Line(BaseModel):
    """``y = w * x``, with a loss that draws random numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, x: list[Tensor], mode: str) -> object:
        if mode == 'predict':
            return x
        return dict(loss=((self.weight * torch.stack(x) - 1) * torch.rand(1)).square().mean())


class Numbers(Dataset):
    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> dict:
        return dict(x=torch.rand(1) + index)


class Scores(BaseMetric):
    """A score per validation, in this order."""

    def __init__(self, *scores: float) -> None:
        super().__init__(collect_device='cpu')
        self.scores = iter(scores)
        self.seen: list[float] = []

    def process(self, data_batch: object, data_samples: list) -> None:
        self.results.append(0)

    def compute_metrics(self, results: list) -> dict[str, float]:
        self.seen.append(next(self.scores))
        return dict(mAP=self.seen[-1])


class Watch(Hook):
    """Whatever is removed or renamed, a whole checkpoint stays; what was seen on the way."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.folder, self.removed = folder, []
        replace, unlink = os.replace, os.remove

        def watched_replace(source: Path, target: Path) -> None:
            if str(target).endswith('.pth'):
                assert str(source).endswith('.pth.partial') and is_whole(Path(source))
            replace(source, target)

        def watched_remove(path: str) -> None:
            named = Path((self.folder / 'last_checkpoint').read_text())
            assert is_whole(named) and named != Path(path)
            self.removed.append(Path(path).name)
            unlink(path)

        monkeypatch.setattr(os, 'replace', watched_replace)
        monkeypatch.setattr(os, 'remove', watched_remove)


def make(folder: Path, metric: Scores, until: int, resume: bool = False, **options) -> Runner:
    by_epoch = options.setdefault('by_epoch', False)
    loader = dict(
        dataset=Numbers(), batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler')
    )
    loader['sampler']['shuffle'] = True
    return Runner(
        Line(),
        str(folder),
        train_dataloader=loader,
        val_dataloader=loader,
        train_cfg={
            'by_epoch': by_epoch,
            'val_interval': 2,
            'max_epochs' if by_epoch else 'max_iters': until,
        },
        val_cfg={},
        val_evaluator=Evaluator(metric),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
        default_hooks=dict(
            checkpoint=dict(type='AtomicCheckpointHook', interval=1, **options),
            exact_resume=dict(type='ExactResumeHook'),
        ),
        randomness=dict(seed=0),
        resume=resume,
        experiment_name=f'{folder}_{until}_{resume}',
        default_scope='mmdet',
    )


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file() and path.suffix != '.py')


def test_nothing_goes_before_what_replaces_it(tmp_path: Path, monkeypatch) -> None:
    watch = Watch(monkeypatch, tmp_path)
    metric = Scores(0.1, 0.3, 0.2)
    make(tmp_path, metric, 6, max_keep_ckpts=2, save_best='mAP').train()
    assert names(tmp_path) == ['best_mAP_iter_4.pth', 'iter_5.pth', 'iter_6.pth', 'last_checkpoint']
    former = ['iter_1.pth', 'iter_2.pth', 'best_mAP_iter_2.pth', 'iter_3.pth', 'iter_4.pth']
    assert watch.removed == former
    hub = torch.load(tmp_path / 'iter_6.pth', weights_only=False)['message_hub']
    assert hub['runtime_info']['best_ckpt'] == str(tmp_path / 'best_mAP_iter_4.pth')

    # Killed before iter_4 was removed and before the third validation: both are made up for
    (tmp_path / 'iter_4.pth').write_bytes((tmp_path / 'iter_5.pth').read_bytes())
    again = Scores(0.5, 0.1)
    make(tmp_path, again, 7, resume=True, max_keep_ckpts=2, save_best='mAP').train()
    assert again.seen[0] == 0.5 and len(again.seen) == 2
    assert names(tmp_path) == ['best_mAP_iter_6.pth', 'iter_6.pth', 'iter_7.pth', 'last_checkpoint']


def test_several_best_ones(tmp_path: Path) -> None:
    hook = AtomicCheckpointHook(save_best=['a_mAP', 'b_mAP'])
    hook.best_ckpt_path_dict = dict(a_mAP='a', b_mAP=None)
    assert hook._best_paths() == dict(a_mAP='a', b_mAP=None)
    hook._set_best_paths(dict(a_mAP='c'))
    assert hook.best_ckpt_path_dict == dict(a_mAP='c', b_mAP=None)


class Figures(Scores):
    """A class without ground truth comes first, as in :class:`SmallObjectMetric`."""

    default_prefix = 'coco'

    def compute_metrics(self, results: list) -> dict[str, float]:
        score = super().compute_metrics(results)['mAP']
        return dict(tram_precision=float('nan'), bbox_mAP=score, bbox_mAP_50=1 - score)


@pytest.mark.parametrize('name', ['auto', 'bbox_mAP', 'coco/bbox_mAP'])
def test_best_by_name(name: str, tmp_path: Path) -> None:
    make(tmp_path, Figures(0.1, 0.3, 0.2), 6, max_keep_ckpts=1, save_best=name).train()
    assert names(tmp_path)[0] == 'best_coco_bbox_mAP_iter_4.pth'


def test_best_by_two_names_and_resumed(tmp_path: Path) -> None:
    both = dict(max_keep_ckpts=1, save_best=['bbox_mAP', 'coco/bbox_mAP_50'])
    make(tmp_path, Figures(0.1, 0.3, 0.2), 6, **both).train()
    best = ['best_coco_bbox_mAP_50_iter_2.pth', 'best_coco_bbox_mAP_iter_4.pth']
    assert names(tmp_path)[:2] == best
    make(tmp_path, Figures(0.2, 0.5), 8, resume=True, **both).train()
    assert names(tmp_path)[:2] == [best[0], 'best_coco_bbox_mAP_iter_8.pth']


def test_best_by_what_there_is_not(tmp_path: Path) -> None:
    message = r"save_best='mAP': .*coco/tram_precision, coco/bbox_mAP, coco/bbox_mAP_50"
    with pytest.raises(UserError, match=message):
        make(tmp_path, Figures(0.1), 2, save_best='mAP').train()
    runner = make(
        tmp_path / 'nan', Figures(0.1, 0.3), 4, save_best='tram_precision', rule='greater'
    )
    runner.train()
    log = next(tmp_path.glob('nan/*/*.log')).read_text()
    assert log.count('has no number for coco/tram_precision') == 1
    assert not list(tmp_path.glob('nan/best*'))


def test_storage_that_is_named_is_used() -> None:
    assert AtomicCheckpointHook().backend_args == dict(backend='whole_file')
    assert AtomicCheckpointHook(out_dir='s3://bucket').backend_args is None
    named = dict(backend='local')
    assert AtomicCheckpointHook(backend_args=named).backend_args == named


def test_a_full_disk(tmp_path: Path, monkeypatch) -> None:
    make(tmp_path, Scores(0.1), 1, max_keep_ckpts=1).train()
    content = (tmp_path / 'iter_1.pth').read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(atomic_write.os, 'fsync', full)
    runner = make(tmp_path, Scores(0.1), 3, resume=True, max_keep_ckpts=1)
    with pytest.raises(UserError, match=r'iter_2.pth: No space left on device\.\n.*iter_1\.pth is'):
        runner.train()
    assert names(tmp_path) == ['iter_1.pth', 'last_checkpoint']
    assert (tmp_path / 'iter_1.pth').read_bytes() == content


@pytest.mark.parametrize('by_epoch', [True, False])
def test_resumed_by_epochs_and_by_iterations(by_epoch: bool, tmp_path: Path) -> None:
    """With a sampler that comes to its end, and a last batch that is smaller."""

    def run(folder: Path, until: int, resume: bool) -> Tensor:
        runner = make(folder, Scores(*[0.1] * 9), until, resume, by_epoch=by_epoch)
        runner.train()
        return runner.model.weight.detach()

    straight = run(tmp_path / 'straight', 7, resume=False)
    run(tmp_path / 'broken', 4, resume=False)
    assert torch.equal(run(tmp_path / 'broken', 7, resume=True), straight)
