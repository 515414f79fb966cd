"""Figures of published evaluation toolkits on a constructed case: no test, but where they are from.

The toolkits stay outside of this repository; give the folder of a clone:

    python tests/evaluation/published_toolkits.py aitod cocoapi-aitod
    python tests/evaluation/published_toolkits.py soda SODA-mmdetection
    python tests/evaluation/published_toolkits.py tinyperson TinyBenchmark
    python tests/evaluation/published_toolkits.py visdrone VisDrone2018-DET-toolkit  # GNU Octave

Commits: jwwangchn/cocoapi-aitod 44a230a, shaunyuan22/SODA-mmdetection 51e4975,
ucas-vg/TinyBenchmark 36436df, VisDrone/VisDrone2018-DET-toolkit 0054457.
"""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

import numpy as np

WIDTH, HEIGHT = 320, 240
CLASSES = ('pedestrian', 'people', 'bicycle')
CATEGORIES = (1, 2, 3)
IMAGES = [dict(id=i, file_name=f'{i}.jpg', width=WIDTH, height=HEIGHT) for i in range(1, 7)]


def case() -> tuple[list[dict], list[dict], list[dict]]:
    """Objects, ignored regions and detections; one image has 700 detections.

    Every ninth object has the mark ``ignore``, every eleventh ``uncertain``. In VisDrone's files
    the former are objects of score 0, the latter of category 11, ``others``.
    """
    rng = np.random.RandomState(0)
    objects: list[dict] = []
    regions: list[dict] = []
    found: list[dict] = []
    for image in IMAGES:
        where = dict(image_id=image['id'])
        for _ in range(2):
            x, y, w, h = rng.randint([0, 0, 20, 20], [200, 140, 100, 80]).tolist()
            regions.append(dict(where, bbox=[x, y, w, h], area=w * h))
        for _ in range(30):
            side = 2 ** rng.uniform(1.2, 5.7, 2)
            w, h = np.maximum(np.rint(side), 2).astype(int).tolist()
            x, y = rng.randint(0, WIDTH - w), rng.randint(0, HEIGHT - h)
            label = int(rng.choice([1, 1, 1, 2, 2, 3])) if image['id'] < 5 else 1
            n = len(objects)
            objects.append(
                dict(
                    where,
                    category_id=label,
                    bbox=[int(x), int(y), w, h],
                    area=w * h,
                    ignore=int(n % 9 == 8),
                    uncertain=int(n % 11 == 10),
                )
            )
            for _ in range(rng.randint(0, 4)):
                jitter = rng.normal(0, 0.12, 4) * [w, h, w, h]
                box = np.array([x, y, w, h]) + jitter
                box[2:] = np.maximum(box[2:], 1.5)
                seen_as = label if rng.rand() < 0.85 else int(rng.choice(CATEGORIES))
                found.append(dict(where, category_id=seen_as, bbox=box.tolist(), score=1.0))
        for _ in range(600 if image['id'] == 3 else 20):
            w, h = 2 ** rng.uniform(1.5, 5.5, 2)
            box = [rng.uniform(0, WIDTH - w), rng.uniform(0, HEIGHT - h), w, h]
            label = int(rng.choice(CATEGORIES))
            found.append(dict(where, category_id=label, bbox=box, score=0.6))
    scores = rng.permutation(len(found)) / len(found)
    for detection, score in zip(found, scores.tolist(), strict=True):
        detection['score'] *= score
        detection['bbox'] = [round(float(v), 2) for v in detection['bbox']]
    return objects, regions, found


def _coco_sides(objects: list[dict], found: list[dict]) -> tuple[Any, Any]:
    from pycocotools.coco import COCO

    sides = []
    base = dict(images=IMAGES, categories=[dict(id=c) for c in CATEGORIES])
    for records in (objects, found):
        side = COCO()
        side.dataset = dict(
            base,
            annotations=[
                dict(dict(iscrowd=0, area=r['bbox'][2] * r['bbox'][3]), **r, id=i)
                for i, r in enumerate(records, 1)
            ],
        )
        side.createIndex()
        sides.append(side)
    return sides[0], sides[1]


