"""mmcv's ops without compiled mmcv, against a plain NMS and in fresh interpreters."""

import ast
import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import mmcv
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmengine.utils.dl_utils.misc import mmcv_full_available

from abc_mmdet.utils import mmcv_ops

from ..warm_python import python

REPOSITORY = Path(__file__).parents[2]
ops_are_ours = pytest.mark.skipif(
    mmcv_ops.provider() == 'compiled mmcv', reason='this mmcv has compiled ops'
)


def greedy_nms(boxes, scores, iou_threshold, offset=0):
    """The definition: take the best box, drop all that overlap it by more, repeat."""
    left, top, right, bottom = boxes.T
    areas = (right - left + offset) * (bottom - top + offset)
    order, kept = np.argsort(-scores, kind='stable'), []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(best)
        width = np.minimum(right[best], right[rest]) - np.maximum(left[best], left[rest])
        height = np.minimum(bottom[best], bottom[rest]) - np.maximum(top[best], top[rest])
        shared = np.clip(width + offset, 0, None) * np.clip(height + offset, 0, None)
        with np.errstate(invalid='ignore'):  # two boxes without area
            iou = shared / (areas[best] + areas[rest] - shared)
        order = rest[~(iou > boxes.dtype.type(iou_threshold))]
    return kept


@st.composite
def scored_boxes(draw, min_boxes=0, max_boxes=40):
    """Boxes with integer corners, so that IoU is exact up to one rounding, and scores with ties."""
    count = draw(st.integers(min_boxes, max_boxes))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    corners = rng.integers(0, draw(st.integers(1, 60)), (count, 2))
    sizes = rng.integers(0, 25, (count, 2))
    boxes = np.concatenate([corners, corners + sizes], axis=1).astype(np.float32)
    return boxes, rng.integers(0, 2 * max_boxes, count).astype(np.float32)


@given(
    scored_boxes(),
    st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.5, 0.65, 0.7, 1.0]),
    st.sampled_from([0, 1]),
    st.sampled_from([np.float32, np.float64]),
)
def test_nms_keeps_what_the_definition_keeps(scored, iou_threshold, offset, dtype):
    boxes, scores = (array.astype(dtype) for array in scored)
    kept = mmcv_ops.nms(torch.from_numpy(boxes), torch.from_numpy(scores), iou_threshold, offset)
    assert kept.dtype == torch.int64
    assert kept.tolist() == greedy_nms(boxes, scores, iou_threshold, offset)


@pytest.mark.parametrize(
    ('second', 'offset', 'iou'),
    [
        ([5.0, 0.0, 10.0, 10.0], 0, 0.5),  # 50 / 100
        ([0.0, 0.0, 4.0, 10.0], 1, 5 / 11),  # 55 / 121
        ([8.0, 0.0, 20.0, 10.0], 0, 0.1),  # 20 / 200, where 0.1 is above itself in double
    ],
)
def test_an_overlap_of_exactly_the_threshold_is_no_reason_to_drop(second, offset, iou):
    boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], second])
    scores = torch.tensor([0.9, 0.8])
    assert mmcv_ops.nms(boxes, scores, iou, offset).tolist() == [0, 1]
    assert mmcv_ops.nms(boxes, scores, iou - 1e-3, offset).tolist() == [0]


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.int64])
def test_nms_takes_the_dtypes_of_mixed_precision(dtype):
    boxes = torch.tensor([[0, 0, 10, 10], [0, 0, 10, 9], [20, 20, 30, 30]], dtype=dtype)
    scores = torch.tensor([3, 2, 1], dtype=dtype)
    assert mmcv_ops.nms(boxes, scores, 0.5, offset=1).tolist() == [0, 2]


@given(scored_boxes(min_boxes=1), st.integers(1, 4), st.sampled_from([0.3, 0.5, 0.65]))
def test_batched_nms_of_mmcv_suppresses_within_each_class(scored, num_classes, iou_threshold):
    boxes, _ = scored
    rng = np.random.default_rng(len(boxes))
    scores = rng.permutation(len(boxes)).astype(np.float32)
    classes = rng.integers(0, num_classes, len(boxes))
    expected = []
    for label in range(num_classes):
        (own,) = np.nonzero(classes == label)
        expected.extend(own[greedy_nms(boxes[own], scores[own], iou_threshold)])
    expected.sort(key=lambda index: -scores[index])

    dets, kept = importlib.import_module('mmcv.ops').batched_nms(
        torch.from_numpy(boxes),
        torch.from_numpy(scores),
        torch.from_numpy(classes),
        dict(type='nms', iou_threshold=iou_threshold),
    )
    assert kept.tolist() == expected
    np.testing.assert_array_equal(dets[:, :4].numpy(), boxes[expected])
    np.testing.assert_array_equal(dets[:, 4].numpy(), scores[expected])


