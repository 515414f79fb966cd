from .gray_csp_darknet import GrayCSPDarknet
from .maxvit_rnn import MaxViTRNN

__all__ = ['GrayCSPDarknet', 'MaxViTRNN']
