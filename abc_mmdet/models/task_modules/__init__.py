from .fast_sim_ota_assigner import FastSimOTAAssigner
from .nwd_overlaps import NWDOverlaps2D
from .sized_sim_ota_assigner import SizedSimOTAAssigner

__all__ = ['FastSimOTAAssigner', 'NWDOverlaps2D', 'SizedSimOTAAssigner']
