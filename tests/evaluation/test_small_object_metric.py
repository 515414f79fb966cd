import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from abc_mmdet.errors import UserError
from abc_mmdet.evaluation import SmallObjectMetric
from mmdet.evaluation import CocoMetric

CLASSES = ('car', 'person', 'bicycle', 'tram')


@pytest.fixture
def ann_file(tmp_path) -> str:
    boxes = [
        (1, [10, 10, 40, 30]),
        (2, [60, 10, 8, 16]),
        (2, [80, 40, 6, 12]),
        (3, [5, 60, 20, 12]),
    ]
    content = dict(
        images=[dict(id=1, file_name='a.png', width=128, height=128)],
        annotations=[
            dict(id=i, image_id=1, category_id=c, bbox=b, area=b[2] * b[3], iscrowd=0)
            for i, (c, b) in enumerate(boxes, 1)
        ],
        categories=[dict(id=i, name=name) for i, name in enumerate(CLASSES, 1)],
    )
    path = tmp_path / 'val.json'
    path.write_text(json.dumps(content))
    return str(path)


def evaluate(ann_file: str, small_classes: tuple[str, ...] | str) -> dict[str, float]:
    metric = SmallObjectMetric(small_classes=small_classes, ann_file=ann_file, metric='bbox')
    metric.dataset_meta = dict(classes=CLASSES)
    # the car and one of two persons are found exactly, the bicycle is not
    detections = dict(
        bboxes=torch.tensor([[10.0, 10, 50, 40], [60, 10, 68, 26], [90, 90, 100, 100]]),
        scores=torch.tensor([0.9, 0.8, 0.7]),
        labels=torch.tensor([0, 1, 2]),
    )
    metric.process({}, [dict(img_id=1, ori_shape=(128, 128), pred_instances=detections)])
    return metric.evaluate(size=1)


def test_mean_over_the_small_classes(ann_file: str) -> None:
    metrics = evaluate(ann_file, ('person', 'bicycle'))
    # one of two persons first: precision 1 at the 51 of 101 recall points up to 0.5
    assert metrics['coco/person_precision'] == pytest.approx(51 / 101, abs=6e-4)
    assert metrics['coco/bicycle_precision'] == 0
    assert metrics['coco/bbox_mAP_small_classes'] == pytest.approx(51 / 202, abs=6e-4)
    assert metrics['coco/bbox_mAP'] == pytest.approx(np.mean([1, 51 / 101, 0]), abs=6e-4)


def test_all_classes_can_be_the_small_ones(ann_file: str) -> None:
    metrics = evaluate(ann_file, 'all')
    assert metrics['coco/bbox_mAP_small_classes'] == metrics['coco/bbox_mAP']
    with pytest.raises(UserError, match="give class names or 'all'"):
        evaluate(ann_file, ())


def test_class_without_ground_truth_is_left_out(ann_file: str) -> None:
    metrics = evaluate(ann_file, ('car', 'tram'))
    assert math.isnan(metrics['coco/tram_precision'])
    assert metrics['coco/bbox_mAP_small_classes'] == 1
    assert 'coco/bbox_mAP_small_classes' not in evaluate(ann_file, ('tram',))


def test_nothing_detected_is_an_ap_of_zero(ann_file: str) -> None:
    metric = SmallObjectMetric(small_classes=('person',), ann_file=ann_file)
    metric.dataset_meta = dict(classes=CLASSES)
    nothing = dict(bboxes=torch.zeros(0, 4), scores=torch.zeros(0), labels=torch.zeros(0).long())
    metric.process({}, [dict(img_id=1, ori_shape=(128, 128), pred_instances=nothing)])
    assert metric.evaluate(size=1)['coco/bbox_mAP'] == 0


def test_unknown_small_class_stops_before_the_evaluation(ann_file: str) -> None:
    metric = SmallObjectMetric(small_classes=('scooter',), ann_file=ann_file)
    with pytest.raises(UserError, match='scooter'):
        metric.dataset_meta = dict(classes=CLASSES)