def _module(path: Path) -> types.ModuleType:
    """A toolkit's file, with what NumPy and its own package no longer have."""
    linspace = np.linspace
    np.float = float  # type: ignore[attr-defined]
    np.linspace = lambda low, high, number, **more: linspace(  # type: ignore[assignment]
        low, high, int(number), **more
    )
    text = path.read_text().replace('from . import mask', 'from pycocotools import mask')
    module = types.ModuleType(path.stem)
    exec(compile(text, str(path), 'exec'), module.__dict__)
    return module


def _coco_like(toolkit: str, clone: Path) -> dict[str, float]:
    file, name, options = {
        'aitod': ('aitodpycocotools/aitodpycocotools/cocoeval.py', 'COCOeval', {}),
        'soda': ('mmdet/datasets/sodad_eval/sodadeval.py', 'SODADeval', {}),
        'tinyperson': (
            'tiny_benchmark/maskrcnn_benchmark/data/datasets/evaluation/coco/cocoeval.py',
            'COCOeval',
            dict(ignore_uncertain=True, use_iod_for_ignore=True),
        ),
    }[toolkit]
    module = _module(clone / file)
    if toolkit == 'tinyperson':
        module.Params.EVAL_STRANDARD = 'tiny'
    objects, _, found = case()
    if toolkit == 'aitod':  # whose evaluation does as COCO's: crowds alone are ignored
        objects = [dict(o, iscrowd=o['ignore']) for o in objects]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        run = getattr(module, name)(*_coco_sides(objects, found), 'bbox', **options)
        run.evaluate()
        run.accumulate()
        run.summarize()
    lines = [line for line in printed.getvalue().splitlines() if ' @[' in line and ')' in line]
    titles = [line.strip().rsplit(' = ', 1)[0] for line in lines]
    return {title: float(value) for title, value in zip(titles, run.stats, strict=False)}


_OCTAVE = """
addpath('{utils}');
function m = mean2(a); m = mean(a(:)); end
function disp(x); end
allgt = {{}}; alldet = {{}};
for i = 1:{number}
  [gt, det] = dropObjectsInIgr(load(sprintf('gt%d.txt', i)), load(sprintf('det%d.txt', i)), ...
                               {height}, {width});
  keep = gt(:, 5); gt(keep == 0, 5) = 1; gt(keep == 1, 5) = 0;
  allgt{{i}} = gt; alldet{{i}} = det;
end
[a, b, c, d, e, f, g] = calcAccuracy({number}, allgt, alldet);
printf('%.17g\\n', [a, b, c, d, e, f, g] / 100);
"""


def _visdrone(clone: Path) -> dict[str, float]:
    objects, regions, found = case()
    with tempfile.TemporaryDirectory() as folder:
        for number, image in enumerate(IMAGES, 1):
            truth = [
                [*o['bbox'], 1 - o['ignore'], o['category_id'], 0, 0]
                for o in _of(objects, image)
                if not o['uncertain']
            ]
            truth += [[*o['bbox'], 0, 11, 0, 0] for o in _of(objects, image) if o['uncertain']]
            truth += [[*r['bbox'], 0, 0, 0, 0] for r in _of(regions, image)]
            best = sorted(_of(found, image), key=lambda d: -d['score'])
            seen = [[*d['bbox'], d['score'], d['category_id'], -1, -1] for d in best]
            for name, rows in (('gt', truth), ('det', seen)):
                text = '\n'.join(','.join(map(repr, row)) for row in rows)
                Path(folder, f'{name}{number}.txt').write_text(text)
        script = _OCTAVE.format(
            utils=clone.resolve() / 'utils', number=len(IMAGES), height=HEIGHT, width=WIDTH
        )
        Path(folder, 'run_case.m').write_text(script)
        command = ['octave-cli', '--no-gui', 'run_case.m']
        output = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if not output.stdout.strip():
            raise RuntimeError(output.stderr)
    names = ('AP', 'AP50', 'AP75', 'AR1', 'AR10', 'AR100', 'AR500')
    values = map(float, output.stdout.split()[-len(names) :])
    return dict(zip(names, values, strict=True))


def _of(records: list[dict], image: dict) -> list[dict]:
    return [record for record in records if record['image_id'] == image['id']]


if __name__ == '__main__':
    kind, folder = sys.argv[1], Path(sys.argv[2])
    figures = _visdrone(folder) if kind == 'visdrone' else _coco_like(kind, folder)
    print(json.dumps(figures, indent=4))
