from .detections import Detections
from .detector import Detector
from .evaluation_batches import group_by_size
from .experiment import load_experiment
from .frame_size import frame_size
from .join_processes import join_processes
from .preflight import check_checkpoint, check_data
from .slice_arguments import add_slice_arguments, slicing_of
from .sliced_config import sliced
from .standard_hooks import IN_TESTS, add_standard_hooks, keep_best_checkpoint
from .stock_config import to_stock_config
from .stock_experiment import write_stock_experiment
from .user_messages import config_mistakes, file_mistakes, user_messages
from .work_dir import claim_work_dir, make_work_dir

__all__ = [
    'IN_TESTS',
    'Detections',
    'Detector',
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
    'to_stock_config',
    'user_messages',
    'write_stock_experiment',
]