def test_no_ground_truth_at_all_is_said(tmp_path) -> None:
    metric = SmallObjectMetric(small_classes=('person',))
    metric.dataset_meta = dict(classes=CLASSES)
    metric.process({}, [sample(0, [], [])])
    with pytest.raises(UserError, match='no ground truth'):
        metric.evaluate(size=1)


def sample(
    img_id: int,
    instances: list[dict],
    detections: list[tuple],
    size: tuple[int, int] = (720, 1280),
    timestamp_us: int | None = 1_000_000,
) -> dict:
    """What a detector leaves of an image; detections are (box, label, score)."""
    boxes, labels, scores = zip(*detections, strict=True) if detections else ((), (), ())
    return dict(
        img_id=img_id,
        ori_shape=size,
        instances=instances,
        timestamp_us=timestamp_us,
        pred_instances=dict(
            bboxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
            labels=torch.tensor(labels, dtype=torch.long),
            scores=torch.tensor(scores, dtype=torch.float32),
        ),
    )


def instance(x: float, y: float, side: float, label: int, **more: object) -> dict:
    return dict(bbox=[x, y, x + side, y + side], bbox_label=label, ignore_flag=0, **more)


def run(samples: list[dict], **options) -> dict[str, float]:
    metric = SmallObjectMetric(small_classes=('person', 'bicycle'), **options)
    metric.dataset_meta = dict(classes=CLASSES)
    metric.process({}, samples)
    return {k.removeprefix('coco/'): v for k, v in metric.evaluate(size=1).items()}


def test_shared_metrics_are_those_of_coco_metric() -> None:
    rng = np.random.default_rng(0)
    samples = []
    for i in range(12):
        instances, detections = [], []
        for _ in range(8):
            x, y, side = rng.uniform(0, 300), rng.uniform(0, 300), 2 ** rng.uniform(2, 8)
            label = int(rng.integers(0, 3))
            instances.append(instance(x, y, side, label))
            shift = rng.uniform(0, 0.4) * side
            box = (x + shift, y, x + shift + side, y + side)
            detections.append((box, label if rng.random() < 0.8 else 3, float(rng.random())))
        samples.append(sample(i, instances, detections))
    theirs = CocoMetric(classwise=True)
    theirs.dataset_meta = dict(classes=CLASSES)
    theirs.process({}, samples)
    expected = {k.removeprefix('coco/'): v for k, v in theirs.evaluate(size=12).items()}
    ours = run(samples)
    assert 0.1 < ours['bbox_mAP'] < 0.9
    for key, value in expected.items():
        assert ours[key] == pytest.approx(value, abs=6e-4, nan_ok=True), key


def test_metrics_by_size() -> None:
    instances = [instance(100 * i, 0, side, 1) for i, side in enumerate((6, 12, 24, 60, 99))]
    found = [((0, 0, 6, 6), 1, 0.9), ((200, 0, 224, 24), 1, 0.8)]
    metrics = run([sample(0, instances, found)])
    sizes = {k: metrics[f'bbox_mAP_{k}'] for k in ('very_tiny', 'tiny', 'small', 'medium', 'large')}
    assert sizes == dict(very_tiny=1, tiny=0, small=1, medium=0, large=0)
    assert metrics['bbox_mAP_50_small_classes'] == metrics['person_precision']
    only_small = run([sample(0, instances[:1], found[:1])])
    assert 'bbox_mAP_large' not in only_small, 'no ground truth of this size, no metric'


