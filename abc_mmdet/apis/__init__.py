from abc_mmdet.utils.processes import join_processes

from .experiment import check_checkpoint, check_data, load_experiment
from .options import add_slice_arguments, frame_size, sliced, slicing_of
from .output_files import claim_work_dir, make_work_dir
from .standard_config import prepare_run
from .user_messages import config_mistakes, file_mistakes, user_messages

__all__ = [
    'add_slice_arguments',
    'check_checkpoint',
    'check_data',
    'claim_work_dir',
    'config_mistakes',
    'file_mistakes',
    'frame_size',
    'join_processes',
    'load_experiment',
    'make_work_dir',
    'prepare_run',
    'sliced',
    'slicing_of',
    'user_messages',
]
