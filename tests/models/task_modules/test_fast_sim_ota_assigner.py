"""FastSimOTAAssigner against MMDetection's own SimOTAAssigner."""

import inspect
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from mmengine.structures import InstanceData
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from abc_mmdet.models.task_modules import FastSimOTAAssigner
from mmdet.models.task_modules.assigners import SimOTAAssigner, sim_ota_assigner
from mmdet.registry import TASK_UTILS
from mmdet.structures.bbox import HorizontalBoxes

INF = sim_ota_assigner.INF
AGREEMENT = 1e-5  # costs this close may be ranked either way in float32
DEVICES = ['cpu', *(['cuda'] if torch.cuda.is_available() else [])]


@pytest.fixture(autouse=True, scope='module')
def one_thread():
    """The scenes are too small to share; on a busy machine waiting for threads takes minutes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Recorded:
    """Keeps what the assigner it is mixed into hands to the matching."""

    def dynamic_k_matching(self, cost, pairwise_ious, num_gt, valid_mask):
        self.seen = SimpleNamespace(
            cost=cost.clone(), ious=pairwise_ious.clone(), valid=valid_mask.clone()
        )
        return super().dynamic_k_matching(cost, pairwise_ious, num_gt, valid_mask)


class RecordedReference(Recorded, SimOTAAssigner):
    pass


class RecordedFast(Recorded, FastSimOTAAssigner):
    pass


class Float64Reference(RecordedReference):
    """MMDetection's assigner, its class cost in float64 instead of float32.

    The scores it is given must be exact in float32, to which ``assign`` casts them first.
    """

    def assign(self, *args, **kwargs):
        functional = SimpleNamespace(one_hot=F.one_hot, binary_cross_entropy=self._float64_bce)
        with mock.patch.object(sim_ota_assigner, 'F', functional):
            return super().assign(*args, **kwargs)

    @staticmethod
    def _float64_bce(scores, target, reduction):
        return F.binary_cross_entropy(scores.double(), target.double(), reduction=reduction)

    def dynamic_k_matching(self, *args):
        ious, gts = super().dynamic_k_matching(*args)
        return ious.float(), gts  # assign stores them in a float32 tensor


def random_scene(rng, dtype=torch.float64, scores_dtype=None, saturated=False):
    """Priors, predictions and boxes of one image; any count may be 0.

    Coordinates are halves of integers, so that priors often lie exactly on a border; some boxes
    have no area, some lie where no prior is. With ties, some predictions and some boxes (with
    their labels) are exact copies. Saturated scores are all 0 or 1, otherwise a few are.
    """
    num_priors, num_gt = int(rng.integers(2, 400)), int(rng.integers(1, 40))
    if rng.random() < 0.2:
        num_priors, num_gt = (int(rng.choice([0, 1, n])) for n in (num_priors, num_gt))
    num_classes = int(rng.integers(1, 12))
    extent = rng.choice([20, 80, 200])  # the smaller, the more boxes share a prior
    strides = rng.choice([4, 8, 16], num_priors)
    centers = (rng.integers(0, extent // 4, (num_priors, 2)) + 0.5) * 4
    priors = np.column_stack([centers, strides, strides])

    low = rng.integers(-10, extent, (num_gt, 2)) + rng.choice([0, 0.5], (num_gt, 2))
    size = rng.integers(0, 1 + extent // rng.integers(1, 5), (num_gt, 2))
    gts = np.hstack([low, low + size]) + (1e4 if rng.random() < 0.05 else 0)
    labels = rng.integers(0, num_classes, num_gt)
    if num_gt and rng.random() < 0.3:  # a crowd: variations of one box
        gts = gts[:1] + rng.integers(-2, 3, gts.shape)

    half = rng.integers(1, 20, (num_priors, 2))
    bboxes = np.hstack([centers - half, centers + half]).astype(float)
    if num_gt and num_priors:
        learned = rng.random(num_priors) < rng.random()
        noise = rng.normal(0, rng.choice([0, 0.5, 3]), bboxes.shape)
        bboxes = np.where(
            learned[:, None], gts[rng.integers(0, num_gt, num_priors)] + noise, bboxes
        )
    scores = rng.random((num_priors, num_classes)) ** rng.choice([1, 4])
    extreme = np.full(scores.shape, saturated) | (rng.random(scores.shape) < rng.choice([0, 0.1]))
    scores = np.where(extreme, rng.integers(0, 2, scores.shape), scores)

    if num_priors and rng.random() < 0.5:
        copied = rng.integers(0, num_priors, num_priors)
        copied = np.where(rng.random(num_priors) < 0.6, copied, np.arange(num_priors))
        priors, bboxes, scores = priors[copied], bboxes[copied], scores[copied]
    if num_gt and rng.random() < 0.3:
        copied = rng.integers(0, num_gt, num_gt)
        gts, labels = gts[copied], labels[copied]

    scores = torch.tensor(scores).float().to(scores_dtype or dtype)
    predictions = InstanceData(
        priors=torch.tensor(priors, dtype=dtype).reshape(-1, 4),
        bboxes=torch.tensor(bboxes, dtype=dtype).reshape(-1, 4),
        scores=scores,
    )
    return predictions, InstanceData(
        bboxes=torch.tensor(gts, dtype=dtype).reshape(-1, 4), labels=torch.tensor(labels)
    )


def random_options(rng):
    return dict(
        center_radius=float(rng.choice([0.5, 1.5, 2.5])),
        candidate_topk=int(rng.choice([1, 4, 10, 15])),
        iou_weight=float(rng.choice([3.0, 0.7])),
        cls_weight=float(rng.choice([1.0, 0.3, 0.0])),
    )


def assert_same(actual, expected):
    assert actual.num_gts == expected.num_gts
    for field in ('gt_inds', 'labels', 'max_overlaps'):
        ours, theirs = getattr(actual, field), getattr(expected, field)
        assert ours.dtype == theirs.dtype, field
        assert torch.equal(ours, theirs), field


def float32_tolerance(cost):
    """How close two costs must be to count as equal: AGREEMENT, relative above 1.

    The penalty of 100,000 is on top: it rounds the sum to multiples of 1/128.
    """
    is_penalised = cost > INF / 2
    penalty = torch.where(is_penalised, INF, 0.0)
    ulp_of_penalised = torch.finfo(torch.float32).eps * INF
    return AGREEMENT * (cost - penalty).abs().clamp(min=1) + is_penalised * ulp_of_penalised


def is_explained(cost, ious, candidate_topk, gt_inds, tolerance):
    """Whether some ranking of the costs yields the assignment, if ``tolerance`` apart is a tie.

    ``cost``, ``ious`` and ``tolerance`` are (valid, G); ``gt_inds`` (valid,) as in AssignResult.
    A box surely takes the priors clearly cheaper than the first one it leaves, and may take
    those about as cheap as the last one it takes. An unassigned prior must be sure of no box. An
    assigned one is either taken by its box and surely by no other, or by several boxes, and then
    no box is clearly cheaper than its own.
    """
    num_candidates = min(candidate_topk, len(ious))
    ks = ious.topk(num_candidates, dim=0).values.sum(0).int().clamp(min=1).long()
    ranked = torch.cat([cost.sort(dim=0).values, torch.full_like(cost[:1], torch.inf)])
    last_taken, first_left = ranked.gather(0, ks[None] - 1), ranked.gather(0, ks[None])
    sure, maybe = cost < first_left - tolerance, cost <= last_taken + tolerance

    is_assigned = gt_inds > 0
    own = F.one_hot((gt_inds - 1).clamp(min=0), cost.size(1)).bool() & is_assigned[:, None]
    may_be_contested = maybe.sum(1) > 1
    is_cheapest = (own & (cost <= cost.min(1, keepdim=True).values + tolerance)).any(1)
    is_taken = (own & maybe).any(1) & ~(sure & ~own).any(1)
    is_fine = torch.where(is_assigned, is_taken | (may_be_contested & is_cheapest), ~sure.any(1))
    # a box has neither too many priors nor too few, whichever they are
    fewest = (own & maybe & ~may_be_contested[:, None]).sum(0)
    most = (maybe & (own | (is_assigned & may_be_contested)[:, None])).sum(0)
    return bool(is_fine.all() and (fewest <= ks).all() and (ks <= most).all())


def assert_explained(actual, reference, tolerance):
    """The assignment is one that ``reference``, a recorded assigner, may give with other ties."""
    seen = reference.seen
    gt_inds = actual.gt_inds[seen.valid]
    assert is_explained(seen.cost, seen.ious, reference.candidate_topk, gt_inds, tolerance)
    matched = gt_inds.nonzero().squeeze(1)
    assert torch.equal(
        actual.max_overlaps[seen.valid][matched], seen.ious[matched, gt_inds[matched] - 1]
    )
    assert not actual.gt_inds[~seen.valid].any()


# --- identical results ---------------------------------------------------------------------------


@pytest.mark.parametrize('seed', range(4))
@pytest.mark.parametrize('saturated', [False, True])
def test_float64_equals_mmdet(seed, saturated):
    num_assigned = 0
    for case in range(400):
        rng = np.random.default_rng([seed, case])
        scene, options = random_scene(rng, saturated=saturated), random_options(rng)
        expected = Float64Reference(**options).assign(*scene)
        assert_same(FastSimOTAAssigner(**options).assign(*scene), expected)
        num_assigned += int((expected.gt_inds > 0).sum())
    assert num_assigned > 4000  # the scenes are not empty


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('seed', range(3))
def test_float32_differs_from_mmdet_between_equal_costs_only(seed, device):
    num_assigned = num_different = 0
    for case in range(300):
        rng = np.random.default_rng([seed, case])
        scene = [part.to(device) for part in random_scene(rng, torch.float32)]
        options = random_options(rng)
        reference, fast = RecordedReference(**options), RecordedFast(**options)
        expected, actual = reference.assign(*scene), fast.assign(*scene)
        if not hasattr(reference, 'seen'):
            assert_same(actual, expected)
            continue
        assert_explained(actual, reference, float32_tolerance(reference.seen.cost))
        assert torch.equal(fast.seen.ious, reference.seen.ious)
        difference = (fast.seen.cost - reference.seen.cost).abs()
        assert (difference <= float32_tolerance(reference.seen.cost)).all()
        num_assigned += int((expected.gt_inds > 0).sum())
        num_different += int((actual.gt_inds != expected.gt_inds).sum())
    assert num_assigned > 3000
    assert num_different <= num_assigned * 0.005


@pytest.mark.parametrize('scores_dtype', [torch.float16, torch.bfloat16])
def test_amp_class_cost_is_within_one_unit_in_the_last_place(scores_dtype):
    num_assigned = 0
    for case in range(300):
        rng = np.random.default_rng([17, case])
        scene, options = random_scene(rng, torch.float32, scores_dtype), random_options(rng)
        reference, fast = RecordedReference(**options), RecordedFast(**options)
        expected, actual = reference.assign(*scene), fast.assign(*scene)
        if not hasattr(reference, 'seen'):
            assert_same(actual, expected)
            continue
        valid = reference.seen.valid
        theirs = mmdet_class_cost(scene[0].scores[valid], scene[1].labels)
        ours = FastSimOTAAssigner().class_cost(scene[0].scores[valid], scene[1].labels)
        assert ours.dtype == theirs.dtype == scores_dtype
        # neighbouring non-negative floats have neighbouring bit patterns
        assert (ours.view(torch.int16) - theirs.view(torch.int16)).abs().max() <= 1

        assert fast.seen.cost.dtype == reference.seen.cost.dtype
        ulp = torch.finfo(scores_dtype).eps * theirs.float() * options['cls_weight']
        tolerance = float32_tolerance(reference.seen.cost) + 2 * ulp  # the weight rounds, too
        assert_explained(actual, reference, tolerance)
        num_assigned += int((expected.gt_inds > 0).sum())
    assert num_assigned > 3000


def mmdet_class_cost(scores, labels):
    """As ``SimOTAAssigner.assign`` computes it."""
    onehot = F.one_hot(labels, scores.shape[-1]).float().expand(len(scores), -1, -1)
    repeated = scores.float().unsqueeze(1).expand_as(onehot)
    return F.binary_cross_entropy(repeated, onehot, reduction='none').sum(-1).to(scores.dtype)


@pytest.mark.parametrize('num_classes', [1, 8, 80])
def test_class_cost_is_exact_next_to_saturated_scores(num_classes):
    """Where clamped terms of 100 cancel, float32 sums are off by 1e-5; these are not."""
    scores = torch.rand(500, num_classes).pow(6)
    scores[torch.rand_like(scores) < 0.1] = 1.0
    scores[torch.rand_like(scores) < 0.1] = 0.0
    scores[0], scores[1], scores[2] = 0.0, 1.0, 1e-45
    labels = torch.arange(num_classes)
    onehot = torch.eye(num_classes).double().expand(500, -1, -1)
    repeated = scores.double().unsqueeze(1).expand_as(onehot)
    expected = F.binary_cross_entropy(repeated, onehot, reduction='none').sum(-1)
    actual = FastSimOTAAssigner().class_cost(scores, labels)
    torch.testing.assert_close(actual, expected.float(), rtol=1.2e-7, atol=1e-12)


# --- geometry and matching -----------------------------------------------------------------------


@given(
    dtype=st.sampled_from([torch.float16, torch.float32, torch.float64]),
    radius=st.sampled_from([0.1, 0.5, 2.5, 1 / 3]),
    seed=st.integers(0, 2**32 - 1),
)
def test_geometry_equals_mmdet_on_the_borders(dtype, radius, seed):
    """Priors on, and one unit in the last place beside, the borders of boxes and centre regions."""
    rng = np.random.default_rng(seed)
    num_gt = int(rng.integers(1, 6))
    low = torch.tensor(rng.normal(0, 30, (num_gt, 2)), dtype=dtype)
    size = torch.tensor(rng.integers(0, 3, (num_gt, 2)) * rng.random(), dtype=dtype)
    gts = torch.cat([low, low + size], 1)
    strides = torch.tensor(rng.choice([1, 4, 7], (8 * num_gt, 2)), dtype=dtype)
    center = (gts[:, :2] + gts[:, 2:]) / 2
    centers = center.repeat(8, 1)
    edges = torch.cat([gts[:, :2], gts[:, 2:], gts[:, [0, 3]], center], 0).repeat(2, 1)
    edges[4 * num_gt :] = (centers + radius * strides * int(rng.choice([-1, 1])))[4 * num_gt :]
    exact = torch.cat([edges, strides], 1)
    up, down = (  # NumPy's, as that of PyTorch 2.1 has no float16
        torch.from_numpy(np.nextafter(edges.numpy(), edges.new_tensor(end).numpy()))
        for end in (np.inf, -np.inf)
    )
    priors = torch.cat([exact, *(torch.cat([near, strides], 1) for near in (up, down))])

    theirs = SimOTAAssigner(center_radius=radius).get_in_gt_and_in_center_info(priors, gts)
    ours = FastSimOTAAssigner(center_radius=radius).get_in_gt_and_in_center_info(priors, gts)
    assert torch.equal(ours[0], theirs[0])
    assert torch.equal(ours[1], theirs[1])


@given(
    dtype=st.sampled_from([torch.float16, torch.float32, torch.float64]),
    size=st.sampled_from([0.0, 1e-4, 1e-3, 0.1, 50.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_ious_equal_mmdet_bit_for_bit(dtype, size, seed):
    """Down to unions below mmdet's floor of 1e-6, where the floor is the denominator."""
    rng = np.random.default_rng(seed)
    low = rng.integers(0, 3, (12, 2)) * size
    boxes = torch.tensor(np.hstack([low, low + rng.exponential(size, (12, 2))]), dtype=dtype)
    assigner = FastSimOTAAssigner()
    ious = assigner.pairwise_ious(boxes, boxes[3:])
    expected = assigner.iou_calculator(boxes, boxes[3:])
    assert ious.dtype == expected.dtype
    assert torch.equal(ious, expected)


