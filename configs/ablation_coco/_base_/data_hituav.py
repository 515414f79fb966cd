_base_ = '../../_base_/datasets/hituav.py'