def test_prophesee_protocol_leaves_out_small_boxes_and_early_frames() -> None:
    samples = [
        # a side of 20 and a diagonal of 60 are just enough, 1 less is not
        sample(0, [dict(bbox=[0, 0, 20, 57], bbox_label=0)], [((0, 0, 20, 57), 0, 0.9)]),
        sample(1, [dict(bbox=[0, 0, 19, 90], bbox_label=0)], [((100, 0, 119, 90), 0, 0.95)]),
        sample(2, [dict(bbox=[0, 0, 40, 40], bbox_label=0)], [((100, 0, 120, 50), 0, 0.95)]),
        sample(3, [instance(0, 0, 80, 0)], [((200, 0, 280, 80), 0, 0.99)], timestamp_us=500_000),
    ]
    metrics = run(samples, protocol=('coco', 'prophesee'))
    assert metrics['bbox_mAP_prophesee'] == 1.0, 'only the first frame has a box that counts'
    assert metrics['bbox_mAP'] < 0.3
    assert run(samples, protocol='prophesee')['bbox_mAP'] == 1.0, 'alone it has the plain names'
    half = [
        sample(i, [dict(bbox=[0, 0, w, h], bbox_label=0)], [((0, 0, w, h), 0, 0.9)], (360, 640))
        for i, (w, h) in enumerate([(10, 29), (9, 90), (20, 22)])
    ]
    assert run(half, protocol='prophesee')['bbox_mAP'] == 1.0, 'half the limits'
    assert 'bbox_mAP' not in run(half[1:], protocol='prophesee'), 'nothing is left'
    with pytest.raises(UserError, match='timestamp_us'):
        run([sample(0, [instance(0, 0, 80, 0)], [], timestamp_us=None)], protocol='prophesee')


def test_prophesee_protocol_leaves_out_frames_without_a_counted_box() -> None:
    """As Prophesee's toolkit and RVT, which evaluate at the times of the boxes that are left."""
    perfect = sample(0, [instance(0, 0, 80, 0)], [((0, 0, 80, 80), 0, 0.5)])
    false_positive = ((200, 200, 280, 280), 0, 0.9)
    crowd = instance(0, 0, 80, 0) | dict(ignore_flag=1)
    for number, uncounted in enumerate(([instance(0, 0, 10, 0)], [], [crowd]), 1):
        samples = [perfect, sample(number, uncounted, [false_positive])]
        both = run(samples, protocol=('coco', 'prophesee'))
        assert both['bbox_mAP_prophesee'] == run(samples, protocol='prophesee')['bbox_mAP'] == 1.0
        assert both['bbox_mAP'] < 0.51, 'COCO counts every frame'
    other_class = [perfect, sample(1, [instance(0, 0, 80, 1)], [false_positive])]
    assert run(other_class, protocol='prophesee')['car_precision'] == pytest.approx(0.5, abs=1e-3)


def test_prophesee_protocol_on_random_frames() -> None:
    """Against COCO's metrics of what a plain loop over the frames leaves."""
    rng = np.random.default_rng(7)
    samples, left = [], []
    for i in range(60):
        size, time = ((360, 640), (720, 1280))[i % 2], int(rng.integers(0, 3)) * 500_000
        side, diagonal = (10, 30) if i % 2 == 0 else (20, 60)
        instances, detections = [], []
        for _ in range(int(rng.integers(0, 3))):
            x, y, w, h = (*rng.uniform(0, 200, 2), *rng.uniform(5, 70, 2))
            box, label = [x, y, x + w, y + h], int(rng.integers(0, 3))
            instances.append(dict(bbox=box, bbox_label=label, ignore_flag=0))
            moved = tuple(np.add(box, rng.uniform(0, 6, 4)).astype(np.float32).tolist())
            detections.append((moved, label, float(rng.random())))
        x, y = rng.uniform(0, 300, 2)
        detections.append(((x, y, x + 60, y + 60), 0, float(rng.random())))
        samples.append(sample(i, instances, detections, size, time))

        def is_large(box: list[float], side: float = side, diagonal: float = diagonal) -> bool:
            w, h = box[2] - box[0], box[3] - box[1]
            return min(w, h) >= side and (w * w + h * h) ** 0.5 >= diagonal

        large = [one for one in instances if is_large(one['bbox'])]
        if time > 500_000 and large:
            found = [one for one in detections if is_large(one[0])]
            left.append(sample(i, large, found, size, time))
    assert 5 < len(left) < 30
    ours, expected = run(samples, protocol='prophesee'), run(left)
    assert 0.1 < ours['bbox_mAP'] < 0.9
    assert ours == pytest.approx(expected, nan_ok=True)