@given(
    num_valid=st.one_of(st.integers(1, 40), st.integers(500, 1500)),
    num_gt=st.integers(1, 30),
    topk=st.sampled_from([1, 10, 30]),
    num_levels=st.sampled_from([1, 2, 5, 1000]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    seed=st.integers(0, 2**32 - 1),
)
def test_matching_breaks_ties_as_mmdet(num_valid, num_gt, topk, num_levels, dtype, seed):
    """Costs of few distinct values: every choice is a tie, in both of topk's algorithms."""
    rng = np.random.default_rng(seed)
    cost = torch.tensor(rng.integers(0, num_levels, (num_valid, num_gt)), dtype=dtype)
    ious = torch.tensor(rng.random((num_valid, num_gt)) ** rng.choice([0.1, 1, 9]), dtype=dtype)
    valid_mask = torch.zeros(2 * num_valid, dtype=torch.bool)
    valid_mask[rng.permutation(2 * num_valid)[:num_valid]] = True
    their_mask, our_mask = valid_mask.clone(), valid_mask.clone()
    theirs = SimOTAAssigner(candidate_topk=topk).dynamic_k_matching(cost, ious, num_gt, their_mask)
    ours = FastSimOTAAssigner(candidate_topk=topk).dynamic_k_matching(cost, ious, num_gt, our_mask)
    assert torch.equal(our_mask, their_mask)
    assert torch.equal(ours[0], theirs[0])
    assert torch.equal(ours[1], theirs[1])


@pytest.mark.parametrize('calculator', ['BboxOverlaps2D', 'BboxOverlaps2D_GLIP', 'fp16'])
def test_any_iou_calculator_is_obeyed(calculator):
    config = dict(type=calculator)
    if calculator == 'fp16':
        config = dict(type='BboxOverlaps2D', scale=4.0, dtype='fp16')
    for case in range(30):
        scene = random_scene(np.random.default_rng([23, case]), torch.float32)
        reference = RecordedReference(iou_calculator=config)
        fast = RecordedFast(iou_calculator=config)
        expected, actual = reference.assign(*scene), fast.assign(*scene)
        if hasattr(reference, 'seen'):
            assert torch.equal(fast.seen.ious, reference.seen.ious)
            assert_explained(actual, reference, float32_tolerance(reference.seen.cost))
        else:
            assert_same(actual, expected)


# --- cost in memory and operations ---------------------------------------------------------------


class Meter(TorchDispatchMode):
    """Counts the operations below autograd and the elements of their largest output."""

    def __init__(self):
        super().__init__()
        self.num_ops = self.largest = 0
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        outputs = func(*args, **(kwargs or {}))
        self.num_ops += 1
        self.names.append(func.overloadpacket.__name__)
        for output in outputs if isinstance(outputs, (tuple, list)) else [outputs]:
            if isinstance(output, torch.Tensor):
                self.largest = max(self.largest, output.numel())
        return outputs


def metered(assigner, num_gt, num_classes=16):
    rng = np.random.default_rng(num_gt)
    centers = torch.tensor(rng.uniform(0, 200, (700, 2))).float()
    priors = torch.cat([centers, torch.full_like(centers, 8)], 1)
    gt_centers = torch.tensor(rng.uniform(0, 200, (num_gt, 2))).float()
    gts = torch.cat([gt_centers - 20, gt_centers + 20], 1)
    bboxes = gts[torch.tensor(rng.integers(0, num_gt, 700))] + torch.randn(700, 4)
    predictions = InstanceData(priors=priors, bboxes=bboxes, scores=torch.rand(700, num_classes))
    labels = torch.tensor(rng.integers(0, num_classes, num_gt))
    with Meter() as meter:
        assigner.assign(predictions, InstanceData(bboxes=gts, labels=labels))
    return meter


def test_no_tensor_is_larger_than_priors_by_boxes():
    assert metered(FastSimOTAAssigner(), 300).largest == 700 * 300
    assert metered(SimOTAAssigner(), 300).largest >= 600 * 300 * 16  # the meter sees it


def test_the_number_of_operations_depends_on_the_distinct_k_only():
    one_k = dict(candidate_topk=1)  # every dynamic k is 1
    few, many = (metered(FastSimOTAAssigner(**one_k), num_gt) for num_gt in (20, 300))
    assert few.names == many.names
    per_k = 3  # index_select, topk and the flattening of its indices
    assert metered(FastSimOTAAssigner(), 300).num_ops <= many.num_ops + 9 * (per_k + 1)
    few, many = (metered(SimOTAAssigner(**one_k), num_gt) for num_gt in (20, 300))
    assert many.num_ops > few.num_ops + 280  # the meter sees it


def autocasts() -> bool:
    if hasattr(torch, 'get_autocast_dtype'):  # PyTorch 2.4 and newer
        return torch.is_autocast_enabled('cpu')
    return torch.is_autocast_cpu_enabled()


def test_the_class_cost_is_computed_without_autocast():
    states = []

    class RecordAutocast(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            if getattr(func, '__name__', '') in ('binary_cross_entropy', 'log', 'log1p_', 'sum'):
                states.append(autocasts())
            return func(*args, **(kwargs or {}))

    scores, labels = torch.rand(9, 3, dtype=torch.bfloat16), torch.tensor([0, 2])
    with torch.autocast('cpu', dtype=torch.bfloat16), RecordAutocast():
        assert autocasts()
        within = FastSimOTAAssigner().class_cost(scores, labels)
        assert autocasts()
    assert len(states) >= 4
    assert not any(states)
    assert torch.equal(within, FastSimOTAAssigner().class_cost(scores, labels))


# --- a drop-in -----------------------------------------------------------------------------------


def test_is_built_from_a_config_with_mmdet_arguments():
    assigner = TASK_UTILS.build(
        dict(type='FastSimOTAAssigner', center_radius=1.5, candidate_topk=4)
    )
    assert type(assigner) is FastSimOTAAssigner
    assert (assigner.center_radius, assigner.candidate_topk) == (1.5, 4)
    for method in ('__init__', 'assign', 'get_in_gt_and_in_center_info', 'dynamic_k_matching'):
        ours, theirs = (
            inspect.signature(getattr(cls, method)) for cls in (FastSimOTAAssigner, SimOTAAssigner)
        )
        assert list(ours.parameters) == list(theirs.parameters)


def crowded_scene():
    return next(
        scene
        for scene in (random_scene(np.random.default_rng(n), torch.float32) for n in range(100))
        if len(scene[0]) > 200 and len(scene[1]) > 20
    )


def test_base_boxes_are_taken_as_predictions_and_as_ground_truth():
    predictions, gts = crowded_scene()
    expected = SimOTAAssigner().assign(predictions, gts)
    boxed_predictions, boxed_gts = predictions.clone(), gts.clone()
    boxed_predictions.bboxes = HorizontalBoxes(predictions.bboxes)
    boxed_gts.bboxes = HorizontalBoxes(gts.bboxes)
    assert_same(SimOTAAssigner().assign(boxed_predictions, gts), expected)
    with pytest.raises(AssertionError):
        SimOTAAssigner().assign(predictions, boxed_gts)
    for scene in ((boxed_predictions, gts), (predictions, boxed_gts)):
        assert_same(FastSimOTAAssigner().assign(*scene), expected)
    boxed_gts.bboxes = HorizontalBoxes(gts.bboxes + 1e4)  # no prior is near
    nothing = FastSimOTAAssigner().assign(predictions, boxed_gts)
    assert not nothing.gt_inds.any() and (nothing.labels == -1).all()


@pytest.mark.parametrize('bad', [-0.1, 1.5])
def test_scores_that_are_no_probabilities_are_refused_as_by_mmdet(bad):
    predictions, gts = crowded_scene()
    predictions.scores[FastSimOTAAssigner().assign(predictions, gts).gt_inds > 0] = bad
    messages = []
    for assigner in (SimOTAAssigner(), FastSimOTAAssigner()):
        with pytest.raises(RuntimeError, match='between 0 and 1') as error:
            assigner.assign(predictions, gts)
        messages.append(str(error.value))
    assert messages[0] == messages[1]


@pytest.mark.parametrize('field', ['scores', 'bboxes'])
@pytest.mark.parametrize('number', [float('nan'), float('inf')])
def test_predictions_that_are_no_numbers_are_left_to_the_loss(field, number):
    if (field, number) == ('scores', float('inf')):
        return  # refused above, with all that is above 1
    predictions, gts = crowded_scene()
    usual = FastSimOTAAssigner().assign(predictions, gts)
    predictions[field][usual.gt_inds > 0] = number
    result = FastSimOTAAssigner().assign(predictions, gts)
    assert (result.gt_inds > 0).any()
    assert ((result.gt_inds >= 0) & (result.gt_inds <= len(gts))).all()


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_inputs_are_left_alone_and_gradients_are_not_followed(dtype):
    predictions, gts = crowded_scene()
    predictions = predictions.to(dtype)
    gts.bboxes = gts.bboxes.to(dtype)
    predictions.bboxes.requires_grad_()
    predictions.scores.requires_grad_()
    before = predictions.clone(), gts.clone()
    result = FastSimOTAAssigner().assign(predictions, gts)
    assert not result.max_overlaps.requires_grad
    FastSimOTAAssigner().class_cost(predictions.scores, gts.labels)
    for part, copy in zip((predictions, gts), before, strict=True):
        assert all(torch.equal(part[key], copy[key]) for key in copy.keys())  # noqa: SIM118


# --- the judge -----------------------------------------------------------------------------------


def test_the_judge_of_differences_refuses_every_other_assignment():
    """Without ties there is one right assignment; with all costs tied, k is still binding."""
    num_tampered = 0
    for case in range(60):
        rng = np.random.default_rng([29, case])
        scene, reference = random_scene(rng), Float64Reference()
        reference.assign(*scene)
        if not hasattr(reference, 'seen'):
            continue
        cost, ious = reference.seen.cost, reference.seen.ious
        cost = cost + torch.rand_like(cost) * 1e-3
        num_valid, num_gt = cost.shape
        is_matched = torch.ones(num_valid, dtype=torch.bool)
        _, gts = SimOTAAssigner().dynamic_k_matching(cost, ious, num_gt, is_matched)
        gt_inds = torch.zeros(num_valid, dtype=torch.long)
        gt_inds[is_matched] = gts + 1

        tolerance, everything = torch.full_like(cost, 1e-9), torch.full_like(cost, 1e9)
        assert is_explained(cost, ious, 10, gt_inds, tolerance)
        assert is_explained(cost, ious, 10, gt_inds, everything)
        for prior in rng.integers(0, num_valid, 5):
            tampered = gt_inds.clone()
            tampered[prior] = (gt_inds[prior] + rng.integers(1, num_gt + 1)) % (num_gt + 1)
            assert not is_explained(cost, ious, 10, tampered, tolerance)
            num_tampered += 1
        assert not is_explained(cost, ious, 10, torch.zeros_like(gt_inds), everything)
    assert num_tampered > 200
