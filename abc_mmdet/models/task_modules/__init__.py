from .fast_sim_ota_assigner import FastSimOTAAssigner

__all__ = ['FastSimOTAAssigner']
