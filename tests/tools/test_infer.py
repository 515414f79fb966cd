"""tools/infer.py on images of all kinds, videos and what is neither."""

import csv
import json
import os
import runpy
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from abc_mmdet.apis import load_experiment
from abc_mmdet.inference import Detector
from abc_mmdet.inference.images import read_image

from ..warm_python import python

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools/infer.py'
CONFIG = str(ROOT / 'configs/small/abc_synthetic.py')
TINY = {
    'model.backbone.widen_factor': 0.125,
    'model.backbone.deepen_factor': 0.1,
    'model.neck.in_channels': [16, 32, 64, 128],
}
SIZES = {  # width and height, upright
    'colour.jpg': (96, 64),
    'deep.png': (64, 64),
    'folder/alpha.png': (96, 64),
    'folder/grey.png': (96, 64),
    'palette.png': (64, 96),
    'turned.jpg': (64, 96),
}
CORRUPT = ('cut.jpg', 'empty.png', 'video.avi', 'text.png')


@pytest.fixture(scope='module')
def model(random_weights, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Config and checkpoint."""
    folder = tmp_path_factory.mktemp('run')
    config = load_experiment(CONFIG, TINY)
    random_weights(config, folder / 'weights.pth')
    config.dump(folder / 'config.py')
    return str(folder / 'config.py'), str(folder / 'weights.pth')


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Whole and corrupt images, and a video."""
    folder = tmp_path_factory.mktemp('inputs')
    (folder / 'folder').mkdir()
    grey = np.random.default_rng(0).integers(0, 256, (64, 96), np.uint8)
    colour = np.dstack([grey, grey[::-1], grey[:, ::-1]])
    exif = Image.Exif()
    exif[0x0112] = 8
    cv2.imwrite(str(folder / 'colour.jpg'), colour)
    cv2.imwrite(str(folder / 'folder' / 'grey.png'), grey)
    cv2.imwrite(str(folder / 'folder' / 'alpha.png'), np.dstack([colour, grey]))
    cv2.imwrite(str(folder / 'deep.png'), grey[:, :64].astype(np.uint16) * 257)
    Image.fromarray(colour.transpose(1, 0, 2)).quantize(64).save(folder / 'palette.png')
    Image.fromarray(colour).save(folder / 'turned.jpg', exif=exif)
    content = (folder / 'colour.jpg').read_bytes()
    (folder / 'cut.jpg').write_bytes(content[: len(content) // 2])
    (folder / 'empty.png').touch()
    (folder / 'text.png').write_text('no image')
    (folder / 'video.avi').write_text('no video')
    writer = cv2.VideoWriter(str(folder / 'clip.mp4'), cv2.VideoWriter.fourcc(*'mp4v'), 5, (96, 64))
    for i in range(5):
        writer.write(np.roll(colour, 8 * i, axis=1))
    writer.release()
    return folder


@pytest.fixture
def infer(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs the tool in this process; its exit code."""

    def run(*arguments: object) -> int:
        monkeypatch.setattr(sys, 'argv', [str(TOOL), *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(str(TOOL), run_name='__main__')
        return int(stop.value.code or 0)

    return run


def test_a_folder_with_everything_in_it(model, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / 'out'
    result = subprocess.run(
        [python(), TOOL, *model, folder, '--out', out, '--batch=2', '--score-thr=0.26'],
        **dict(cwd=tmp_path, capture_output=True, text=True),
    )
    assert result.returncode == 1, result.stderr
    assert 'Traceback' not in result.stderr
    assert 'left out: 4 of 11 files' in result.stderr
    assert '15/15' in result.stderr  # the images of the video count
    for name in CORRUPT:
        assert f'{folder / name} is ' in result.stderr

    coco = COCO(out / 'detections.json')
    by_name = {image['file_name']: image for image in coco.loadImgs(coco.getImgIds())}
    of_video = {name: image for name, image in by_name.items() if 'video' in image}
    assert {n: (i['width'], i['height']) for n, i in by_name.items() if n not in of_video} == SIZES
    assert sorted(of_video) == [f'clip.mp4/{i:06d}.jpg' for i in range(5)]
    assert {image['video'] for image in of_video.values()} == {'clip.mp4'}
    assert len(coco.anns) > 50
    assert len(coco.loadRes(coco.dataset['annotations']).anns) == len(coco.anns)

    detector = Detector(*model, device='cpu')
    for name in SIZES:
        expected = detector(folder / name).above(0.26)
        written = [a for a in coco.anns.values() if a['image_id'] == by_name[name]['id']]
        corners = np.array([a['bbox'] for a in written]).reshape(-1, 4)
        corners[:, 2:] += corners[:, :2]
        assert np.allclose(corners, expected.boxes, atol=0.01)
        assert [a['category_id'] - 1 for a in written] == expected.labels.tolist()
        drawn = read_image(out / 'images' / name)
        assert drawn.shape == (SIZES[name][1], SIZES[name][0], 3)
        if name.endswith('.png'):
            assert np.array_equal(drawn, detector(folder / name).draw(0.26))

    with open(out / 'detections.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    names = {category['id']: category['name'] for category in coco.dataset['categories']}
    for row, annotation in zip(rows, coco.dataset['annotations'], strict=True):
        x, y, width, _ = annotation['bbox']
        assert row['class'] == names[annotation['category_id']]
        assert [float(row[key]) for key in ('x1', 'y1', 'score')] == [x, y, annotation['score']]
        assert float(row['x2']) == pytest.approx(x + width, abs=0.002)
    video = cv2.VideoCapture(str(out / 'images' / 'clip.mp4'))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 5
    written = {str(path.relative_to(out)) for path in out.rglob('*') if path.is_file()}
    images = {f'images/{name}' for name in (*SIZES, 'clip.mp4')}
    assert written == {*images, 'detections.csv', 'detections.json'}


def test_fifty_megapixels(infer: Callable[..., int], model, tmp_path: Path) -> None:
    image = np.zeros((6250, 8000, 3), np.uint8)
    image[1000:4000, 2000:5000] = 200
    cv2.imwrite(str(tmp_path / 'large.jpg'), image)
    assert infer(*model, tmp_path / '*.jpg', '--out', tmp_path / 'out', '--score-thr', 0.25) == 0
    content = json.loads((tmp_path / 'out' / 'detections.json').read_text())
    assert (content['images'][0]['width'], content['images'][0]['height']) == (8000, 6250)
    boxes = np.array([found['bbox'] for found in content['annotations']])
    assert boxes.max() > 4000  # pixels of the file
    assert (read_image(tmp_path / 'out' / 'images' / 'large.jpg') != image).any()


@pytest.mark.parametrize(
    ('inputs', 'message'),
    [
        (['empty'], 'empty: there is no image and no video in it'),
        (['missing.jpg'], 'missing.jpg does not exist'),
        ([], 'Give CONFIG, CHECKPOINT and at least one INPUT'),
        (['a.jpg', '--merge', 'wbf'], '--merge is of slices'),
        (['a.jpg', '--slice', '64x64', '--overlap', '2'], 'overlap=2.0: give'),
        (['a.jpg', '--device', 'meta'], 'device meta cannot be used'),
        (['a.jpg', '--batch', '0'], '--batch 0: give a number from 1 on'),
        (['a.jpg', '--onnx', 'a.onnx', '--cfg-options', 'a=1'], '--cfg-options needs CONFIG'),
        (['a.jpg', '--onnx', 'a.onnx', '--slice', '64x64'], 'there is no file a.onnx'),
        (['a.jpg', '--onnx', 'a.onnx', '--engine', 'pytorch'], '--engine pytorch runs CONFIG and'),
        (['a.jpg', '--engine', 'openvino'], '--engine openvino runs a file: write it with'),
        (['a.jpg', '--reach', '2'], '--reach is of tracking: add --track'),
        (['a.jpg', '--track-by', 'iou'], '--track-by is of tracking: add --track'),
        (['a.jpg', '--track', '--reach', '0'], 'reach=0: give by how many of its sizes'),
        (['a.jpg', '--track', '--track-by', 'iou', '--reach', '2'], '--reach is not for'),
    ],
)
def test_mistakes_end_in_one_message(
    inputs: list[str],
    message: str,
    infer: Callable[..., int],
    model,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'empty').mkdir()
    cv2.imwrite('a.jpg', np.zeros((8, 8, 3), np.uint8))
    assert infer(*model, *inputs, '--out', 'out') == 2
    assert message in capfd.readouterr().err
    assert not (tmp_path / 'out').exists()


def test_inputs_are_not_drawn_over(
    infer: Callable[..., int], model, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    original = tmp_path / 'images' / 'a.jpg'
    original.parent.mkdir()
    cv2.imwrite(str(original), np.zeros((8, 8, 3), np.uint8))
    content = original.read_bytes()
    for given, message in (
        (original, 'is one of the inputs'),
        (original.parent, 'all of it lies in'),
    ):
        assert infer(*model, given, '--out', tmp_path, '--score-thr', 0) == 2
        assert message in capfd.readouterr().err
    assert [path for path in tmp_path.rglob('*') if path.is_file()] == [original]
    assert original.read_bytes() == content


def test_a_place_that_cannot_be_written_to(
    infer: Callable[..., int], model, folder: Path, tmp_path: Path, capfd
) -> None:
    (tmp_path / 'out').touch()
    assert infer(*model, folder / 'colour.jpg', '--out', tmp_path / 'out') == 2
    assert 'cannot write' in capfd.readouterr().err


def write_video(path: Path, codec: str = 'MJPG') -> None:
    """Eight images, which have to be told from one another to be found."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 10, (96, 64))
    for i in range(8):
        writer.write(np.roll(noise, 8 * i, axis=1))
    writer.release()


def test_an_odd_file_costs_no_other_its_results(
    infer: Callable[..., int], model, folder: Path, tmp_path: Path, capfd
) -> None:
    inputs, out = tmp_path / 'in', tmp_path / 'out'
    inputs.mkdir()
    content = (folder / 'colour.jpg').read_bytes()
    whole = ['a.jpg', 'm.jpg', f'{"n" * 245}.jpg', 'z.jpg']
    for name in (*whole, os.fsdecode(b'caf\xe9.jpg')):
        (inputs / name).write_bytes(content)
    (inputs / f'{"o" * 245}.pgm').write_bytes(content)  # OpenCV writes no colours to such
    cv2.imwrite(str(inputs / 'b.png'), np.zeros((5000, 1, 3), np.uint8))
    cv2.imwrite(str(inputs / 'c.png'), np.zeros((1, 5000, 3), np.uint8))
    write_video(tmp_path / 'video.avi')
    video = (tmp_path / 'video.avi').read_bytes()
    (inputs / 'video.avi').write_bytes(video[: len(video) // 2])
    (inputs / f'{"v" * 250}.avi').write_bytes(video)  # .mp4 does not fit behind it
    assert infer(*model, inputs, '--out', out, '--score-thr=0.27', '--batch=4') == 1
    said = capfd.readouterr().err
    for problem in (
        'b.png: an image of 1 x 5000 pixels cannot be brought to the size of',
        'c.png: an image of 5000 x 1 pixels cannot be brought to the size of',
        'caf\\xe9.jpg: the name is not UTF-8',
        'video.avi is cut off or damaged: 4 of its 8 images could be read',
        'v.avi: cannot write',
    ):
        assert problem in said
    assert 'Traceback' not in said
    images = json.loads((out / 'detections.json').read_text())['images']
    names = [image['file_name'] for image in images]
    alone = [name for name in names if '/' not in name]
    assert alone == [*whole[:3], f'{"o" * 245}.pgm', 'z.jpg']
    of_video = [name for name in names if name.startswith('video')]
    assert of_video == [f'video.avi/{i:06d}.jpg' for i in range(4)]
    drawn = cv2.VideoCapture(str(out / 'images' / 'video.avi.mp4'))
    assert drawn.get(cv2.CAP_PROP_FRAME_COUNT) == 4
    assert all((out / 'images' / name).is_file() for name in whole)
    assert not list(out.rglob('.*')), 'nothing is left half written'


def test_results_are_written_as_they_come(model, tmp_path: Path) -> None:
    out = tmp_path / 'out'
    for i in range(400):
        cv2.imwrite(str(tmp_path / f'{i:03d}.jpg'), np.zeros((64, 64, 3), np.uint8))
    run = subprocess.Popen(
        [python(), TOOL, *model, tmp_path, '--out', out], stderr=subprocess.DEVNULL
    )
    while not (out / 'detections.csv').exists():
        assert run.poll() is None
        time.sleep(0.01)
    run.kill()
    assert run.wait() != 0
    assert json.loads((out / 'detections.json').read_text())['images']


def test_nothing_above_the_threshold_is_said_with_the_best_score(
    infer: Callable[..., int], model, folder: Path, tmp_path: Path, capfd
) -> None:
    best = Detector(*model, device='cpu')(folder / 'colour.jpg').scores[0]
    assert infer(*model, folder / 'colour.jpg', '--out', tmp_path, '--score-thr', 0.99) == 0
    said = capfd.readouterr().out
    assert f'The best score is {best:.3g}: try --score-thr {best / 2:.2g}' in said


def test_the_threshold_of_a_report(
    infer: Callable[..., int], model, folder: Path, tmp_path: Path, capfd
) -> None:
    page = tmp_path / 'report.html'
    page.write_text(
        '<meta name="best-f1-thresholds" content="{&#34;a&#34;: 0.27, &#34;b&#34;: 0.9}">'
    )
    given = (*model, folder / 'colour.jpg', '--out', tmp_path / 'out', '--score-thr', 'auto')
    assert infer(*given, '--report', f'a={page}') == 0
    assert '--score-thr 0.27: the best F1' in capfd.readouterr().out
    scores = [
        found['score']
        for found in json.loads((tmp_path / 'out/detections.json').read_text())['annotations']
    ]
    assert scores and min(scores) >= 0.27
    for report, message in (
        (page, 'has the results a, b: name one'),
        (tmp_path / 'none.html', 'No such file'),
        (folder / 'text.png', 'has no score thresholds'),
    ):
        assert infer(*given, '--report', report) == 2
        assert message in capfd.readouterr().err


def test_dark_images_are_named_once(
    infer: Callable[..., int], model, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of 16 bits with the range of 12; in the folders that their images are in."""
    values = np.random.default_rng(0).integers(0, 4096, (64, 96), np.uint16)
    for folder, factor in (('dark/a', 1), ('dark/b', 1), ('bright', 16)):
        (tmp_path / 'in' / folder).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / 'in' / folder / '1.png'), values * factor)
    assert infer(*model, tmp_path / 'in', '--out', tmp_path / 'out') == 0
    said = capsys.readouterr().err
    assert 'warning: dark images of 16 bits: 2\n' in said
    assert said.count('of 65535') == 2 and 'bright' not in said
    drawn = {
        p.relative_to(tmp_path / 'out/images').as_posix()
        for p in tmp_path.rglob('*1.png')
        if 'out' in p.parts
    }
    assert drawn == {'dark/a/1.png', 'dark/b/1.png', 'bright/1.png'}


def test_two_images_are_not_drawn_into_one_file(
    infer: Callable[..., int], model, folder: Path, tmp_path: Path, capsys
) -> None:
    grey = np.zeros((64, 64), np.uint8)
    cv2.imwrite(str(tmp_path / 'a.pgm'), grey)
    cv2.imwrite(str(tmp_path / 'a.pgm.jpg'), grey)
    assert infer(*model, tmp_path, '--out', tmp_path / 'out') == 2
    assert 'would both be drawn as' in capsys.readouterr().err


def test_slices_of_images_of_many_sizes(
    infer: Callable[..., int], model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``test.py`` in batches of 1 and of 8 and ``infer.py`` find the same, inside the images."""
    config, checkpoint = model
    sizes = [(96, 64), (150, 100), (64, 130), (96, 64), (150, 100), (70, 66)]
    rng = np.random.default_rng(0)
    images = []
    for number, (width, height) in enumerate(sizes):
        name = f'{number}.png'
        cv2.imwrite(str(tmp_path / name), rng.integers(0, 256, (height, width, 3), np.uint8))
        images.append(dict(id=number, file_name=name, width=width, height=height))
    names = load_experiment(config).classes
    truth = dict(
        images=images,
        annotations=[
            dict(id=n, image_id=n, category_id=1, bbox=[20, 20, 12, 9], area=108, iscrowd=0)
            for n in range(len(sizes))
        ],
        categories=[dict(id=k, name=name) for k, name in enumerate(names, start=1)],
    )
    (tmp_path / 'truth.json').write_text(json.dumps(truth))
    found = {}
    for batch in (1, 8):
        out = tmp_path / f'of_{batch}'
        arguments = [
            *(config, checkpoint, '--slice', '64', '--work-dir', tmp_path / 'work', '--out', out),
            *('--cfg-options', f'test_dataloader.batch_size={batch}'),
            *('test_dataloader.num_workers=0', 'test_dataloader.persistent_workers=False'),
            *(
                f'{p}={tmp_path}/truth.json'
                for p in ('test_evaluator.ann_file', 'test_dataloader.dataset.ann_file')
            ),
            *(
                f'test_dataloader.dataset.data_root={tmp_path}',
                'test_dataloader.dataset.data_prefix.img=',
            ),
        ]
        tool = str(ROOT / 'tools/test.py')
        monkeypatch.setattr(sys, 'argv', [tool, *map(str, arguments)])
        runpy.run_path(tool, run_name='__main__')
        found[batch] = json.loads(Path(f'{out}.bbox.json').read_text())
    assert infer(*model, tmp_path, '--slice', '64', '--out', tmp_path / 'out') == 0
    listed = json.loads((tmp_path / 'out/detections.json').read_text())
    number = {image['id']: int(image['file_name'][0]) for image in listed['images']}
    found['infer'] = [{**a, 'image_id': number[a['image_id']]} for a in listed['annotations']]
    for number, (width, height) in enumerate(sizes):
        rows = {
            name: np.array(
                [
                    [*a['bbox'], a['score'], a['category_id']]
                    for a in sorted(of, key=lambda a: -a['score'])
                    if a['image_id'] == number and a['score'] >= 0.3
                ]
            )
            for name, of in found.items()
        }
        assert len(rows[1]) > 3
        right, low = rows[1][:, 0] + rows[1][:, 2], rows[1][:, 1] + rows[1][:, 3]
        assert rows[1][:, :2].min() >= 0 and right.max() <= width and low.max() <= height
        for name in (8, 'infer'):
            assert rows[name].shape == rows[1].shape, (number, name)
            assert np.abs(np.sort(rows[name], axis=0) - np.sort(rows[1], axis=0)).max() < 0.02
