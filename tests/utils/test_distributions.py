"""Which pip command is named, for installations laid out on disk as pip does."""

import sys

import pytest

from abc_mmdet.utils import distributions as dists


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Gives a function that installs a distribution, without contents, in an empty Python."""
    monkeypatch.setattr(sys, 'path', [str(tmp_path)])

    def install_one(name, version):
        folder = tmp_path / f'{name.replace("-", "_")}-{version}.dist-info'
        folder.mkdir()
        (folder / 'METADATA').write_text(f'Name: {name}\nVersion: {version}\n')

    return install_one


def test_nothing_installed_leads_to_the_maintained_distributions(install):
    assert dists.distributions('mmcv') == {}
    assert dists.requirement('mmcv') == 'onedl-mmcv'
    assert dists.requirement('torch') == 'torch'


def test_what_is_there_decides_the_family(install):
    install('onedl-mmengine', '0.10.12')
    assert dists.requirement('mmdet') == 'onedl-mmdetection'
    assert not dists.has_upstream()


def test_upstream_is_added_to_upstream_and_without_pins(install):
    install('mmengine', '0.10.7')
    assert dists.requirement('mmcv') == 'mmcv-lite>=2.0.1,<2.2'
    assert dists.requirement('tensorboard') == 'tensorboard'
    command = dists.pip_install(dists.requirement('mmdet'))
    assert command == f"{sys.executable} -m pip install 'mmdet>=3.3'"


def test_two_distributions_of_one_package_are_both_seen(install):
    install('mmcv', '2.1.0')
    install('onedl-mmcv', '2.3.6')
    assert dists.distributions('mmcv') == {'onedl-mmcv': '2.3.6', 'mmcv': '2.1.0'}
