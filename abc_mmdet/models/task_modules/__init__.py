from .center_sim_ota_assigner import CenterSimOTAAssigner
from .fast_sim_ota_assigner import FastSimOTAAssigner
from .min_positives_assigner import MinPositivesSimOTAAssigner
from .nwd_overlaps import NWDOverlaps2D
from .sized_sim_ota_assigner import SizedSimOTAAssigner

__all__ = [
    'CenterSimOTAAssigner',
    'FastSimOTAAssigner',
    'MinPositivesSimOTAAssigner',
    'NWDOverlaps2D',
    'SizedSimOTAAssigner',
]
