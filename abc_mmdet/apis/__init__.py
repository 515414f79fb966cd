from abc_mmdet.utils.processes import join_processes

from .experiment import check_checkpoint, check_data, load_experiment
from .options import add_slice_arguments, frame_size, slicing_of
from .sliced_config import sliced
from .standard_config import IN_TESTS, add_standard_hooks, group_by_size, keep_best_checkpoint
from .user_messages import config_mistakes, file_mistakes, user_messages
from .work_dir import claim_work_dir, make_work_dir

__all__ = [
    'IN_TESTS',
    'add_slice_arguments',
    'add_standard_hooks',
    'check_checkpoint',
    'check_data',
    'claim_work_dir',
    'config_mistakes',
    'file_mistakes',
    'frame_size',
    'group_by_size',
    'join_processes',
    'keep_best_checkpoint',
    'load_experiment',
    'make_work_dir',
    'sliced',
    'slicing_of',
    'user_messages',
]
