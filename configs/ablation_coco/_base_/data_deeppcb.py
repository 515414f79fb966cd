_base_ = '../../_base_/datasets/deeppcb.py'
