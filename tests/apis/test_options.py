"""Options of slices are the parameters of sliced(), and mean nothing without --slice."""

import argparse
from inspect import signature

import pytest

from abc_mmdet.apis import add_slice_arguments, sliced, slicing_of
from abc_mmdet.errors import UserError


def parse(*arguments: str) -> dict | None:
    parser = argparse.ArgumentParser()
    add_slice_arguments(parser)
    return slicing_of(parser.parse_args(arguments))


def test_what_is_given_and_nothing_else() -> None:
    assert parse() is None
    assert parse('--slice', '64x48') == dict(slice_size=(64, 48))
    assert parse('--slice', '224') == dict(slice_size=(224, 224))
    everything = parse(
        *('--slice', '64x48', '--overlap', '0.3', '--merge', 'wbf', '--upscale', '2'),
        *('--slice-batch', '4', '--no-full-image'),
    )
    assert everything == dict(
        slice_size=(64, 48),
        overlap=0.3,
        merge='wbf',
        upscale=2.0,
        batch_size=4,
        full_image=False,
    )
    assert set(everything) == set(signature(sliced).parameters) - {'config'}


@pytest.mark.parametrize(
    'option', ['--overlap 0.2', '--merge nms', '--upscale 1', '--slice-batch 8', '--no-full-image']
)
def test_options_need_slices(option: str) -> None:
    """Also with the value of the default."""
    with pytest.raises(UserError, match=f'{option.split()[0]} is of slices: add --slice WxH'):
        parse(*option.split())
