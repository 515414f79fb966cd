from .fast_sim_ota_assigner import FastSimOTAAssigner
from .overlaps import BufferedOverlaps2D, NWDOverlaps2D, SizeRelativeNWDOverlaps2D
from .sim_ota_variants import CenterSimOTAAssigner, MinPositivesSimOTAAssigner, SizedSimOTAAssigner

__all__ = [
    'BufferedOverlaps2D',
    'CenterSimOTAAssigner',
    'FastSimOTAAssigner',
    'MinPositivesSimOTAAssigner',
    'NWDOverlaps2D',
    'SizeRelativeNWDOverlaps2D',
    'SizedSimOTAAssigner',
]