def test_table_counts_what_each_protocol_counts(monkeypatch) -> None:
    printed: list[str] = []
    logger = SimpleNamespace(get_current_instance=lambda: SimpleNamespace(info=printed.append))
    monkeypatch.setattr('abc_mmdet.evaluation.small_object_metric.MMLogger', logger)
    samples = [sample(0, [instance(0, 0, 6, 1), instance(50, 50, 90, 0)], [])]
    run(samples, protocol=('coco', 'prophesee'))
    lines = [line.split() for text in printed for line in text.splitlines()]
    assert ['coco', 'person', '1', '1', '0', '0', '0', '0'] in lines
    assert ['prophesee', 'person', '0', '0', '0', '0', '0', '0'] in lines
    assert ['prophesee', 'car', '1', '0', '0', '0', '1', '0'] in lines
    assert any(line[:4] == ['tram', 'no', 'ground', 'truth'] for line in lines)


def test_subsets_ignore_all_others() -> None:
    instances = [instance(0, 0, 40, 1, still=True), instance(100, 0, 40, 1, still=False)]
    moving_found = [((100, 0, 140, 40), 1, 0.9)]
    metrics = run([sample(0, instances, moving_found)], subsets=('still',))
    assert metrics['bbox_mAP_50'] == pytest.approx(51 / 101, abs=1e-3)
    assert metrics['bbox_mAP_50_still'] == 0, 'and finding the other is no mistake either:'
    both_found = [*moving_found, ((0, 0, 40, 40), 1, 0.5)]
    assert run([sample(0, instances, both_found)], subsets=('still',))['bbox_mAP_still'] == 1


@pytest.mark.parametrize('options', [dict(protocol='voc'), dict(protocol=())])
def test_options_that_do_not_exist(options: dict) -> None:
    with pytest.raises(UserError, match='SmallObjectMetric'):
        SmallObjectMetric(small_classes=('person',), **options)


def _evaluate_as_one_of_two(rank: int, port: int, results) -> None:
    import torch.distributed as dist

    dist.init_process_group('gloo', f'tcp://127.0.0.1:{port}', rank=rank, world_size=2)
    # the first process has three frames, the second one, which the sampler gave to both
    frames = [(0, True), (1, False), (2, False)] if rank == 0 else [(0, True)]
    samples = [
        sample(i, [instance(0, 0, 40, 1)], [((0, 0, 40, 40), 1, 0.9)] if hit else [])
        for i, hit in frames
    ]
    results.put((rank, run(samples)['bbox_mAP_50']))
    dist.destroy_process_group()


def test_processes_count_every_frame_once() -> None:
    import multiprocessing
    import socket

    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context('fork')
    results = context.Queue()
    processes = [
        context.Process(target=_evaluate_as_one_of_two, args=(rank, port, results))
        for rank in range(2)
    ]
    for process in processes:
        process.start()
    metrics = dict(results.get(timeout=600) for _ in processes)
    for process in processes:
        process.join()
    # one of three boxes is found: precision 1 at the 34 of 101 recall points up to a third
    assert metrics[0] == metrics[1] == pytest.approx(34 / 101, abs=1e-3)


def two_files() -> list[dict]:
    """Images of two data sets that number theirs from 0; objects of the first are found."""
    return [
        dict(sample(i, [instance(40 * i, 0, 40, 1)], detections), img_path=f'{name}/{i}.png')
        for name, is_found in (('day', True), ('night', False))
        for i in range(2)
        for detections in ([((40 * i, 0, 40 * i + 40, 40), 1, 0.9)] if is_found else [],)
    ]


def test_images_of_two_files_with_the_same_ids_all_count() -> None:
    renumbered = [dict(s, img_id=i) for i, s in enumerate(two_files())]
    metrics = run(two_files())
    # two of four boxes, all of them right: precision 1 at the 51 of 101 recall points up to 0.5
    assert metrics['bbox_mAP'] == pytest.approx(51 / 101, abs=1e-4)
    assert metrics == pytest.approx(run(renumbered), nan_ok=True)
    twice = [*two_files(), *two_files()[:1]]  # as samplers fill up the last batch
    assert run(twice) == pytest.approx(metrics, nan_ok=True)