def test_nms_of_no_boxes_keeps_none():
    assert mmcv_ops.nms(torch.zeros(0, 4), torch.zeros(0), 0.5, offset=1).shape == (0,)


def test_mmengine_finds_the_module_by_its_spec():
    spec = importlib.util.find_spec('mmcv._ext')
    assert spec is not None
    assert spec.name == 'mmcv._ext'
    assert mmcv_full_available()


def ops_mmcv_asks_for():
    """Every name that a module of ``mmcv.ops`` loads from the extension."""
    names = set()
    for file in Path(mmcv.__file__).parent.glob('ops/*.py'):
        for call in ast.walk(ast.parse(file.read_text(encoding='utf-8'))):
            if isinstance(call, ast.Call) and getattr(call.func, 'attr', '') == 'load_ext':
                names.update(ast.literal_eval(call.args[1]))
    return sorted(names)


@ops_are_ours
def test_every_other_op_says_its_name_and_how_to_get_it():
    ops = importlib.import_module('mmcv._ext')
    names = ops_mmcv_asks_for()
    served = {name for name in names if getattr(ops, name).__name__ != name}
    assert served == {'get_compiler_version', 'get_compiling_cuda_version'}
    refused = [name for name in names if name not in served and name != 'nms']
    assert len(refused) > 50
    for name in refused:
        with pytest.raises(NotImplementedError, match=f'"{name}".*pip install .*onedl-mmcv'):
            getattr(ops, name)(torch.zeros(1), keyword=1)


@ops_are_ours
def test_an_op_called_through_mmcv_is_refused_by_name():
    boxes, scores = torch.zeros(2, 4), torch.zeros(2)
    with pytest.raises(NotImplementedError, match='"softnms"'):
        importlib.import_module('mmcv.ops').soft_nms(boxes, scores)


@ops_are_ours
def test_environment_reports_of_mmcv_work():
    report = importlib.import_module('mmcv.utils').collect_env()
    assert 'not compiled' in report['MMCV Compiler']


# Where all has been imported: as if this package had not been.
FRESH = """
import sys
for name in [n for n in sys.modules if n.split('.')[0] == 'abc_mmdet' or n == 'mmcv._ext']:
    del sys.modules[name]
sys.meta_path[:] = [f for f in sys.meta_path if type(f).__name__ != 'OpsFinder']
"""


def run_python(code, *args):
    return subprocess.run(
        [python(), '-c', FRESH + code, *map(str, args)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=600,
    )


# Loads mmcv_ops.py alone: importing the package would have installed it already.
LOAD_ALONE = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location('alone', 'abc_mmdet/utils/mmcv_ops.py')
alone = importlib.util.module_from_spec(spec)
spec.loader.exec_module(alone)
"""


def test_nothing_is_touched_where_the_real_module_exists(tmp_path):
    (tmp_path / '_ext.py').write_text('def nms(): return "the real one"\n')
    done = run_python(
        LOAD_ALONE
        + """
import mmcv
mmcv.__path__.insert(0, sys.argv[1])
hooks, modules = list(sys.meta_path), set(sys.modules)
assert alone.install() is False
assert sys.meta_path == hooks
assert set(sys.modules) == modules
assert alone.provider() == 'compiled mmcv'
import mmcv._ext
assert mmcv._ext is sys.modules['mmcv._ext']
print(mmcv._ext.nms(), mmcv._ext.__file__)
""",
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f'the real one {tmp_path / "_ext.py"}'


@ops_are_ours
def test_a_second_install_changes_nothing():
    hooks = list(sys.meta_path)  # the first was by `import abc_mmdet`
    assert mmcv_ops.install() is True
    assert sys.meta_path == hooks
    assert mmcv_ops.provider() == 'torchvision (nms only)'


def test_without_mmcv_the_message_leads_to_the_doctor():
    done = run_python('import sys; sys.modules["mmcv"] = None; import abc_mmdet')
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1] == (
        'ModuleNotFoundError: mmcv is not installed. `python -m abc_mmdet.doctor` shows the '
        'command that installs what is missing.'
    )
