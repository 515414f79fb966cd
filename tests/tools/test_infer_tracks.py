"""tools/infer.py --track: numbers in all lists, of videos and of folders of images."""

import csv
import json
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from abc_mmdet.apis import load_experiment
from abc_mmdet.inference import Detector, SequenceTracker, Tracking

from ..warm_python import python
from .test_infer import CONFIG, TINY, TOOL

SCORE = 0.28
NUMBER = 4


@pytest.fixture(scope='module')
def model(random_weights, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Config and checkpoint."""
    folder = tmp_path_factory.mktemp('run')
    config = load_experiment(CONFIG, TINY)
    random_weights(config, folder / 'weights.pth')
    config.dump(folder / 'config.py')
    return str(folder / 'config.py'), str(folder / 'weights.pth')


def images() -> list[np.ndarray]:
    """Blobs that move to the right."""
    blobs = np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8)
    still = np.kron(blobs, np.ones((8, 8, 1), np.uint8))
    return [np.roll(still, 3 * number, axis=1) for number in range(NUMBER)]


def test_videos_and_folders(model, tmp_path: Path) -> None:
    inputs, out = tmp_path / 'in', tmp_path / 'out'
    (inputs / 'walk').mkdir(parents=True)
    codec = cv2.VideoWriter.fourcc(*'MJPG')
    writer = cv2.VideoWriter(str(inputs / 'street.avi'), codec, 5, (96, 64))
    for number, image in enumerate(images(), start=8):  # 8, 9, 10, 11: not the order of letters
        writer.write(image)
        cv2.imwrite(str(inputs / 'walk' / f'{number}.png'), image)
    writer.release()
    command = [python(), TOOL, *model, inputs, '--out', out, '--track', '--batch=3', '--slice=64']
    done = subprocess.run(
        [*map(str, command), f'--score-thr={SCORE}', '--reach=2'],
        **dict(cwd=tmp_path, capture_output=True, text=True),
    )
    assert done.returncode == 0, done.stderr
    listed = json.loads((out / 'detections.json').read_text())
    by_id = {image['id']: image for image in listed['images']}
    walk = [image for image in listed['images'] if image['video'] == 'walk']
    assert [i['file_name'] for i in walk] == [f'walk/{n}.png' for n in range(8, 8 + NUMBER)]
    assert [i['number'] for i in walk] == list(range(NUMBER))
    tracks = {(by_id[a['image_id']]['video'], a['track_id']) for a in listed['annotations']}
    assert f'{len(tracks)} tracks with {len(listed["annotations"])} detections' in done.stdout

    with open(out / 'detections.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert [int(row['track_id']) for row in rows] == [a['track_id'] for a in listed['annotations']]

    slicing = dict(slice_size=(64, 64))
    detector = Detector(*model, device='cpu', slicing=slicing)
    tracker = SequenceTracker(Tracking(reach=2, score_thr=SCORE))
    expected = [tracker(detector(image), number) for number, image in enumerate(images())]
    assert sum(map(len, expected)) > 20
    seen = [set(found.ids.tolist()) for found in expected]
    assert seen[0] & seen[-1], 'something is followed all the way'
    for sequence in ('walk', 'street.avi'):
        lines = (out / 'tracks' / f'{sequence}.txt').read_text().splitlines()
        mot = np.array([[float(value) for value in line.split(',')] for line in lines])
        assert (mot[:, 7:] == -1).all() and mot.shape[1] == 10
        own = [a for a in listed['annotations'] if by_id[a['image_id']]['video'] == sequence]
        own.sort(key=lambda a: (by_id[a['image_id']]['number'], a['track_id']))
        of_list = [(by_id[a['image_id']]['number'] + 1, a['track_id'], *a['bbox']) for a in own]
        assert np.allclose(mot[:, :6], of_list, atol=0.006)
    for number, found in enumerate(expected):  # of the folder, whose pixels are those given
        of_image = [a for a in listed['annotations'] if a['image_id'] == walk[number]['id']]
        assert [a['track_id'] for a in of_image] == found.ids.tolist()
        drawn = cv2.imread(str(out / 'images' / walk[number]['file_name']))
        assert np.array_equal(drawn, found.draw(0))