def test_results_of_images_with_the_same_id_are_not_written(tmp_path) -> None:
    with pytest.raises(UserError, match=r'the id 0: day/0\.png and night/0\.png.*NAME\.pkl'):
        run(two_files(), outfile_prefix=str(tmp_path / 'found'))
    with pytest.raises(UserError, match='the id 0'):
        run(two_files(), outfile_prefix=str(tmp_path / 'found'), format_only=True)
    assert not list(tmp_path.iterdir())


def write(path, images: list[dict], annotations: list[dict]) -> str:
    categories = [dict(id=f'c{i}', name=name) for i, name in enumerate(CLASSES)]
    path.write_text(json.dumps(dict(images=images, annotations=annotations, categories=categories)))
    return str(path)


def of_three_images(tmp_path) -> str:
    """A person in each of three images; ids are text, as in ``frame_000000``."""
    return write(
        tmp_path / 'three.json',
        [dict(id=f'frame_{i}', file_name=f'{i}.png', width=128, height=128) for i in range(3)],
        [
            dict(id=i, image_id=f'frame_{i}', category_id='c1', bbox=[0, 0, 40, 40], area=1600)
            for i in range(3)
        ],
    )


def test_images_that_were_not_evaluated_are_not_missed(tmp_path) -> None:
    found = [((0, 0, 40, 40), 1, 0.9)]
    first = dict(sample('frame_0', [], found), img_path='there/0.png')
    second = dict(sample('frame_1', [], []), img_path='there/1.png')
    ann_file = of_three_images(tmp_path)
    assert run([first], ann_file=ann_file)['bbox_mAP'] == 1
    metrics = run([first, second], ann_file=ann_file, metric_items=('mAP', 'AR@100', 'AR_m@1000'))
    half = pytest.approx(51 / 101, abs=1e-4)
    wanted = {'bbox_mAP': half, 'bbox_AR@100': 0.5, 'bbox_AR_m@1000': 0.5}
    assert {k: v for k, v in metrics.items() if k.startswith('bbox')} == wanted


def test_annotation_file_of_other_images(tmp_path) -> None:
    ann_file = of_three_images(tmp_path)
    for img_id, path, message in (
        ('frame_7', 'there/7.png', "has no image 'frame_7'"),
        ('frame_1', 'there/7.png', r'1\.png in .*three\.json, .* but there/7\.png'),
    ):
        with pytest.raises(UserError, match=message):
            run([dict(sample(img_id, [], []), img_path=path)], ann_file=ann_file)
    both = [dict(sample('frame_0', [], []), img_path=f'{name}/0.png') for name in 'ab']
    with pytest.raises(UserError, match='Leave out ann_file'):
        run(both, ann_file=ann_file)


def test_samples_without_ground_truth() -> None:
    with pytest.raises(UserError, match="'instances' to the meta_keys"):
        run([{k: v for k, v in sample(0, [], []).items() if k != 'instances'}])


def test_in_place_of_coco_metric() -> None:
    """With all options of its own, and their effect."""
    box = instance(0, 0, 40, 1)
    samples = [sample(i, [box], [((0, 0, 40, 40), 1, 0.9)] if i else []) for i in range(2)]
    options: dict = dict(classwise=True, metric_items=['mAP', 'AR@300', 'AR_m@1000'])
    metrics = []
    for kind in (CocoMetric, SmallObjectMetric):
        metric = kind(**options)
        metric.dataset_meta = dict(classes=CLASSES)
        metric.process({}, samples)
        metrics.append(metric.evaluate(size=2))
    assert list(metrics[0]) == list(metrics[1])
    assert metrics[0] == pytest.approx(metrics[1], abs=6e-4, nan_ok=True)
    assert not any(key.endswith('precision') for key in run(samples, classwise=False))
    with pytest.raises(UserError, match=r"metric_items=\['mAR'\]: known are \['mAP', .*'AR@100'"):
        SmallObjectMetric(metric_items=('mAP', 'mAR'))
