import numpy as np
from matplotlib.patches import Rectangle

from abc_mmdet.custom_dataset import size_plot
from abc_mmdet.custom_dataset.box_sizes import BoxSizes


def sizes(numbers: list[int]) -> BoxSizes:
    label = np.repeat(np.arange(len(numbers)), numbers)
    size = np.random.default_rng(0).uniform(2, 300, len(label))
    return BoxSizes(tuple(f'class {i}' for i in range(len(numbers))), label, size, size)


def test_bars_hold_every_box_once_and_colours_mean_the_same() -> None:
    train, val = sizes([5, 50, 20]), sizes([30, 2, 4])
    figure = size_plot([('train', train), ('val', val)], [8, 16], [4])
    for axes, of in zip(figure.axes, (train, val), strict=True):
        bars = [p for p in axes.patches if isinstance(p, Rectangle)]
        assert sum(bar.get_height() for bar in bars) == len(of)
        words = ' '.join(text.get_text() for text in axes.texts)
        assert 'stride 4\nin training' in words and 'stride 16\n' in words
    legends = [
        {
            text.get_text(): h.get_facecolor()
            for text, h in zip(
                axes.get_legend().get_texts(), axes.get_legend().legend_handles, strict=True
            )
        }
        for axes in figure.axes
    ]
    assert legends[0] == legends[1]
    assert len(set(legends[0].values())) == 3


def test_many_classes_share_a_colour() -> None:
    many = sizes(list(range(1, 31)))
    (axes,) = size_plot([('train', many)]).axes
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names[0] == 'class 29'
    assert names[-1] == '21 others'
    assert sum(p.get_height() for p in axes.patches) == len(many)


def test_no_boxes() -> None:
    assert size_plot([('val', sizes([0, 0]))], [8]).axes
