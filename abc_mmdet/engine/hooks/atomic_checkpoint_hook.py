"""Checkpoints that are there as a whole or not at all."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend
from mmengine.fileio.backends import register_backend
from mmengine.hooks import CheckpointHook
from mmengine.runner import EpochBasedTrainLoop, Runner

from abc_mmdet.engine.checkpoint_files import POINTER
from abc_mmdet.engine.monitored_metrics import best_key, known_keys, no_such_key
from abc_mmdet.errors import UserError
from abc_mmdet.utils.atomic_write import remove_partial_files, replace_file
from mmdet.registry import HOOKS

BACKEND = 'whole_file'


@register_backend(BACKEND)
class AtomicFileBackend(LocalBackend):
    """MMEngine's storage on the local disk, where files appear under their names when whole.

    Examples:
        >>> AtomicFileBackend().put_text('whole', 'example.txt')
        >>> Path('example.txt').read_text()
        'whole'
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        Path(filepath).parent.mkdir(parents=True, exist_ok=True)
        replace_file(Path(filepath), obj)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        self.put(obj.encode(encoding), filepath)


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """:class:`CheckpointHook` that leaves a whole checkpoint behind whenever the run dies.

    - A checkpoint is written beside its place, flushed to the disk and renamed; so is
      ``last_checkpoint``. Outdated ones, best ones too, go only after that.
    - Checkpoints are written before the validation of their iteration. A run that is resumed from
      one does that validation first: the killed one may not have come to its end.
    - What a killed run has left half-written is removed when the next one begins.
    - ``save_best`` names a metric with or without its prefix (``coco/bbox_mAP``, ``bbox_mAP``), and
      one that the validation cannot have is refused before the first iteration; ``'auto'`` is the
      mean average precision.

    All processes call the hooks' ``before_checkpoint`` before a checkpoint is written, for what
    has to be gathered from them.

    Args:
        *args, **kwargs: as in ``CheckpointHook``. With ``backend_args``, or an ``out_dir`` that is
            not local, that storage decides how files are written.

    Raises:
        UserError: a checkpoint cannot be written, say, because the disk is full. The one before
            is whole. Or ``save_best`` names a metric that there is not.

    Examples:
        >>> hook = HOOKS.build(dict(type='AtomicCheckpointHook', interval=100, save_best='auto'))
        >>> hook.interval
        100
    """

    keep_ckpt_ids: deque[int]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        is_local = '://' not in str(kwargs.get('out_dir') or '')
        if is_local and not kwargs.get('file_client_args'):
            kwargs['backend_args'] = kwargs.get('backend_args') or dict(backend=BACKEND)
        super().__init__(*args, **kwargs)

    def before_train(self, runner: Runner) -> None:
        self._possible_keys = known_keys(runner)
        self._said: set[str] = set()
        if self._possible_keys:
            self._find_best_keys(runner, self._possible_keys)
        super().before_train(runner)
        if self.save_best:  # a work dir that was copied names those of the original
            self._set_best_paths({k: self._here(p) for k, p in self._best_paths().items()})
        if is_main_process():
            for folder in {Path(self.out_dir), Path(runner.work_dir)}:
                for path in remove_partial_files(folder):
                    runner.logger.info(f'Removed {path}, which a killed run left half-written')
        if runner._resume and validation_is_due(runner):
            runner.val_loop.run()

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        kept, outdated = [], []
        if self.max_keep_ckpts > 0:
            kept = [number for number in self.keep_ckpt_ids if number != step] + [step]
            kept, outdated = kept[-self.max_keep_ckpts :], kept[: -self.max_keep_ckpts]
            # The outdated ones too: a run that dies before they are removed does so when resumed
            runner.message_hub.update_info('keep_ckpt_ids', outdated + kept)
        name = self.filename_tmpl.format(step)
        path = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', path)
        runner.call_hook('before_checkpoint')
        with self._failure_is_named(runner, path):
            runner.save_checkpoint(
                self.out_dir,
                name,
                self.file_client_args,
                save_optimizer=self.save_optimizer,
                save_param_scheduler=self.save_param_scheduler,
                meta=meta,
                by_epoch=self.by_epoch,
                backend_args=self.backend_args,
                **self.args,
            )
            if is_main_process():
                replace_file(Path(runner.work_dir) / POINTER, path.encode())
        self.last_ckpt = path
        for number in outdated:
            former = self.filename_tmpl.format(number)
            self._remove(self.file_backend.join_path(self.out_dir, former))
        if self.max_keep_ckpts > 0:
            self.keep_ckpt_ids = deque(kept, self.max_keep_ckpts)
            runner.message_hub.update_info('keep_ckpt_ids', kept)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        if not self.save_best:
            return
        self._find_best_keys(runner, [*metrics, *(self._possible_keys or [])])
        for key in self.key_indicators:
            value = metrics.get(key)
            if (value is None or not math.isfinite(value)) and key not in self._said:
                self._said.add(key)
                runner.logger.warning(
                    f'The validation has no number for {key} (no ground truth of it?), by which '
                    'default_hooks.checkpoint.save_best keeps the best checkpoint: none is kept.'
                )
        metrics = {**dict.fromkeys(self.key_indicators), **metrics}
        former = self._best_paths()
        self._set_best_paths(dict.fromkeys(former))  # which MMEngine would remove first
        with self._failure_is_named(runner, 'the best checkpoint'):
            super()._save_best_checkpoint(runner, metrics)
        new = self._best_paths()
        self._set_best_paths({key: new.get(key) or path for key, path in former.items()})
        for key, path in former.items():
            if path and new.get(key) not in (None, path):
                self._remove(path)
                runner.logger.info(f'The previous best checkpoint {path} is removed')

    def _find_best_keys(self, runner: Runner, keys: list[str]) -> None:
        """Put keys that there are in place of the names in ``save_best``."""
        if not self.save_best:
            return
        found = []
        for name in self.key_indicators:
            key = best_key(name, keys)
            if key is None:
                raise no_such_key('default_hooks.checkpoint.save_best', name, keys)
            found.append(key)
        if found == list(self.key_indicators):
            return
        self._init_rule(self.rules, found)
        if len(found) > 1:
            info = runner.message_hub.runtime_info
            self.best_ckpt_path_dict = {key: info.get(f'best_ckpt_{key}') for key in found}

    def _here(self, path: str | None) -> str | None:
        """The file of this name in the folder of this run."""
        return path and self.file_backend.join_path(self.out_dir, Path(path).name)

    def _best_paths(self) -> dict[str, str | None]:
        if len(self.key_indicators) == 1:
            return {'': self.best_ckpt_path}
        return dict(self.best_ckpt_path_dict)

    def _set_best_paths(self, paths: dict[str, str | None]) -> None:
        if len(self.key_indicators) == 1:
            self.best_ckpt_path = paths['']
        else:
            self.best_ckpt_path_dict.update(paths)

    def _remove(self, path: str) -> None:
        if not is_main_process():
            return
        if self.file_backend.isfile(path):
            self.file_backend.remove(path)
        elif self.file_backend.isdir(path):  # as DeepSpeed writes them
            self.file_backend.rmtree(path)

    @contextmanager
    def _failure_is_named(self, runner: Runner, path: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            pointer = Path(runner.work_dir) / POINTER
            earlier = f'{pointer.read_text()} is whole' if pointer.exists() else 'There is none yet'
            raise UserError(
                f'cannot write {path}: {error.strerror or error}.\n{earlier}. Make room, then go '
                'on with --resume.'
            ) from error


def validation_is_due(runner: Runner) -> bool:
    """Whether the train loop would validate after what has been trained so far."""
    loop = runner.train_loop
    if runner.val_loop is None or not hasattr(loop, 'val_interval'):
        return False
    loop._decide_current_val_interval()
    by_epoch = isinstance(loop, EpochBasedTrainLoop)
    done, last = (loop.epoch, loop.max_epochs) if by_epoch else (loop.iter, loop.max_iters)
    return done >= max(loop.val_begin, 1) and (done % loop.val_interval == 0 or done == last)
