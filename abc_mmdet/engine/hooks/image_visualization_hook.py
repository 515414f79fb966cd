"""Images of detections under the names that their images have, folders included."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from mmengine.runner import Runner

from abc_mmdet.datasets.wrapped import leaves
from mmdet.engine.hooks import DetVisualizationHook
from mmdet.registry import HOOKS
from mmdet.structures import DetDataSample


@HOOKS.register_module()
class ImageVisualizationHook(DetVisualizationHook):
    """:class:`DetVisualizationHook` that keeps the folders of the images apart.

    That one writes all images of a test into one folder, by the last part of their names: of
    ``camera_1/0001.jpg`` and ``camera_2/0001.jpg`` only one is left. Here they lie below the
    folder as their images do below the one they have in common. Options as in
    :class:`DetVisualizationHook`, whose place it takes in ``tools/train.py`` and ``tools/test.py``.
    """

    test_out_dir: str | None
    _root: str | None = None

    def before_test(self, runner: Runner) -> None:
        """Find the folder that all images of the test have in common."""
        if self.draw and self.test_out_dir is not None:
            self._root = common_folder(leaves(runner.test_dataloader.dataset))

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict, outputs: Sequence[DetDataSample]
    ) -> None:
        folder = self.test_out_dir
        for sample in outputs:
            if folder is not None:
                self.test_out_dir = os.path.join(folder, self._below_root(sample.img_path))
            super().after_test_iter(runner, batch_idx, data_batch, [sample])
        self.test_out_dir = folder

    def _below_root(self, path: str) -> str:
        """The folder of an image below the one that all have in common."""
        if self._root is None:
            return ''
        below = os.path.relpath(os.path.dirname(path), self._root)
        return '' if below.startswith('..') else below


def common_folder(datasets: Sequence[Any]) -> str | None:
    """The innermost folder that all images of data sets are in; None if there is none."""
    folders = {
        os.path.dirname(info['img_path'])
        for dataset in datasets
        if hasattr(dataset, 'get_data_info')
        for info in map(dataset.get_data_info, range(len(dataset)))
        if info.get('img_path')
    }
    try:
        return os.path.commonpath(folders)
    except ValueError:  # no images, or absolute and relative names together
        return None
