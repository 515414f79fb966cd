"""Which checkpoint a run goes on from."""

import shutil
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from abc_mmdet.checkpoints.loading import is_whole
from abc_mmdet.engine.checkpoint_files import choose_checkpoint, newest_checkpoint
from abc_mmdet.errors import UserError


def write(folder: Path, *names: str, last: str | None = None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        torch.save(dict(weight=torch.zeros(1000)), folder / name)
    if last is not None:
        (folder / 'last_checkpoint').write_text(str(folder / last))


def test_damage_of_every_kind_is_seen(tmp_path: Path) -> None:
    write(tmp_path, 'iter_1.pth')
    path = tmp_path / 'iter_1.pth'
    content = path.read_bytes()
    assert is_whole(path)
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    zeros = content[:-3000] + bytes(3000)  # as after a loss of power
    for damaged in (content[:-1], content[:100], b'', b'text', flipped, zeros):
        path.write_bytes(damaged)
        assert not is_whole(path)
    assert not is_whole(tmp_path / 'none.pth')


def test_the_newest_whole_one(tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path / 'nowhere') == (None, [])
    write(tmp_path, 'iter_9.pth', 'iter_10.pth', 'iter_100.pth', 'best_mAP_iter_10.pth', 'x.pth')
    assert newest_checkpoint(tmp_path)[0] == tmp_path / 'iter_100.pth', 'without last_checkpoint'
    write(tmp_path, last='iter_10.pth')  # iter_100 is of an earlier run
    assert newest_checkpoint(tmp_path) == (tmp_path / 'iter_10.pth', [])
    (tmp_path / 'iter_10.pth').write_bytes(b'')
    assert newest_checkpoint(tmp_path) == (tmp_path / 'iter_9.pth', [tmp_path / 'iter_10.pth'])
    (tmp_path / 'iter_10.pth').unlink()
    assert newest_checkpoint(tmp_path) == (tmp_path / 'iter_9.pth', [])
    (tmp_path / 'last_checkpoint').write_text('')
    assert newest_checkpoint(tmp_path)[0] == tmp_path / 'iter_100.pth'


@pytest.mark.parametrize('pointer', [b'\x80\x04', b'iter_1\0.pth', b'x' * 5000, b'/', b'..'])
def test_a_pointer_that_names_nothing(pointer: bytes, tmp_path: Path) -> None:
    write(tmp_path, 'iter_9.pth', 'iter_10.pth')
    (tmp_path / 'last_checkpoint').write_bytes(pointer)
    assert newest_checkpoint(tmp_path) == (tmp_path / 'iter_10.pth', [])


def test_a_pointer_that_is_a_link_to_the_checkpoint(tmp_path: Path) -> None:
    write(tmp_path, 'iter_9.pth')
    (tmp_path / 'last_checkpoint').symlink_to('iter_9.pth')
    assert newest_checkpoint(tmp_path) == (tmp_path / 'iter_9.pth', [])


def test_in_other_places(tmp_path: Path) -> None:
    write(tmp_path / 'elsewhere', 'epoch_1.pth', 'epoch_2.pth')
    write(tmp_path / 'work', 'iter_7.pth')
    (tmp_path / 'work/last_checkpoint').write_text(str(tmp_path / 'elsewhere/epoch_2.pth'))
    assert newest_checkpoint(tmp_path / 'work')[0] == tmp_path / 'elsewhere/epoch_2.pth'
    (tmp_path / 'work/last_checkpoint').write_text('/before/it/was/moved/iter_7.pth')
    assert newest_checkpoint(tmp_path / 'work')[0] == tmp_path / 'work/iter_7.pth'


def test_a_config_is_pointed_at_it(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    def chosen(**fields: object) -> Config:
        config = Config(dict(work_dir=str(tmp_path), load_from=None, **fields))
        choose_checkpoint(config)
        return config

    assert not chosen(resume=True).resume
    assert 'no checkpoint yet' in capsys.readouterr().err
    write(tmp_path, 'iter_1.pth', 'iter_2.pth', last='iter_2.pth')
    (tmp_path / 'iter_2.pth').write_bytes(b'cut off')
    assert chosen(resume=False).load_from is None
    config = chosen(resume=True)
    assert config.resume and config.load_from == str(tmp_path / 'iter_1.pth')
    output = capsys.readouterr().err
    assert f'{tmp_path}/iter_2.pth is damaged' in output
    assert f'resuming from {tmp_path}/iter_1.pth' in output
    (tmp_path / 'iter_1.pth').write_bytes(b'')
    with pytest.raises(UserError, match=r'every checkpoint in .* is damaged'):
        chosen(resume=True)


def test_a_copy_goes_on_from_its_own_checkpoints(tmp_path: Path) -> None:
    write(tmp_path / 'original', 'iter_1.pth', 'iter_2.pth', last='iter_2.pth')
    shutil.copytree(tmp_path / 'original', tmp_path / 'copy')
    copied = tmp_path / 'copy/iter_2.pth'
    assert newest_checkpoint(tmp_path / 'copy') == (copied, [])
    copied.write_bytes(b'cut off')
    assert newest_checkpoint(tmp_path / 'copy') == (tmp_path / 'copy/iter_1.pth', [copied])
